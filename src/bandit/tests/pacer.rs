//! The ceiling of dollars: the account, what it closes, and that it is part of the fold.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::bandit::{Contexts, Desk, InFlight, LinUcb, Router as _, refold};
use crate::domain::command::AnswerOutcome;

const ARMS: [&str; 3] = ["cheap", "fair", "dear"];

fn paced(ceiling: Option<f64>) -> Log {
    let mut log = Log::new(config(1), Weights::default(), &ARMS);
    log.push(RouterCommand::SetBudget { dollars: ceiling });
    log
}

/// Requests whose arms cost and are worth what `outcome` says; all dollars together.
fn run(log: &mut Log, requests: usize, outcome: &mut dyn FnMut(usize) -> (f64, f64)) -> f64 {
    let mut rng = fastrand::Rng::with_seed(4);
    let mut spent = 0.0;
    for _ in 0..requests {
        let candidates = log.state.candidates();
        let chosen = LinUcb.select(&log.state, &[1.0], &candidates, 1, &mut || rng.f64());
        let arm = chosen.scores[0].arm.as_str().to_owned();
        let at = ARMS.iter().position(|name| *name == arm).unwrap();
        let (quality, dollars) = outcome(at);
        spent += dollars;
        let answer = Some(AnswerOutcome { dollars, fallback: 0.0 });
        log.observe(&[1.0], vec![ArmObservation { answer, served: true, ..complete(&arm, [quality; 8]) }]);
    }
    spent
}

/// Dollars of `requests` that are all decided before any is settled, each in the sight of those before it or not.
fn burst(log: &Log, requests: usize, sees: bool) -> f64 {
    let mut rng = fastrand::Rng::with_seed(5);
    let mut in_flight = InFlight::NONE;
    let mut desk = Desk::default();
    let mut spent = 0.0;
    for _ in 0..requests {
        let beside = if sees { in_flight } else { InFlight::NONE };
        let contexts = Contexts::same(&[1.0]).beside(beside);
        LinUcb.select_on(&mut desk, &log.state, contexts, &log.state.candidates(), 1, &mut || rng.f64());
        let arm = desk.selection.scores[0].arm.as_str();
        in_flight = in_flight.and(log.state.expected_run_dollars(arm, &[1.0]).unwrap());
        spent += COSTS[ARMS.iter().position(|name| *name == arm).unwrap()];
    }
    spent
}

/// The account only learns of a run when it ends; what is decided and not in it yet is held.
#[test]
fn a_burst_that_nobody_settles_keeps_the_ceiling() {
    for ceiling in [0.5, 1.5, 3.0] {
        let (mut blind, mut log): (f64, _) = (0.0, paced(Some(ceiling)));
        let mut before = run(&mut log, 300, &mut steady);
        for settled in 301..332 {
            before += run(&mut log, 1, &mut steady);
            let together = (before + burst(&log, 200, true)) / (ceiling * f64::from(settled + 200));
            assert!((0.9..=1.02).contains(&together), "{ceiling} after {settled}: {together}");
            blind = blind.max(burst(&log, 200, false) / (ceiling * 200.0));
        }
        assert!(blind > 1.5, "without holding, the ceiling {ceiling} would be broken: {blind}");
    }
}

/// An arm of which no dollars are known counts as one that costs what is allowed.
#[test]
fn an_arm_that_was_never_paid_for_holds_the_ceiling() {
    let log = paced(Some(2.0));
    assert_eq!(log.state.expected_run_dollars("cheap", &[1.0]), Some(2.0));
    assert_eq!(log.state.expected_run_dollars("nobody", &[1.0]), None);
    assert_eq!(paced(None).state.expected_run_dollars("cheap", &[1.0]), None);
}

const COSTS: [f64; 3] = [0.1, 1.0, 5.0];

fn steady(at: usize) -> (f64, f64) {
    ([0.3, 0.6, 0.9][at], COSTS[at])
}

#[test]
fn a_binding_ceiling_is_used_and_kept() {
    for ceiling in [0.5, 1.5, 3.0] {
        let spent = run(&mut paced(Some(ceiling)), 1_500, &mut steady) / 1_500.0 / ceiling;
        assert!((0.96..=1.005).contains(&spent), "{ceiling}: {spent}");
    }
}

#[test]
fn a_slack_ceiling_has_no_price() {
    let mut log = paced(Some(50.0));
    run(&mut log, 300, &mut steady);
    let account = log.state.account().unwrap();
    assert!(account.lambda.abs() < 1e-12 && account.utilisation().unwrap() < 0.2, "{account:?}");
    assert_eq!(paced(None).state.account(), None);
}

#[test]
fn below_the_cheapest_arm_only_the_cheapest_answers() {
    let mut log = paced(Some(0.05));
    run(&mut log, 30, &mut steady);
    let mut others = 0;
    run(&mut log, 300, &mut |at| {
        others += usize::from(at > 0);
        steady(at)
    });
    assert_eq!(others, 0);
}

#[test]
fn a_lower_ceiling_never_costs_more() {
    let spent = |ceiling: f64| run(&mut paced(Some(ceiling)), 800, &mut steady) / 800.0;
    let all: Vec<f64> = [0.2, 0.6, 1.0, 2.0, 4.0, 8.0].map(spent).to_vec();
    assert!(all.windows(2).all(|pair| pair[0] <= pair[1] + 0.02), "{all:?}");
}

#[test]
fn a_price_cut_is_noticed() {
    let mut log = paced(Some(2.0));
    run(&mut log, 600, &mut steady);
    let mut dear = 0;
    run(&mut log, 200, &mut |at| {
        dear += usize::from(at == 2);
        (steady(at).0, if at == 2 { 0.5 } else { COSTS[at] })
    });
    assert!(dear > 100, "{dear} of 200");
}

#[test]
fn a_ceiling_is_refused_in_words_undone_exactly_and_written_down() {
    let mut log = paced(None);
    assert!(log.state.prepare(RouterCommand::SetBudget { dollars: Some(0.0) }).is_err());
    assert!(log.state.prepare(RouterCommand::SetBudget { dollars: Some(f64::NAN) }).is_err());
    run(&mut log, 40, &mut steady);
    let command = RouterCommand::SetBudget { dollars: Some(0.5) };
    assert_eq!(log.state.before_after(&command), "no ceiling");
    log.push(command.clone());
    assert_eq!(log.state.before_after(&command), "$0.5/run");
    let target = log.state.sequence();
    log.observe(&[1.0], vec![complete("fair", [0.5; 8])]);
    log.push(RouterCommand::Spend {
        run: crate::domain::ids::TimeId::new(crate::domain::clock::Timestamp::from_millis(1), 1),
        dollars: 2.0,
        beside: false,
    });
    let before = log.state.account().unwrap();
    assert!(before.spent_usd >= 2.0);
    log.push(RouterCommand::Spend {
        run: crate::domain::ids::TimeId::new(crate::domain::clock::Timestamp::from_millis(2), 2),
        dollars: 1.0,
        beside: true,
    });
    let after = log.state.account().unwrap();
    assert_eq!(
        (after.requests, after.spent_usd),
        (before.requests, before.spent_usd + 1.0),
        "no request, so no allowance"
    );
    let snapshot = RouterState::from_snapshot(&log.state.to_snapshot(), log.state.config()).unwrap();
    assert_eq!((snapshot.digest(), snapshot.account()), (log.state.digest(), log.state.account()));
    let base =
        RouterState::new(log.state.config().clone(), Weights::default(), log.state.alpha(), log.state.explore_share());
    let undone = refold(&base, &log.entries, &BTreeSet::from([target]));
    assert_eq!(undone.account(), None);
}

/// A state may come from a file that somebody wrote: an account that cannot be gone on with is refused.
#[test]
fn an_account_that_does_not_fit_is_refused() {
    let mut log = paced(Some(1.0));
    run(&mut log, 300, &mut steady);
    let broken = |find: &str, put: &str| {
        let mut snapshot = log.state.to_snapshot();
        let router = &mut snapshot.parts.iter_mut().find(|(name, _)| name == "router").unwrap().1;
        let text = String::from_utf8(router.clone()).unwrap();
        let at = text.find(find).unwrap();
        let end = at + text[at..].find([',', '}']).unwrap();
        *router = format!("{}{put}{}", &text[..at], &text[end..]).into_bytes();
        RouterState::from_snapshot(&snapshot, log.state.config()).is_err()
    };
    assert!(!broken("\"next\":", "\"next\":3"));
    assert!(broken("\"next\":", "\"next\":999"));
    assert!(broken("\"ceiling\":", "\"ceiling\":0.0"));
    assert!(broken("\"ceiling\":", "\"ceiling\":-1.0"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever arms turn out to cost: debts come from answers that were dearer than expected, and from first
    /// tries, and are paid back; the account stays within a few of the dearest answers.
    #[test]
    fn the_account_is_bounded_under_any_costs(costs in prop::collection::vec(0.0..6.0_f64, 200), ceiling in 0.5..4.0_f64) {
        let mut log = paced(Some(ceiling));
        let mut at = 0;
        let mut spent = 0.0;
        for done in 1..=20 {
            spent += run(&mut log, 20, &mut |arm| {
                at += 1;
                (steady(arm).0, if arm == 0 { 0.1 } else { costs[at % costs.len()] })
            });
            let allowed = ceiling * f64::from(done * 20);
            prop_assert!(spent <= allowed + 20.0 * 6.0, "{spent} of {allowed}");
        }
        prop_assert!(spent <= 1.1 * ceiling * 400.0, "{spent} of {}", ceiling * 400.0);
    }
}
