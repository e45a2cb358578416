//! Properties of purses and of the day's account; what they do to a run is in `race/tests/budget.rs`.

use std::sync::Arc;

use super::*;
use crate::domain::clock::Timestamp;
use proptest::prelude::*;

const PRICE: Price = Price { input: 1.0, output: 10.0, cached: None };

fn used(input_tokens: u32, output_tokens: u32) -> Usage {
    Usage { input_tokens, output_tokens, estimated: true, ..Usage::default() }
}

fn kind(result: Result<Meter<'_>, Failure>) -> String {
    result.err().map_or_else(|| "open".to_owned(), |failure| failure.kind.into_owned())
}

#[test]
fn a_call_is_refused_where_its_prompt_alone_is_too_much_at_its_own_price() {
    let purse = Purse::new(BudgetRules { run_usd: Some(0.001), ..BudgetRules::default() }, None);
    let dear = Price { input: 100.0, output: 100.0, cached: None };
    assert_eq!(kind(purse.open(Phase::Answer, Some(dear), 100)), "run_ceiling");
    assert_eq!(kind(purse.open(Phase::Answer, Some(PRICE), 100)), "open", "a cheaper arm may still be asked");
    assert_eq!(kind(purse.open(Phase::Answer, None, 1_000_000)), "open", "what has no price has no ceiling");
}

#[test]
fn what_is_over_a_ceiling_stops_everything_under_it() {
    let rules = BudgetRules { tokens: [Some(50), None, None], run_usd: Some(0.002), ..BudgetRules::default() };
    let purse = Purse::new(rules, None);
    let mut first = purse.open(Phase::Preview, Some(PRICE), 10).unwrap();
    let mut second = purse.open(Phase::Preview, Some(PRICE), 10).unwrap();
    assert_eq!(first.note(&used(10, 20)), None);
    assert_eq!(second.note(&used(10, 30)).unwrap().kind, "phase_tokens");
    assert!(purse.is_over(Phase::Preview) && !purse.is_over(Phase::Answer));
    let mut answer = purse.open(Phase::Answer, Some(PRICE), 10).unwrap();
    let failure = answer.note(&used(10, 200)).unwrap();
    assert_eq!((failure.class, failure.kind.as_ref()), (FailureClass::Budget, "run_ceiling"));
    assert!(failure.message.contains("budget.per_run_usd") && failure.message.contains("0.002"), "{failure}");
    assert_eq!(kind(purse.open(Phase::Judge, None, 1)), "run_ceiling");
}

#[test]
fn what_an_endpoint_counts_replaces_what_was_estimated() {
    let purse = Purse::new(BudgetRules { run_usd: Some(1.0), ..BudgetRules::default() }, None);
    let mut meter = purse.open(Phase::Answer, Some(PRICE), 100).unwrap();
    meter.note(&used(100, 50));
    meter.settle(&used(80, 60));
    let books = purse.books();
    assert!((books.usd - PRICE.cost(&used(80, 60))).abs() < 1e-15);
    assert_eq!(books.tokens, [0, 0, 140]);
}

fn day(n: u64) -> Timestamp {
    Timestamp::from_millis(n * 86_400_000 + 5)
}

#[test]
fn runs_at_once_do_not_count_on_the_same_dollar() {
    let account = Arc::new(DayAccount::new(1.0));
    let first = account.reserve(day(3), 0.6).unwrap();
    let full = account.reserve(day(3), 0.6).unwrap_err();
    assert!(full.to_string().contains("budget.per_day_usd") && full.to_string().contains("reserved"), "{full}");
    first.charge(0.1);
    assert_eq!(account.state(day(3)), (0.1, 0.5));
    drop(first);
    assert_eq!(account.state(day(3)), (0.1, 0.0), "what was not spent is free again");
    assert!(account.reserve(day(3), 0.6).is_ok());
}

#[test]
fn a_day_ends_at_midnight_utc_and_a_run_belongs_to_the_day_it_began_on() {
    let account = Arc::new(DayAccount::new(1.0));
    account.restore(day(3), 0.9);
    let late = account.reserve(day(3), 0.05).unwrap();
    assert!(account.reserve(day(3), 0.2).is_err());
    let next = account.reserve(day(4), 0.2).unwrap();
    late.charge(5.0);
    assert!(!next.over().is_cancelled(), "its spending is none of this day's");
    assert_eq!(account.state(day(4)), (0.0, 0.2));
    drop((late, next));
    assert_eq!(account.state(day(4)), (0.0, 0.0));
}

#[test]
fn a_full_day_stops_the_runs_that_are_under_way() {
    let account = Arc::new(DayAccount::new(1.0));
    let rules = BudgetRules { day_usd: Some(1.0), ..BudgetRules::default() };
    let purses = [(); 2].map(|()| Purse::new(rules, Some(account.reserve(day(1), 0.1).unwrap())));
    let price = Some(Price { input: 0.0, output: 1e6, cached: None });
    let mut spender = purses[0].open(Phase::Answer, price, 0).unwrap_err();
    assert_eq!(spender.kind, "day_ceiling", "one token is a dollar, and a tenth of one is reserved by another");
    let cheap = Some(Price { input: 0.0, output: 1e4, cached: None });
    let mut meter = purses[0].open(Phase::Answer, cheap, 0).unwrap();
    spender = meter.note(&used(0, 101)).unwrap();
    assert_eq!(spender.kind, "day_ceiling");
    assert!(purses[1].is_over(Phase::Judge), "the other run too");
    assert_eq!(kind(purses[1].open(Phase::Judge, None, 1)), "day_ceiling");
    assert!(account.reserve(day(1), 0.0).is_err());
}

proptest! {
    /// Whatever calls do at once, no ceiling is exceeded by more than the chunk that exceeded it.
    #[test]
    fn a_ceiling_is_exceeded_by_one_chunk_at_most(
        run_usd in 0.0001..0.01f64, most in 10u64..2_000,
        chunks in prop::collection::vec((0usize..4, 1u32..60), 1..200),
    ) {
        let rules = BudgetRules { tokens: [None, None, Some(most)], run_usd: Some(run_usd), day_usd: None };
        let purse = Purse::new(rules, None);
        let mut calls: Vec<Option<(Meter<'_>, Usage)>> =
            (0..4).map(|_| purse.open(Phase::Answer, Some(PRICE), 3).ok().map(|meter| (meter, used(3, 0)))).collect();
        let mut largest = 0;
        for (call, chunk) in chunks {
            if purse.is_over(Phase::Answer) {
                break;
            }
            let Some((meter, usage)) = calls[call].as_mut() else { continue };
            largest = largest.max(chunk);
            usage.output_tokens += chunk;
            let stops = meter.note(usage).is_some();
            prop_assert_eq!(stops, purse.is_over(Phase::Answer));
        }
        let books = purse.books();
        prop_assert!(books.usd <= run_usd + PRICE.cost(&used(0, largest)) + 1e-12);
        prop_assert!(books.tokens[2] <= most + u64::from(largest));
    }

    /// Spending and reserving never lose count: at the end nothing is reserved, and what was spent is there.
    #[test]
    fn the_account_of_a_day_adds_up(runs in prop::collection::vec((0.0..0.3f64, 0.0..0.3f64), 0..40)) {
        let account = Arc::new(DayAccount::new(2.0));
        let mut held = Vec::new();
        let mut spent = 0.0;
        for (expected, costs) in runs {
            let Ok(reservation) = account.reserve(day(1), expected) else { continue };
            reservation.charge(costs);
            spent += costs;
            held.push(reservation);
            let (now, reserved) = account.state(day(1));
            prop_assert!(reserved >= 0.0 && (now - spent).abs() < 1e-9);
        }
        drop(held);
        let (now, reserved) = account.state(day(1));
        prop_assert!((now - spent).abs() < 1e-9 && reserved.abs() < 1e-9);
    }
}
