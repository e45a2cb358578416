//! Budgets on hand-made runs.

use std::time::Duration;

use super::*;
use crate::domain::flag::Flag;
use crate::domain::record::JudgingRecord;
use crate::telemetry::tests::record;

fn spec(indicator: Indicator, limit: f64) -> SloSpec {
    SloSpec { name: "it".into(), indicator, limit, window: Duration::from_hours(1), alarm_burn: 2.0 }
}

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// An hour of runs, one every ten seconds, of which every `nth` is bad.
fn hour(slos: &mut Slos, nth: u64, bad: impl Fn(&mut RunRecord)) {
    for n in 0..360 {
        let mut run = record(n);
        if n % nth == 0 {
            bad(&mut run);
        }
        slos.absorb(&run, at(n * 10), Duration::ZERO);
    }
}

#[test]
fn the_budget_just_used_up_burns_at_one() {
    let mut slos = Slos::new(vec![spec(Indicator::FirstTryRate, 0.9), spec(Indicator::FallbackRate, 0.2)]);
    hour(&mut slos, 10, |run| run.fallbacks = 1);
    let now = slos.objectives(at(3_599));
    let near = |found: Option<f64>, wanted: f64| assert!((found.unwrap() - wanted).abs() < 1e-9, "{found:?} {wanted}");
    near(now[0].burn[0], 1.0);
    near(now[0].budget_left, 0.0);
    near(now[0].found, 0.9);
    near(now[1].burn[0], 0.5);
    near(now[1].found, 0.1);
    assert!(!now[0].is_burning && slos.conditions(at(3_599)).is_empty());
}

#[test]
fn an_alarm_needs_both_windows_and_names_a_remedy() {
    let mut slos = Slos::new(vec![spec(Indicator::Percentile(95), 5.0)]);
    hour(&mut slos, 4, |run| run.timings_s.total = 9.0);
    let burning = slos.conditions(at(3_599));
    assert_eq!(burning.len(), 1);
    assert_eq!((burning[0].subject.as_str(), burning[0].remedy), ("slo:it", Some("deactivate")));
    assert!(burning[0].message.contains("p95 <= 5 s") && burning[0].message.contains("75% within"), "{burning:?}");
    // Twenty good minutes later the long window still burns, the short one does not.
    for n in 360..480 {
        slos.absorb(&record(n), at(n * 10), Duration::ZERO);
    }
    let now = &slos.objectives(at(4_799))[0];
    assert!(now.burn[0].unwrap() > 2.0 && now.burn[1] == Some(0.0) && !now.is_burning, "{now:?}");
}

#[test]
fn no_runs_are_no_data_and_few_are_no_alarm() {
    let mut slos = Slos::new(vec![spec(Indicator::FirstTryRate, 0.9)]);
    let now = &slos.objectives(at(5))[0];
    assert_eq!((now.found, now.burn, now.budget_left), (None, [None, None], None));
    for n in 0..5 {
        let mut run = record(n);
        run.fallbacks = 2;
        slos.absorb(&run, at(n), Duration::ZERO);
    }
    let now = &slos.objectives(at(5))[0];
    assert!(now.burn[0].unwrap() > 9.0 && !now.is_burning);
    // Hours later nothing of it is left.
    assert_eq!(slos.objectives(at(20_000))[0].found, None);
}

#[test]
fn dollars_are_by_resolved_run_and_tokens_by_phase() {
    let usd = spec(Indicator::UsdPerResolvedRun, 0.5);
    let tokens = spec(Indicator::TokensPerRun(Phase::Preview), 100.0);
    let mut slos = Slos::new(vec![usd, tokens]);
    let mut failed = record(1);
    failed.outcome = RunOutcome::Failed { message: String::new() };
    failed.cost_usd = 0.75;
    let mut served = record(2);
    served.cost_usd = 0.25;
    slos.absorb(&failed, at(1), Duration::ZERO);
    slos.absorb(&served, at(2), Duration::ZERO);
    let now = slos.objectives(at(3));
    assert_eq!(now[0].found, Some(1.0));
    assert_eq!(now[0].burn[0], Some(2.0));
    // The record has two previews of 10 tokens for a prompt of 8.
    assert_eq!(now[1].found, Some(36.0));
}

#[test]
fn a_late_verdict_is_paid_by_its_run() {
    let indicators = [Indicator::UsdPerResolvedRun, Indicator::TokensPerRun(Phase::Judge)];
    let mut slos = Slos::new(indicators.map(|indicator| spec(indicator, 0.5)).to_vec());
    let mut run = record(1);
    (run.cost_usd, run.judging) = (0.25, None);
    slos.absorb(&run, at(1), Duration::ZERO);
    let judging =
        JudgingRecord { calls: 1, tokens_in: 30, tokens_out: 10, cost_usd: 0.125, ..JudgingRecord::default() };
    run.judging = Some(judging);
    slos.judged(&run, at(3), Duration::from_secs(2));
    let now = slos.objectives(at(4));
    assert_eq!((now[0].found, now[1].found), (Some(0.375), Some(40.0)));
}

#[test]
fn dollars_are_divided_by_what_was_resolved_as_the_metric_has_it() {
    let mut slos = Slos::new(vec![spec(Indicator::UsdPerResolvedRun, 0.5)]);
    let run = |n, flags: Vec<Flag>| {
        let mut run = record(n);
        run.cost_usd = 0.5;
        run.attempts[0].flags = flags;
        run
    };
    slos.absorb(&run(1, vec![]), at(1), Duration::ZERO);
    slos.absorb(&run(2, vec![]), at(2), Duration::ZERO);
    slos.absorb(&run(3, vec![Flag::CutOff]), at(3), Duration::ZERO);
    let found = |slos: &Slos| slos.objectives(at(200))[0].found;
    assert_eq!(found(&slos), Some(0.75), "a flagged answer resolves nothing");
    let rated = |rating| RunRecord { rating: Some(rating), ..run(1, vec![]) };
    let ago = Duration::from_secs(199);
    slos.rated(&rated(0.0), None, at(200), ago);
    assert_eq!(found(&slos), Some(1.5), "nor does one that a person calls bad");
    slos.rated(&rated(0.1), Some(0.0), at(200), ago);
    slos.rated(&rated(1.0), Some(0.1), at(200), ago);
    slos.rated(&RunRecord { rating: Some(0.0), ..run(3, vec![Flag::CutOff]) }, None, at(200), ago);
    assert_eq!(found(&slos), Some(0.75));
}

#[test]
fn runs_of_the_process_before_count_by_their_age() {
    let mut slos = Slos::new(vec![spec(Indicator::FirstTryRate, 0.5)]);
    for (n, ago) in [(1, 7_200), (2, 3_000), (3, 60)] {
        let mut run = record(n);
        run.fallbacks = u32::from(n == 2);
        slos.absorb(&run, at(1), Duration::from_secs(ago));
    }
    assert_eq!(slos.objectives(at(1))[0].found, Some(0.5), "the oldest is out of the window");
    assert_eq!(slos.objectives(at(1_000))[0].found, Some(1.0));
    slos.absorb(&record(4), at(1_000), Duration::from_hours(100 * 24));
}
