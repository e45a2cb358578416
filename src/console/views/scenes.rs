//! What a run can meet, as it looks at 80x24 and at 120x36: each scene is a snapshot, and what must be readable in it
//! at both sizes is asserted in words, so that no sign rests on colour or falls off the edge.

use std::sync::Arc;

use super::super::fixture::{self, NOW, model_of, record, run_id, snapshot, step};
use super::super::message::Event;
use super::super::model::{Model, Screen};
use super::super::update::update;
use super::tests::{check, frame, racing};
use crate::domain::command::Durability;
use crate::domain::event::RunEvent;
use crate::domain::failure::{Failure, FailureClass};
use crate::domain::flag::Flag;
use crate::domain::handling::{ExtraCount, Handling, Retried};
use crate::domain::ids::ArmId;
use crate::domain::record::{
    AfterwardsRecord, AttemptRecord, CacheRecord, Gate, GateDecision, RunOutcome, RunRecord, SessionRecord,
};
use crate::domain::search::{SearchRecord, SearchResult};
use crate::domain::snapshot::{ArmLimits, EngineSnapshot};
use crate::domain::spec::{Mode, ShareLimits, Strategy};
use crate::domain::tally::Phase;
use std::time::Duration;

/// Draws `model` at both sizes; each word must be in both.
fn both(name: &str, model: &mut Model, words: &[&str]) {
    for (width, height) in [(80, 24), (120, 36)] {
        model.size = (width, height);
        let shown = frame(model, width, height);
        check(&format!("scene_{name}_{width}x{height}"), &shown);
        for word in words {
            assert!(shown.contains(word), "{word:?} is not in {name} at {width}x{height}:\n{shown}");
        }
    }
}

/// The Race screen after a run with that record.
fn ran(record: RunRecord) -> Model {
    let mut model = racing();
    end(&mut model, record);
    model
}

fn end(model: &mut Model, record: RunRecord) {
    let ticket = model.conversation.tickets;
    update(model, Event::Run(ticket, Box::new(RunEvent::Finished { record: Arc::new(record) })), step(2_700));
}

/// The same of a run without previews.
fn ran_directly(record: RunRecord) -> Model {
    let mut model = fixture::model();
    model.conversation.ask("merge two sorted lists in Rust without copying".to_owned(), model.now);
    model.screen = Screen::Race;
    end(&mut model, record);
    model
}

fn direct() -> RunRecord {
    RunRecord { strategy: Strategy::Direct, previews: Vec::new(), verdict: None, judging: None, ..record() }
}

fn arm(i: usize) -> ArmId {
    snapshot().arms[i].arm.clone()
}

fn retried(kind: &'static str, waited_s: f64) -> Retried {
    Retried { kind: kind.into(), waited_s }
}

fn attempt(of: usize) -> AttemptRecord {
    AttemptRecord { arm: arm(of), started_s: Some(0.0), ..record().attempts[0].clone() }
}

#[test]
fn an_arm_that_cools_down_and_one_that_is_out_say_why_and_until_when() {
    let mut picture = snapshot();
    let row = &mut picture.arms[5];
    row.state_reason = Some("9 transient failures in a row (503): the endpoint is overloaded".to_owned());
    let row = &mut picture.arms[3];
    row.state = crate::domain::spec::Lifecycle::Ejected;
    row.state_reason = Some("cooling (429): rate limit reached for requests per minute".to_owned());
    row.until = Some(NOW.plus(Duration::from_secs(17)));
    row.extras = Some(ExtraCount { left: 2.0, calls: 40, retries: 6, hedges: 1, denied: 3 });
    let mut model = model_of(picture);
    model.table.selected = Some(arm(5));
    both(
        "ejected",
        &mut model,
        &["ejected", "cooling", "ejected 40s", "orbit \u{b7} probe in 40 s \u{b7} 9 transient failures"],
    );
    model.table.selected = Some(arm(3));
    both("cooling", &mut model, &["cooling 17s", "back in 17 s", "cooling (429)"]);
}

#[test]
fn limits_of_shares_and_a_mode_that_ends_are_on_the_overview() {
    let mut picture = snapshot();
    let limits = |min, max, ramp_s, now, taken, runs| ArmLimits {
        set: ShareLimits { min, max, ramp_s },
        since: NOW.minus(Duration::from_mins(12)),
        now,
        taken: crate::domain::ratio::Ratio::new(taken),
        runs,
    };
    picture.arms[4].limits = Some(limits(0.02, 0.1, 1_800.0, (0.02, 0.052), 0.048, 340));
    picture.arms[0].limits = Some(limits(0.0, 0.35, 0.0, (0.0, 0.35), 0.41, 340));
    picture.mode = Mode {
        strategy: Some(Strategy::Direct),
        pinned: None,
        learning_paused: true,
        expires: Some(NOW.plus(Duration::from_mins(9))),
    };
    picture.strategy = Strategy::Direct;
    let mut model = model_of(picture);
    model.table.selected = Some(arm(4));
    let words = [
        "5 in 2-5",
        "41 not 0-35",
        "in 4.8% of 340 runs, limits 2.0% to 5.2%, 10% in 18 min",
        "MODE direct",
        "9 min left",
        "PAUSED",
    ];
    both("limits", &mut model, &words);
    let mut pinned = snapshot();
    pinned.mode = Mode { pinned: Some(arm(0)), ..Mode::default() };
    pinned.store.durability = Durability::Durable;
    both("pinned", &mut model_of(pinned), &["PINNED atlas-70b"]);
}

#[test]
fn retries_are_told_while_a_lane_waits_and_after_the_run() {
    let mut model = fixture::model();
    let (ticket, _) = model.conversation.ask("merge two sorted lists".to_owned(), model.now);
    model.screen = Screen::Race;
    let selected = fixture::race_events().remove(0);
    let again =
        RunEvent::Retrying { phase: Phase::Preview, name: arm(1).to_string(), nth: 1, retried: retried("503", 0.31) };
    for event in [selected, again] {
        update(&mut model, Event::Run(ticket, Box::new(event)), step(400));
    }
    both("retrying", &mut model, &["503, again after", "0.31 s"]);
    let mut record = record();
    let waits = || vec![retried("503", 0.31), retried("reset", 0.74)];
    record.previews[1].handling = Handling { retries: waits(), ..Handling::default() };
    record.attempts[0].handling.retries = vec![retried("429", 1.2)];
    both("retried", &mut ran(record), &["tried again:"]);
}

#[test]
fn of_two_answers_beside_each_other_both_ends_are_told() {
    let mut model = racing();
    let ticket = model.conversation.tickets;
    update(&mut model, Event::Run(ticket, Box::new(RunEvent::HedgeStarted { arm: arm(0), index: 1 })), step(2_400));
    both("hedge_running", &mut model, &["beside it atlas-70b"]);
    let lost = |of, started_s| AttemptRecord {
        ok: false,
        lost: true,
        estimated: true,
        started_s,
        tokens_in: 18,
        tokens_out: 41,
        cost_usd: Some(0.0004),
        ..attempt(of)
    };
    let hedge = |of| AttemptRecord { hedge: true, started_s: Some(0.62), ..attempt(of) };
    let hedge_lost = AttemptRecord { hedge: true, ..lost(0, Some(0.62)) };
    let record_of = |attempts| RunRecord { attempts, ..record() };
    both("hedge_lost", &mut ran(record_of(vec![attempt(2), hedge_lost])), &["atlas-70b lost beside", "wasted"]);
    let mut won = record_of(vec![lost(2, Some(0.0)), hedge(0)]);
    let reward = won.rewards.remove(&arm(2)).unwrap();
    won.rewards.insert(arm(0), reward);
    won.winner = Some(arm(0));
    both("hedge_won", &mut ran(won), &["atlas-70b won", "lumen-code lost beside"]);
}

#[test]
fn a_preview_from_the_cache_is_marked_and_says_what_follows() {
    let mut record = record();
    record.previews[2].cached = true;
    (record.previews[2].cost_usd, record.previews[2].latency_s) = (None, 0.0);
    record.rewards.clear();
    record.policies.cache = Some(CacheRecord { hits: 1, misses: 2 });
    let mut model = racing();
    let ticket = model.conversation.tickets;
    let done = RunEvent::PreviewDone { preview: record.previews[2].clone() };
    update(&mut model, Event::Run(ticket, Box::new(done)), step(2_600));
    end(&mut model, record);
    both("cached", &mut model, &["cached", "no reward"]);
}

#[test]
fn pages_that_the_answer_cites_stand_beside_it() {
    let page = |n: u32, title: &str| SearchResult {
        url: format!("https://docs.example.org/rust/iterators/{n}"),
        title: title.to_owned(),
        ..SearchResult::default()
    };
    let mut record = record();
    record.policies.search = Some(SearchRecord {
        query: "merge sorted iterators rust".to_owned(),
        results: vec![page(1, "Merging iterators"), page(2, "Peekable in std::iter"), page(3, "itertools::merge")],
        cited: vec![1, 3],
        seconds: 0.42,
        cost_usd: Some(0.005),
        ..SearchRecord::default()
    });
    record.timings_s.search = 0.42;
    both("search", &mut ran(record.clone()), &["3 found, 2 cited", "[1] ", "[3] "]);
    let failed = Failure::new(FailureClass::Transient, "timeout", "nothing came within 3 s");
    let search = SearchRecord {
        error: Some(failed),
        results: Vec::new(),
        cited: Vec::new(),
        ..record.policies.search.take().unwrap()
    };
    record.policies.search = Some(search);
    both("search_failed", &mut ran(record), &["web search failed"]);
}

#[test]
fn a_refused_budget_names_its_ceiling() {
    let words = "`budget.per_run_usd` allows $0.002 for one run, and $0.001800 is spent: this call may take $0.000900";
    let ceiling = Failure::new(FailureClass::Budget, "run_ceiling", words);
    let refused =
        AttemptRecord { ok: false, error: Some(ceiling.clone()), tokens_out: 0, cost_usd: Some(0.0), ..attempt(2) };
    let message = format!("no arm could answer\nlumen-code: {ceiling}; raise the ceiling, or ask a cheaper arm");
    let mut failed = RunRecord {
        attempts: vec![refused.clone()],
        winner: None,
        answer: None,
        outcome: RunOutcome::Failed { message },
        ..record()
    };
    failed.rewards.clear();
    both("budget_failed", &mut ran(failed), &["budget.per_run_usd"]);
    let cheaper = RunRecord { attempts: vec![refused, attempt(1)], winner: Some(arm(1)), fallbacks: 1, ..record() };
    both("budget_passed_over", &mut ran(cheaper), &["budget.per_run_usd"]);
    let mut model = fixture::model();
    let (ticket, _) = model.conversation.ask("merge two sorted lists".to_owned(), model.now);
    model.screen = Screen::Race;
    let day = "`budget.per_day_usd` allows $5 a day (UTC): $5.003100 is spent".to_owned();
    update(&mut model, Event::RunRefused(ticket, day), step(10));
    both("budget_day", &mut model, &["budget.per_day_usd"]);
}

#[test]
fn a_late_verdict_is_told_though_the_run_has_left_the_newest() {
    let verdict = record().verdict;
    let mut late = RunRecord { verdict, ..direct() };
    late.policies.afterwards = Some(AfterwardsRecord { share: 0.1, seconds: 0.41, taught: true });
    let mut model = ran_directly(direct());
    update(&mut model, Event::RunRead(run_id(), Ok(Some(Arc::new(late)))), step(9_000));
    both("late_verdict", &mut model, &["judged afterwards: quality .86"]);
}

#[test]
fn flags_of_previews_and_answers_are_words() {
    let mut record = record();
    record.previews[1].flags = vec![Flag::Refusal, Flag::WrongLanguage];
    record.attempts[0].flags = vec![Flag::Repetition, Flag::CutOff];
    let mut model = racing();
    let ticket = model.conversation.tickets;
    let done = RunEvent::PreviewDone { preview: record.previews[1].clone() };
    update(&mut model, Event::Run(ticket, Box::new(done)), step(2_600));
    end(&mut model, record.clone());
    both("flags", &mut model, &["lumen-code flagged:", "repetition, cut_off", "flagged refusal"]);
    let content = Failure::new(FailureClass::Content, "refusal", "the arm declined to answer");
    let refused = AttemptRecord { ok: false, error: Some(content), flags: vec![Flag::Refusal], ..attempt(2) };
    let fallback = RunRecord { attempts: vec![refused, attempt(1)], winner: Some(arm(1)), fallbacks: 1, ..record };
    both("flag_fallback", &mut ran(fallback), &["lumen-code: content"]);
}

#[test]
fn what_the_novelty_gate_decided_is_told_with_its_numbers() {
    let reason =
        "a new kind of prompt: 0.83 from the nearest recent one, 0.4 % were as far; its arms are drawn uniformly";
    let mut gate = Gate::new(GateDecision::Explore, reason.to_owned());
    let numbers = [("novelty_distance", 0.83), ("novelty_frequency", 0.004), ("novelty_seen", 512.0)];
    gate.numbers = numbers.map(|(name, value)| (name.to_owned(), value)).into();
    let mut model = ran(RunRecord { gate, ..record() });
    both("novelty", &mut model, &["explore: a new kind of"]);
    model.conversation.own.as_mut().unwrap().zoom = Some(0);
    both("zoomed", &mut model, &["novelty_distance 0.83", "drawn uniformly", "candidates", "z goes back"]);
}

#[test]
fn a_conversation_says_whether_it_kept_its_arm_and_by_what_margin() {
    let session = |kept, gain, behind| SessionRecord {
        id: "1f3a92bc00c0ffee".to_owned(),
        before: Some(arm(if kept { 2 } else { 0 })),
        kept,
        gain: Some(gain),
        behind,
        margin: Some(0.05),
    };
    let of = |session| {
        let mut record = record();
        record.policies.session = Some(session);
        record
    };
    both("session_kept", &mut ran(of(session(true, 0.012, Some(0.0)))), &["conversation 1f3a92 kept"]);
    both("session_left", &mut ran(of(session(false, 0.012, Some(0.08)))), &["conversation 1f3a92 left"]);
}

#[test]
fn the_history_and_an_open_run_of_it() {
    let mut model = fixture::model();
    model.size = (80, 24);
    let press =
        |model: &mut Model, key: char| update(model, Event::Key(crossterm::event::KeyCode::Char(key).into()), step(10));
    press(&mut model, '4');
    update(&mut model, Event::OlderRuns(Ok(Vec::new())), step(20));
    press(&mut model, 'j');
    both("history", &mut model, &["Runs \u{b7} 2 of 12", "o opens", "no older one is kept"]);
    press(&mut model, 'o');
    let run = model.runs.opening.unwrap();
    update(&mut model, Event::RunRead(run, Ok(Some(Arc::new(RunRecord { run_id: run, ..record() })))), step(30));
    both("history_open", &mut model, &["Run at", "esc goes back", "Answer: lumen-code", "Why"]);
    let none = model_of(EngineSnapshot { recent_runs: Vec::new(), ..snapshot() });
    let mut none = none;
    press(&mut none, '4');
    both("history_empty", &mut none, &["none yet"]);
}

#[test]
fn a_judge_that_is_out_has_its_remedy_beside_its_alarm_and_beside_its_line() {
    let mut overview = model_of(fixture::with_judge_out());
    both("judge_out", &mut overview, &["judge referee is out", "J judge"]);
    let verdict = record().verdict.map(|verdict| crate::domain::judging::Verdict {
        judge: "local".to_owned(),
        local_fallback: true,
        reason: Some("the judge is out for another 3600 s: configuration (http_401)".to_owned()),
        ..verdict
    });
    let mut model = ran(record());
    if let Some(own) = &mut model.conversation.own {
        own.verdict = verdict;
    }
    model.live = Arc::new(fixture::with_judge_out());
    // Where there is less room the order and the reward come first, and `z` shows it.
    let shown = frame(&model, 120, 36);
    check("scene_judged_locally_120x36", &shown);
    assert!(shown.contains("judged locally (J asks it again)"), "{shown}");
}

#[test]
fn runs_that_a_ceiling_stopped_say_which_one_however_narrow_the_list() {
    let (name, shown) = ("`budget.per_day_usd`", snapshot());
    let mut recent_runs = shown.recent_runs.clone();
    for run in recent_runs.iter_mut().take(2) {
        (run.winner, run.reward) = (None, None);
        run.failure = Some(format!("{name}: no arm could answer\nmini: budget (day_ceiling): …"));
    }
    let model = model_of(EngineSnapshot { recent_runs, ..shown });
    for width in [120, 200] {
        let overview = frame(&model, width, 36);
        assert_eq!(overview.matches(&format!("{name}: no arm")).count(), 2, "{overview}");
    }
    check("scene_day_ceiling_120x36", &frame(&model, 120, 36));
}
