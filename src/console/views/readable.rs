//! What must be readable to its last word, at 80x24 and at 120x36: sentences that matter, the way out of what lies on
//! top, and signs that say what they count.

use crossterm::event::KeyCode;

use super::super::fixture::{self, step};
use super::super::message::Event;
use super::super::model::Model;
use super::super::update::update;
use super::tests::{check, frame, racing};
use crate::domain::alarm::{Alarm, Severity};
use crate::domain::command::Acknowledgement;

const SIZES: [(u16, u16); 2] = [(80, 24), (120, 36)];

fn press(model: &mut Model, key: KeyCode) {
    update(model, Event::Key(key.into()), step(10));
}

/// The words of a frame with everything between them made one blank: sentences that were wrapped are whole again,
/// where nothing stands beside them.
fn words(frame: &str) -> String {
    let bare: String = frame.chars().map(|c| if "│─┌┐└┘".contains(c) { ' ' } else { c }).collect();
    bare.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_change_that_would_be_rejected_says_why_to_the_last_word_and_how_to_leave() {
    let reason = "nobody would go: no active arm has at least 50 trials and wins fewer than 5 % of them";
    for (width, height) in SIZES {
        let mut model = fixture::model();
        press(&mut model, KeyCode::Char('p'));
        let answer = Event::WhatIf(model.question, Err(reason.to_owned()));
        update(&mut model, answer, step(20));
        let shown = frame(&model, width, height);
        check(&format!("dialog_refused_{width}x{height}"), &shown);
        for word in ["5 % of", "of them", "Left Right turn", "Up Down choose", "Esc leaves it"] {
            assert!(shown.contains(word), "{word} at {width}x{height}:\n{shown}");
        }
        assert!(!shown.contains("who would go") && !shown.contains("Enter applies"), "{shown}");
    }
}

#[test]
fn a_message_that_needs_more_than_one_line_gets_it_and_the_keys_stay() {
    let reason = "nobody would go: no active arm has at least 20 trials and wins fewer than 7 % of them";
    for (width, height) in SIZES {
        let mut model = fixture::model();
        let id = crate::domain::ids::CommandId::new(model.now, 1);
        model.statuses.sent(id, "prune below 7% wins after 20 trials".to_owned());
        let answer = Acknowledgement::Rejected { reason: reason.to_owned() };
        update(&mut model, Event::Acknowledged(id, Ok(answer)), step(20));
        let shown = frame(&model, width, height);
        check(&format!("footer_wrapped_{width}x{height}"), &shown);
        assert!(words(&shown).contains(&format!("rejected, nothing changed: {reason}")), "{shown}");
        assert!(shown.ends_with("q quit") || shown.trim_end().ends_with("?  q"), "{shown}");
        // What has no end is cut, and says so.
        let endless = Acknowledgement::Rejected { reason: "no ".repeat(400) };
        update(&mut model, Event::Acknowledged(id, Ok(endless)), step(30));
        let shown = frame(&model, width, height);
        assert!(shown.lines().last().is_some_and(|line| line.contains('…')), "{shown}");
        assert_eq!(frame(&fixture::model(), width, height).lines().take(9).last(), shown.lines().take(9).last());
    }
}

#[test]
fn the_first_line_names_its_alarms_and_moves_for_nothing() {
    use Severity::{Critical, Notice, Warning};
    let picture = |severities: &[Severity]| {
        let mut picture = fixture::snapshot();
        let alarm = picture.alarms[1].clone();
        let of = |(n, severity): (usize, &Severity)| Alarm {
            subject: format!("s{n}"),
            severity: *severity,
            arm: None,
            ..alarm.clone()
        };
        picture.alarms = severities.iter().enumerate().map(of).collect();
        picture
    };
    let scenes: [(&[Severity], &str); 5] = [
        (&[], "✓ no alarm"),
        (&[Notice], "· 1 notice"),
        (&[Notice, Notice], "· 2 notices"),
        (&[Warning], "! 1 alarm"),
        (&[Critical, Notice], "‼ 2 alarms"),
    ];
    for (width, height) in [(59, 14), (60, 15), (80, 24), (100, 30), (120, 36), (200, 50)] {
        let mut begins = Vec::new();
        for (severities, words) in scenes {
            for (rate, share) in [(5.3, 0.0), (12.3, 0.032), (0.4, 0.41)] {
                let mut picture = picture(severities);
                picture.totals.runs_per_s = Some(rate);
                picture.totals.fallback_rate = crate::domain::ratio::Ratio::new(share);
                picture.totals.first_try = crate::domain::ratio::Ratio::new(1.0 - share);
                let shown = frame(&fixture::model_of(picture), width, height);
                let line = shown.lines().find(|line| line.contains(words));
                let line = line.unwrap_or_else(|| panic!("{words} at {width}:\n{shown}"));
                begins.push(line.split(words).next().map(|before| before.chars().count()));
            }
        }
        let is_still = begins.iter().all(|begin| *begin == begins[0]);
        assert!(width < 60 || is_still, "at {width}: {begins:?}");
    }
}

#[test]
fn an_arm_that_pauses_too_shortly_for_an_alarm_is_counted_in() {
    let mut picture = fixture::snapshot();
    let row = &mut picture.arms[2];
    row.state = crate::domain::spec::Lifecycle::Ejected;
    row.state_reason = Some("cooling (http_429): try again in 3 s".to_owned());
    let shown = frame(&fixture::model_of(picture.clone()), 120, 36);
    assert!(shown.contains("5/6 arms") && shown.contains("cooling"), "{shown}");
    picture.alarms[1].subject = "ejected:lumen-code".to_owned();
    assert!(frame(&fixture::model_of(picture), 120, 36).contains("4/6 arms"));
}

#[test]
fn a_remedy_is_whole_even_where_its_message_is_cut() {
    let mut picture = fixture::snapshot();
    picture.alarms[0].message =
        "orbit is out, probe at 16:41:07: 5 failures in a row (http_503): no capacity".to_owned();
    picture.alarms[0].remedy = Some("deactivate".to_owned());
    for (width, height) in SIZES {
        let shown = frame(&fixture::model_of(picture.clone()), width, height);
        assert!(shown.contains("→ x deactivate"), "{shown}");
    }
}

/// The column in which `word` begins in the line that has it, or ends.
fn column(shown: &str, of: &str, word: &str, at_end: bool) -> usize {
    let line = shown.lines().find(|line| line.contains(of) && line.contains(word));
    let line = line.unwrap_or_else(|| panic!("no {word} with {of}:\n{shown}"));
    let at = line.find(word).unwrap() + if at_end { word.len() } else { 0 };
    line[..at].chars().count()
}

#[test]
fn figures_of_runs_stand_under_their_names_and_a_run_of_another_day_has_its_date() {
    let mut picture = fixture::snapshot();
    let run = &mut picture.recent_runs[1];
    run.at = run.at.minus(std::time::Duration::from_hours(13));
    picture.recent_runs.truncate(2);
    for (width, height) in SIZES {
        for screen in ['1', '2', '4'] {
            let mut model = fixture::model_of(picture.clone());
            press(&mut model, KeyCode::Char(screen));
            let shown = frame(&model, width, height);
            // At 80 columns the Overview has no room for runs.
            if (width, screen) == (80, '1') {
                continue;
            }
            for (name, figure) in [(" reward ", " .82 "), (" s ", " 0.80 "), (" $ ", " .0024 ")] {
                let heading = column(&shown, "─ reward ─", name, true);
                assert_eq!(heading, column(&shown, "12:04:41 ", figure, true), "{name}:\n{shown}");
            }
            assert!(shown.contains("11-21"), "{shown}");
            assert!(screen == '1' || shown.contains("11-21 23:04"), "{shown}");
        }
    }
}

#[test]
fn a_run_has_one_time_on_all_screens_and_the_newest_is_above() {
    let mut picture = fixture::snapshot();
    // The newest to end is not the newest to begin.
    let took = std::time::Duration::from_secs(5);
    let began = picture.recent_runs[0].at.minus(took);
    let first = &mut picture.recent_runs[0];
    (first.at, first.run, first.total_s) = (began, crate::domain::ids::RunId::new(began, 77), took.as_secs_f64());
    let mut model = fixture::model_of(picture);
    let times = |shown: &str, title: &str| {
        let from = shown.lines().position(|line| line.contains(title)).unwrap();
        let column = shown.lines().nth(from).unwrap().split(title).next().unwrap().chars().count();
        let rows = shown.lines().skip(from + 1).map(|line| line.chars().skip(column).collect::<String>());
        rows.filter_map(|line| line.split("12:0").nth(1).map(|rest| rest[..4].to_owned())).collect::<Vec<_>>()
    };
    let overview = times(&frame(&model, 120, 80), "┌─ Latest runs");
    assert!(overview.is_sorted_by(|above, below| above >= below), "{overview:?}");
    assert!(overview.contains(&began.clock_text()[4..].to_owned()), "{overview:?}");
    press(&mut model, KeyCode::Char('4'));
    let listed = times(&frame(&model, 120, 80), "┌─ Runs");
    assert_eq!(overview, listed[..overview.len()]);
}

#[test]
fn what_a_banner_asks_for_is_read_whole_and_nothing_is_counted_down_after_the_engine_has_gone() {
    let mut picture = fixture::snapshot();
    picture.mode.learning_paused = true;
    picture.mode.expires = Some(picture.at.plus(std::time::Duration::from_secs(63)));
    for (width, height) in SIZES {
        let mut model = fixture::model_of(picture.clone());
        (model.identity.attached_to, model.identity.source) = (Some("/srv/banditop/state".into()), "ATTACHED".into());
        update(&mut model, Event::EngineGone, step(20));
        let gone = frame(&model, width, height);
        assert!(gone.contains("PAUSED") && gone.contains(" 63 s left"), "{gone}");
        assert!(gone.contains("STOPPED") && !gone.contains("ATTACHED"), "{gone}");
        assert!(gone.contains("q quits") && gone.contains("Enter takes over"), "{gone}");
        let footer = gone.lines().last().unwrap();
        assert!(footer.contains("Enter takes over") && !footer.contains("undo") && footer.contains("q quit"), "{gone}");
        update(&mut model, Event::Tick, step(30_000));
        assert_eq!(frame(&model, width, height), gone);
        check(&format!("engine_gone_{width}x{height}"), &gone);
    }
}

#[test]
fn the_history_says_that_there_are_more_runs_until_it_knows_that_there_are_none() {
    let mut model = fixture::model();
    press(&mut model, KeyCode::Char('4'));
    assert!(frame(&model, 80, 24).contains("Runs · 1 of 12+ "));
    update(&mut model, Event::OlderRuns(Ok(Vec::new())), step(20));
    assert!(frame(&model, 80, 24).contains("Runs · 1 of 12 "));
}

#[test]
fn a_prompt_that_is_not_seen_whole_says_how_long_it_is_typed_unsent_and_sent() {
    let long = (0..87).map(|n| format!("Please compare item {n} with all others.")).collect::<Vec<_>>().join("\n");
    let characters = long.chars().filter(|c| *c != '\n').count();
    for (width, height) in SIZES {
        for screen in ['1', '2'] {
            let mut model = fixture::model();
            press(&mut model, KeyCode::Char(screen));
            update(&mut model, Event::Paste(long.clone()), step(20));
            let typing = frame(&model, width, height);
            assert!(typing.contains(&format!("{characters} characters")), "{typing}");
            press(&mut model, KeyCode::Esc);
            let left = frame(&model, width, height);
            check(&format!("draft_{screen}_{width}x{height}"), &left);
            assert!(left.contains("not sent: Please") || left.contains("not sent, i goes on"), "{left}");
            press(&mut model, KeyCode::Char('i'));
            press(&mut model, KeyCode::Enter);
            let sent = frame(&model, width, height);
            assert!(sent.contains(" characters in 87 lines"), "{sent}");
            assert!(sent.lines().any(|line| line.contains("compare item") && line.contains('…')), "{sent}");
        }
        let mut model = fixture::model();
        press(&mut model, KeyCode::Char('2'));
        update(&mut model, Event::Paste("short".to_owned()), step(20));
        assert!(!frame(&model, width, height).contains("characters"), "what is seen needs no count");
    }
}

#[test]
fn one_key_empties_what_was_typed_and_one_brings_it_back() {
    let mut model = fixture::model();
    press(&mut model, KeyCode::Char('i'));
    update(&mut model, Event::Paste("a million characters".to_owned()), step(20));
    assert!(frame(&model, 200, 50).contains("ctrl-u empty"));
    let key = crossterm::event::KeyEvent::new(KeyCode::Char('u'), crossterm::event::KeyModifiers::CONTROL);
    update(&mut model, Event::Key(key), step(30));
    assert!(model.prompt.is_empty() && model.typing);
    press(&mut model, KeyCode::Up);
    assert_eq!(model.prompt.text(), "a million characters");
}

#[test]
fn the_log_has_frames_as_every_screen_has_and_its_targets_can_be_hidden() {
    for (width, height) in SIZES {
        let mut model = fixture::model();
        press(&mut model, KeyCode::Char('6'));
        let shown = frame(&model, width, height);
        assert!(shown.contains("┌─ Targets ─") && shown.contains("┌─ Log ─"), "{shown}");
        press(&mut model, KeyCode::Char('h'));
        let shown = frame(&model, width, height);
        assert!(!shown.contains("Targets") && shown.contains("\n┌─ Log ─"), "{shown}");
    }
}

#[test]
fn charts_without_a_run_say_what_to_press_only_where_it_helps() {
    let mut picture = fixture::snapshot();
    (picture.series, picture.recent_runs) = (std::sync::Arc::default(), Vec::new());
    for (width, height) in SIZES {
        let mut model = fixture::model_of(picture.clone());
        let on = frame(&model, width, height);
        check(&format!("charts_empty_{width}x{height}"), &on);
        assert!(on.contains("traffic is on") && on.contains("under way") && !on.contains("starts traffic"), "{on}");
        model.traffic.as_mut().unwrap().on = false;
        let off = words(&frame(&model, width, height));
        assert!(off.contains("`i` asks, `t` starts traffic") && !off.contains("starts traff…"), "{off}");
    }
}

#[test]
fn an_uncertainty_that_is_not_zero_is_not_shown_as_zero() {
    for (width, height) in SIZES {
        let mut model = racing();
        for score in &mut model.conversation.own.as_mut().unwrap().scores {
            score.uncertainty = 0.004;
        }
        let shown = frame(&model, width, height);
        assert!(shown.contains("± .004") && !shown.contains("± .00 "), "{shown}");
        press(&mut model, KeyCode::Char('z'));
        let shown = frame(&model, width, height);
        assert!(shown.contains("± .004") && !shown.contains("± .00 "), "{shown}");
    }
}

#[test]
fn a_lane_that_runs_or_was_cancelled_says_so_and_that_its_tokens_are_estimated() {
    for (width, height) in SIZES {
        let mut model = fixture::model();
        let (ticket, _) = model.conversation.ask("merge two sorted lists".to_owned(), model.now);
        model.screen = crate::console::model::Screen::Race;
        // Up to the middle of the previews.
        for event in fixture::race_events().into_iter().take(4) {
            update(&mut model, Event::Run(ticket, Box::new(event)), step(400));
        }
        let running = frame(&model, width, height);
        assert!(running.contains("~31/64 tok") && running.contains(" 0/64 tok"), "{running}");
        assert!(!running.contains("cancelled"), "{running}");
        press(&mut model, KeyCode::Esc);
        let cancelled = frame(&model, width, height);
        check(&format!("race_cancelled_{width}x{height}"), &cancelled);
        assert!(cancelled.contains("~31/64 tok"), "{cancelled}");
        assert!(cancelled.matches("cancelled").count() > 3, "a lane each, and the answer:\n{cancelled}");
        // The same of a run that was opened: its record has an end for each.
        let mut record = fixture::record();
        let error = crate::domain::failure::FailureClass::Cancelled;
        for preview in &mut record.previews {
            preview.error = Some(crate::domain::failure::Failure::new(error, "cancelled", "the run was stopped"));
        }
        model.conversation.own = Some(crate::console::model::race::OwnRun::of_record(std::sync::Arc::new(record)));
        let opened = frame(&model, width, height);
        assert!(opened.contains("cancelled") && !opened.contains("failed"), "{opened}");
    }
}

#[test]
fn what_is_watched_is_told_beside_that_it_stands_still() {
    for (width, height) in SIZES {
        let mut model = fixture::model();
        press(&mut model, KeyCode::Char('f'));
        update(&mut model, Event::Tick, step(2_010));
        let shown = frame(&model, width, height);
        assert!(shown.contains("FROZEN 2 s DEMO seed 7"), "{shown}");
        press(&mut model, KeyCode::Char('?'));
        let shown = frame(&model, 120, 60);
        assert!(shown.contains("mark the selected arm for the next action, and go to the next row"), "{shown}");
    }
}

#[test]
fn traffic_that_is_held_back_and_a_window_that_is_full_say_so() {
    for (width, height) in SIZES {
        let mut picture = fixture::snapshot();
        (picture.totals.window_runs, picture.totals.window_s) = (4_096, 54.0);
        let mut model = fixture::model_of(picture);
        let known = model.traffic.unwrap();
        let status = crate::domain::traffic::TrafficStatus { rate_per_s: 200.0, held_back: 99, ..known };
        update(&mut model, Event::Traffic(status), step(20));
        model.statuses.dismiss();
        let shown = frame(&model, width, height);
        assert!(shown.contains("200/s held") && shown.contains("share over the last 4096 runs, 54 s"), "{shown}");
    }
    assert!(frame(&fixture::model(), 80, 24).contains("share over 5 min"));
}
