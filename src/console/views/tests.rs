//! Every screen at its designed sizes, with and without colour, in ASCII, empty, and with dialogs on
//! top, as text; and no panic at any size.

use std::sync::Arc;

use proptest::prelude::*;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Color;

use super::super::fixture::{self, model, model_of, race_events, record, snapshot, step};
use super::super::message::Event;
use super::super::model::dialog::Forecasting;
use super::super::model::{Model, Screen};
use super::super::settings::{Background, ColorDepth};
use super::super::theme::Theme;
use super::super::update::update;
use super::draw;
use crate::domain::action::Action;
use crate::domain::event::RunEvent;
use crate::domain::snapshot::EngineSnapshot;

fn buffer(model: &Model, theme: &Theme, width: u16, height: u16) -> Buffer {
    let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
    draw(model, theme, &mut buffer);
    buffer
}

fn text(buffer: &Buffer) -> String {
    let width = usize::from(buffer.area.width).max(1);
    let rows = buffer.content().chunks(width).map(|row| {
        // The cell behind a wide character is blank in the buffer and nothing on a terminal.
        let mut line = String::new();
        let mut skip = 0;
        for cell in row {
            if skip > 0 {
                skip -= 1;
                continue;
            }
            skip = unicode_width::UnicodeWidthStr::width(cell.symbol()).saturating_sub(1);
            line.push_str(cell.symbol());
        }
        line.trim_end().to_owned()
    });
    rows.collect::<Vec<_>>().join("\n")
}

pub(super) fn frame(model: &Model, width: u16, height: u16) -> String {
    text(&buffer(model, &Theme::new(ColorDepth::Indexed, Background::Dark, false), width, height))
}

/// A console whose prompt is being raced, up to the first words of the answer.
pub(super) fn racing() -> Model {
    let mut model = model();
    let (ticket, _) = model.conversation.ask("merge two sorted lists in Rust without copying".to_owned(), model.now);
    model.screen = Screen::Race;
    for event in race_events() {
        update(&mut model, Event::Run(ticket, Box::new(event)), step(2_000));
    }
    model
}

/// The same after the answer.
fn answered() -> Model {
    let mut model = racing();
    let ticket = model.conversation.tickets;
    let end = RunEvent::Finished { record: Arc::new(record()) };
    update(&mut model, Event::Run(ticket, Box::new(end)), step(2_620));
    model
}

fn with_dialog(action: Action) -> Model {
    let mut model = model();
    let key = action.row().keys[0].chars().next().unwrap();
    update(&mut model, Event::Key(crossterm::event::KeyCode::Char(key).into()), step(10));
    let answer = Event::WhatIf(model.question, Ok(Box::new(fixture::what_if())));
    update(&mut model, answer, step(20));
    model
}

fn empty() -> Model {
    model_of(EngineSnapshot {
        arms: Vec::new(),
        alarms: Vec::new(),
        recent_runs: Vec::new(),
        journal: Vec::new(),
        totals: crate::domain::snapshot::Totals::default(),
        series: Arc::default(),
        ..snapshot()
    })
}

fn theme(depth: ColorDepth, ascii: bool) -> Theme {
    Theme::new(depth, Background::Dark, ascii)
}

/// Compares a frame with the stored one, `snapshots/NAME.snap`.
pub(super) fn check(name: &str, frame: &str) {
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true, snapshot_path => "../snapshots" }, {
        insta::assert_snapshot!(name, frame);
    });
}

#[test]
fn objectives_stand_under_the_alarms() {
    let objective = |name: &str, wanted: &str, burn: f64, is_burning| crate::domain::observer::Objective {
        name: name.to_owned(),
        wanted: wanted.to_owned(),
        found: Some(0.9),
        found_words: Some("90% within".to_owned()),
        limit: 0.95,
        windows_s: [3600.0, 300.0],
        burn: [Some(burn), None],
        budget_left: Some(1.0 - burn),
        is_burning,
    };
    let objectives =
        vec![objective("fast", "p95 <= 5 s", 2.0, true), objective("calm", "first try >= 90%", 0.5, false)];
    check("overview_objectives_120x36", &frame(&model_of(EngineSnapshot { objectives, ..snapshot() }), 120, 36));
}

#[test]
fn the_overview_at_its_sizes() {
    check("overview_120x36", &frame(&model(), 120, 36));
    check("overview_80x24", &frame(&model(), 80, 24));
    check("overview_200x50", &frame(&model(), 200, 50));
    check("overview_60x15", &frame(&model(), 60, 15));
    check("too_small_42x12", &frame(&model(), 42, 12));
}

#[test]
fn the_race_at_its_sizes() {
    check("race_running_120x36", &frame(&racing(), 120, 36));
    check("race_answered_120x36", &frame(&answered(), 120, 36));
    check("race_answered_80x24", &frame(&answered(), 80, 24));
    check("race_answered_60x15", &frame(&answered(), 60, 15));
    let mut idle = model();
    idle.screen = Screen::Race;
    check("race_idle_80x24", &frame(&idle, 80, 24));
}

#[test]
fn a_failed_run_says_why_and_what_to_do() {
    let mut model = racing();
    let ticket = model.conversation.tickets;
    let reason = "atlas-70b: no connection to 127.0.0.1:9 (is the server up?)".to_owned();
    update(&mut model, Event::RunRefused(ticket, reason), step(2_100));
    check("race_failed_80x24", &frame(&model, 80, 24));
}

#[test]
fn without_colour_and_in_ascii() {
    check("overview_nocolor_120x36", &text(&buffer(&model(), &theme(ColorDepth::None, false), 120, 36)));
    check("overview_ascii_100x30", &text(&buffer(&model(), &theme(ColorDepth::None, true), 100, 30)));
    check("race_ascii_100x30", &text(&buffer(&answered(), &theme(ColorDepth::None, true), 100, 30)));
}

#[test]
fn empty_says_what_to_do_next() {
    check("overview_empty_80x24", &frame(&empty(), 80, 24));
    let loading = model_of(EngineSnapshot { revision: 0, ..(*empty().live).clone() });
    assert!(frame(&loading, 80, 24).contains("Waiting for the engine"));
}

#[test]
fn dialogs_show_what_they_would_do() {
    check("dialog_budget_80x24", &frame(&with_dialog(Action::Budget), 80, 24));
    check("dialog_weights_80x24", &frame(&with_dialog(Action::Weights), 80, 24));
    check("dialog_decay_100x30", &frame(&with_dialog(Action::Decay), 100, 30));
    check("dialog_prune_100x30", &frame(&with_dialog(Action::Prune), 100, 30));
    check("dialog_deactivate_100x30", &frame(&with_dialog(Action::Deactivate), 100, 30));
    check("dialog_undo_100x30", &frame(&with_dialog(Action::Undo), 100, 30));
}

#[test]
fn help_is_the_registry() {
    let mut model = model();
    model.help = Some(0);
    let shown = frame(&model, 100, 50);
    check("help_overview_100x50", &shown);
    for row in crate::domain::action::ACTIONS {
        use crate::domain::action::Scope;
        let here = matches!(row.scope, Scope::Global | Scope::Overview);
        assert_eq!(shown.contains(&row.help[..row.help.len().min(40)]), here, "{}", row.name);
    }
}

#[test]
fn help_says_what_is_refused_here_and_what_no_binding_takes_away() {
    use crate::domain::action::{Action, KeyBindings, KeyName};
    let mut model = model();
    model.help = Some(0);
    let shown = frame(&model, 100, 50);
    assert!(!shown.contains("however keys are bound") && !shown.contains("refused, this console"));
    model.identity.read_only = true;
    let keys = [(Action::Quit, vec![KeyName::parse("Q").unwrap()])].into();
    model.identity.keys = KeyBindings::with(&keys).unwrap();
    let shown = frame(&model, 100, 50);
    assert!(
        shown.contains("however keys are bound") && shown.contains("refused, this console is read-only"),
        "{shown}"
    );
    let at = |words: &str| shown.find(words).unwrap_or_else(|| panic!("{words}: {shown}"));
    for refused in ["into the prompt", "more traffic", "forget a share", "undo the last"] {
        assert!(at(refused) > at("refused, this console"), "{refused}: {shown}");
    }
    assert!(at("leave; asks") < at("refused, this console") && !shown.contains("While typing"), "{shown}");
}

#[test]
fn modes_are_always_visible() {
    let mut model = model();
    update(&mut model, Event::Key(crossterm::event::KeyEvent::from(crossterm::event::KeyCode::Char('f'))), step(0));
    update(&mut model, Event::Tick, step(14_000));
    model.identity.read_only = true;
    let mut live = (*model.live).clone();
    live.totals.dropped_events = 3;
    live.store.notice = Some("disk full: running in memory".to_owned());
    model.frozen.as_mut().unwrap().snapshot = Arc::new(live);
    for (width, height) in [(60, 15), (80, 24), (120, 36)] {
        let shown = frame(&model, width, height);
        for word in ["FROZEN 14 s DEMO", "READ-ONLY", "dropped 3", "disk full"] {
            assert!(shown.contains(word), "{word} at {width}:\n{shown}");
        }
    }
}

#[test]
fn ascii_means_every_cell() {
    let mut hostile = answered();
    hostile.conversation.own.as_mut().unwrap().answer = "naïve 日本 \u{1b}[31m ünïcode…".to_owned();
    let mut help = model();
    help.help = Some(0);
    let mut logs = model();
    logs.screen = Screen::Logs;
    let models = vec![model(), hostile, help, logs, empty(), with_dialog(Action::Weights), with_dialog(Action::Prune)];
    for model in &models {
        for (width, height) in [(10, 3), (60, 15), (80, 24), (120, 36), (200, 50)] {
            let drawn = buffer(model, &theme(ColorDepth::True, true), width, height);
            assert!(text(&drawn).is_ascii(), "{}", text(&drawn));
        }
    }
}

#[test]
fn no_colour_means_no_colour() {
    for model in [model(), answered(), with_dialog(Action::Weights), empty()] {
        let drawn = buffer(&model, &theme(ColorDepth::None, false), 120, 36);
        assert!(drawn.content().iter().all(|cell| cell.fg == Color::Reset && cell.bg == Color::Reset));
    }
    let drawn = buffer(&model(), &theme(ColorDepth::Sixteen, false), 120, 36);
    let beyond = |color: Color| matches!(color, Color::Rgb(..) | Color::Indexed(_));
    assert!(!drawn.content().iter().any(|cell| beyond(cell.fg) || beyond(cell.bg)));
}

#[test]
fn no_text_of_a_model_reaches_the_terminal_raw() {
    let mut model = racing();
    let ticket = model.conversation.tickets;
    let hostile = "\u{1b}[2J\u{1b}]0;owned\u{7}\r\n\u{202e}gnp.exe\u{9b}31m".to_owned();
    let arm = crate::domain::ids::ArmId::new("atlas-70b");
    update(&mut model, Event::Run(ticket, Box::new(RunEvent::AnswerText { arm, text: hostile.clone() })), step(2_300));
    update(&mut model, Event::Paste(hostile), step(2_300));
    let drawn = buffer(&model, &theme(ColorDepth::True, false), 100, 30);
    for cell in drawn.content() {
        assert!(cell.symbol().chars().all(|c| c != '\n' && crate::domain::text::is_showable(c)), "{:?}", cell.symbol());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn nothing_panics_at_any_size(width in 0u16..=200, height in 0u16..=60, ascii: bool) {
        let mut help = model();
        help.help = Some(3);
        let mut logs = model();
        logs.screen = Screen::Logs;
        let mut typing = answered();
        typing.typing = true;
        let screens = vec![
            model(), racing(), typing, empty(), help, logs,
            with_dialog(Action::Weights), with_dialog(Action::Prune), with_dialog(Action::Deactivate), with_dialog(Action::Undo),
        ];
        for model in &screens {
            buffer(model, &theme(ColorDepth::True, ascii), width, height);
        }
    }
}

#[test]
fn what_nobody_priced_is_not_free() {
    let mut picture = snapshot();
    for row in &mut picture.arms {
        (row.spec.price, row.cost_usd_per_run) = (None, Some(0.0));
    }
    (picture.totals.usd_today, picture.totals.usd_per_run) = (0.0, Some(0.0));
    picture.recent_runs.iter_mut().for_each(|run| run.cost_usd = 0.0);
    picture.totals.usd_total = 0.0;
    let mut model = model_of(picture);
    let shown = frame(&model, 120, 36);
    assert!(shown.contains("--/run") && shown.contains("today --"), "{shown}");
    assert!(!shown.contains("$0"), "{shown}");
    let left = crate::console::summary(&model, model.shown(), model.now);
    assert!(left.ends_with("20377 runs in all, dollars unknown: no arm has a price"), "{left}");
    model.dialog = with_dialog(Action::Decay).dialog;
    let Some(Forecasting::Known(known)) = model.dialog.as_mut().map(|dialog| &mut dialog.forecast) else { panic!() };
    (known.now.usd_per_run, known.then.usd_per_run) = (Some(0.0), Some(0.0));
    let shown = frame(&model, 120, 36);
    assert!(shown.lines().any(|line| line.contains("$/run  ") && line.matches(" --").count() == 2), "{shown}");
}

#[test]
fn an_own_run_shows_that_its_answer_was_judged_afterwards() {
    let mut model = answered();
    let mut picture = snapshot();
    assert!(!frame(&model, 160, 48).contains("judged afterwards"));
    let quality = crate::domain::ratio::Ratio::new(0.86);
    (picture.recent_runs[0].run, picture.recent_runs[0].afterwards) = (fixture::run_id(), quality);
    model.live = Arc::new(picture);
    assert!(frame(&model, 160, 48).contains("judged afterwards: quality .86"));
}

#[test]
fn extra_calls_of_the_selected_arm_are_told_and_so_is_a_second_answer_that_was_not_to_be() {
    use crate::domain::handling::{ExtraCount, Helper};
    let mut picture = snapshot();
    let extras = ExtraCount { left: 6.8, calls: 40, retries: 3, hedges: 1, denied: 2 };
    picture.arms[0].extras = Some(extras);
    let helpers = [(Helper::Judge, ExtraCount { denied: 0, ..extras }), (Helper::Embedding, extras)];
    picture.helpers = helpers.into();
    let mut model = model_of(picture);
    model.table.selected = Some(model.shown().arms[0].arm.clone());
    let shown = frame(&model, 200, 50);
    assert!(shown.contains("4 extra calls, 2 refused, 7 retries left"), "{shown}");
    assert!(shown.contains("embedding: 3 retries, 2 refused, 7 left") && !shown.contains("judge: 3"), "{shown}");
    let mut model = racing();
    let mut end = record();
    end.attempts[0].handling.unhedged = Some("retries and hedges have had their share of the traffic".into());
    let attempt = end.attempts[0].clone();
    let done = RunEvent::AttemptDone { attempt };
    let ticket = model.conversation.tickets;
    update(&mut model, Event::Run(ticket, Box::new(done)), step(2_600));
    assert!(frame(&model, 160, 48).contains("had no second answer beside it: retries"));
}

#[test]
fn a_run_that_somebody_stopped_has_not_failed() {
    let mut picture = snapshot();
    let run = &mut picture.recent_runs[0];
    (run.winner, run.failure) = (None, None);
    assert!(frame(&model_of(picture), 120, 36).contains("- cancelled"));
}

#[test]
fn previews_that_a_person_stopped_say_so() {
    let mut model = model();
    let (_, events) = (model.conversation.ask("x".to_owned(), model.now), race_events());
    model.screen = Screen::Race;
    let ticket = model.conversation.tickets;
    for event in events.into_iter().take(6) {
        update(&mut model, Event::Run(ticket, Box::new(event)), step(2_000));
    }
    let before = frame(&model, 120, 36);
    update(&mut model, Event::Key(crossterm::event::KeyCode::Esc.into()), step(2_100));
    let stopped = frame(&model, 120, 36);
    let lanes = |frame: &str| frame.lines().take(16).filter(|line| line.contains(" cancelled ")).count();
    assert!(lanes(&before) == 0 && lanes(&stopped) == 1 && !stopped.contains(" failed "), "{stopped}");
}

#[test]
fn a_dialog_in_little_room_keeps_its_columns_apart_and_its_way_out() {
    let shown = frame(&with_dialog(Action::Weights), 60, 15);
    let headings = shown.lines().find(|line| line.contains("now")).unwrap();
    assert!(headings.contains(" now then "), "{shown}");
    assert!(shown.contains("Esc leaves it"), "{shown}");
}

#[test]
fn the_question_before_paid_traffic_is_there_to_its_last_word() {
    let mut picture = snapshot();
    picture.arms[0].spec.provider = crate::domain::spec::Provider::Openai;
    let mut model = model_of(picture);
    for _ in 0..2 {
        update(&mut model, Event::Key(crossterm::event::KeyCode::Char('t').into()), step(10));
    }
    for (width, height) in [(120, 36), (60, 15)] {
        assert!(frame(&model, width, height).contains("cost money."), "{}", frame(&model, width, height));
    }
}
