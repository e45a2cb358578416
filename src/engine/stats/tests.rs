//! What the figures mean, on hand-made runs.

use super::*;
use crate::domain::failure::{Failure, FailureClass};
use crate::domain::flag::Flag;
use crate::domain::handling::Handling;
use crate::domain::judging::{Scores, Verdict};
use crate::domain::record::{ArmScore, AttemptRecord, JudgingRecord, OrderRecord, PreviewRecord};
use crate::domain::search::SearchRecord;
use crate::domain::tally::Outcome;
use crate::engine::testing::record;

fn arms(names: &[&str]) -> Vec<ArmId> {
    names.iter().map(|name| ArmId::from(*name)).collect()
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(1_795_305_600_000 + seconds * 1_000)
}

fn served(n: u64, arm: &str) -> RunRecord {
    record(at(n), n).served_by(arm).build()
}

#[test]
fn nothing_is_no_data_and_not_zero() {
    let mut stats = LiveStats::default();
    let totals = stats.totals(at(0));
    assert_eq!((totals.runs_per_s, totals.first_try, totals.p95_s, totals.usd_per_run), (None, None, None, None));
    assert_eq!(stats.arm(&"a".into()), ArmFigures::default());
    let series = stats.series(&arms(&["a"]), at(0));
    assert!(series.arms[0].share.iter().all(Option::is_none));
    assert_eq!(series.runs, vec![0; series::STEPS]);
}

#[test]
fn shares_follow_what_was_served() {
    let mut stats = LiveStats::default();
    for n in 0..200 {
        stats.absorb(&served(n, "a"));
    }
    for n in 200..400 {
        stats.absorb(&served(n, if n % 4 == 0 { "a" } else { "b" }));
    }
    // The window holds the last 301 seconds: 101 of the first kind, and the 200 of the second.
    let a = stats.arm(&"a".into());
    assert_eq!(a.share, Ratio::of(151, 301));
    assert!((a.share_delta.unwrap() - (151.0 / 301.0 - 1.0)).abs() < 1e-12);
    assert_eq!(stats.arm(&"b".into()).served_by_intent.iter().sum::<u64>(), 150);
    let totals = stats.totals(at(400));
    assert_eq!((totals.runs, totals.served, totals.window_runs), (400, 400, 301));
    assert!((totals.runs_per_s.unwrap() - 1.0).abs() < 0.11, "{:?}", totals.runs_per_s);
}

#[test]
fn places_are_of_judged_races_and_all_that_are_close_are_among_the_best() {
    let race = |n: u64, scores: &[(&str, f64)], counts: bool| {
        let of = |(arm, overall): &(&str, f64)| {
            let scores =
                Scores { relevance: 0.5, coverage: 0.5, faithfulness: 0.5, hallucination_risk: 0.5, overall: *overall };
            (ArmId::from(*arm), scores)
        };
        let mut run = served(n, "a");
        let scores = scores.iter().map(of).collect();
        run.verdict = Some(Verdict { judge: "j".into(), local_fallback: !counts, scores, reason: None });
        run.ordering = Some(OrderRecord { tie_margin: 0.1, counts, worth: vec![], decided: vec![] });
        run.previews = ["a", "b", "c", "d"].map(preview).into();
        run.previews[3].error = Some(Failure::new(FailureClass::Content, "empty", ""));
        run
    };
    let mut stats = LiveStats::default();
    stats.absorb(&race(1, &[("a", 0.9), ("b", 0.85), ("c", 0.3)], true));
    stats.absorb(&race(2, &[("a", 0.5), ("b", 0.9), ("c", 0.5)], true));
    stats.absorb(&race(2, &[("a", 0.5), ("b", 0.9), ("c", 0.5)], true));
    stats.absorb(&race(3, &[("a", 0.9), ("b", 0.85)], false));
    let of = |stats: &LiveStats, arm: &str| stats.places(&arm.into());
    let places = |races, first_three, among_best| Places { races, first_three, among_best };
    for stats in [&stats, &LiveStats::restore(&stats.save()).unwrap()] {
        assert_eq!(of(stats, "a"), places(2, [1, 1, 0], 1));
        assert_eq!(of(stats, "b"), places(2, [1, 1, 0], 2));
        assert_eq!(of(stats, "c"), places(2, [0, 1, 1], 0), "the third, and one that shared the second place");
        assert_eq!(of(stats, "d"), places(2, [0, 0, 0], 0), "what failed for its content came in last");
        assert_eq!(of(stats, "e"), Places::default());
    }
    let mut again = race(4, &[("a", 0.9), ("b", 0.85)], true);
    again.previews[0].cached = true;
    stats.absorb(&again);
    assert_eq!(of(&stats, "a"), places(2, [1, 1, 0], 1), "a cached preview was judged when it was made");
    assert_eq!(of(&stats, "b"), places(3, [1, 2, 0], 3));
}

fn preview(arm: &str) -> PreviewRecord {
    PreviewRecord {
        arm: arm.into(),
        latency_s: 0.1,
        ttft_s: None,
        tokens: 1,
        tokens_in: 1,
        estimated: false,
        cost_usd: None,
        cached: false,
        flags: Vec::new(),
        text: String::new(),
        error: None,
        handling: Handling::default(),
    }
}

#[test]
fn an_arm_takes_part_where_it_was_chosen_and_not_where_it_stepped_in() {
    let chose = |n: u64, chosen: &[&str], winner: &str| {
        let mut run = served(n, winner);
        let score = |arm: &&str| ArmScore {
            arm: ArmId::from(*arm),
            mean: 0.5,
            uncertainty: 0.1,
            score: 0.5,
            propensity: 0.5,
            selected: chosen.contains(arm),
        };
        run.arms = ["a", "b", "c"].iter().map(score).collect();
        run
    };
    let mut stats = LiveStats::default();
    stats.absorb(&chose(1, &["b"], "b"));
    stats.absorb(&chose(10, &["a"], "b"));
    stats.absorb(&chose(11, &["a", "b"], "a"));
    stats.absorb(&chose(12, &["c"], "c"));
    let of = |stats: &LiveStats, arm: &str| stats.chosen_since(&arm.into(), at(5));
    for stats in [&stats, &LiveStats::restore(&stats.save()).unwrap()] {
        assert_eq!([of(stats, "a"), of(stats, "b"), of(stats, "d")], [(3, 2), (3, 1), (3, 0)]);
    }
    let mut slow = chose(20, &["b"], "b");
    (slow.at, slow.timings_s.total) = (at(4), 30.0);
    stats.absorb(&slow);
    assert_eq!(of(&stats, "b"), (3, 1), "it began before the limit was set");
    // As earlier versions stored it: who previewed or answered counts as chosen.
    let older = r#"[9000,"s",1,0,false,0,10,7,[[0,true,null],[1,false,800000],[2,false,5]]]"#;
    let older: Entry = serde_json::from_str(older).unwrap();
    assert_eq!([0, 1, 2].map(|arm| older.chose(arm)), [true, true, false]);
    assert_eq!([0, 1, 2].map(|part| older.parts[part].previewed), [true, false, false]);
}

#[test]
fn a_run_counts_once() {
    let mut stats = LiveStats::default();
    stats.absorb(&served(1, "a"));
    stats.absorb(&served(1, "a"));
    assert_eq!(stats.totals(at(2)).runs, 1);
}

#[test]
fn failed_and_cancelled_runs_are_told_apart() {
    let mut stats = LiveStats::default();
    stats.absorb(&record(at(1), 1).failed("all arms failed").build());
    stats.absorb(&record(at(2), 2).cancelled().build());
    stats.absorb(&record(at(3), 3).served_by("b").fallbacks(1).build());
    let totals = stats.totals(at(4));
    assert_eq!((totals.failed, totals.cancelled, totals.served, totals.window_runs), (1, 1, 1, 2));
    assert_eq!((totals.first_try, totals.fallback_rate), (Ratio::of(0, 2), Ratio::of(1, 2)));
}

#[test]
fn a_restart_shows_the_same() {
    let mut stats = LiveStats::default();
    for n in 0..700 {
        stats.absorb(&record(at(n), n).served_by(if n % 3 == 0 { "a" } else { "b" }).reward("c", 0.3).build());
    }
    let mut again = LiveStats::restore(&stats.save()).unwrap();
    let pool = arms(&["a", "b", "c"]);
    for arm in &pool {
        assert_eq!(again.arm(arm), stats.arm(arm));
    }
    assert_eq!(again.totals(at(701)), stats.totals(at(701)));
    assert_eq!(again.series(&pool, at(701)), stats.series(&pool, at(701)));
    again.absorb(&record(at(699), 699).served_by("a").build());
    assert_eq!(again.totals(at(701)).runs, 700);
    assert!(LiveStats::restore(b"{}").is_none());
}

#[test]
fn charts_have_gaps_and_move_on_by_themselves() {
    let mut stats = LiveStats::default();
    stats.absorb(&served(2, "a"));
    stats.absorb(&served(31, "b"));
    let pool = arms(&["a", "b"]);
    let series = stats.series(&pool, at(41));
    let tail: Vec<Option<f64>> = series.arms[0].share.iter().rev().take(9).map(|s| s.map(Ratio::get)).collect();
    assert_eq!(tail, [None, None, Some(0.0), None, None, None, None, None, Some(1.0)]);
    assert_eq!(series.runs.iter().sum::<u32>(), 2);
    assert_eq!(series.end, at(45));
    assert!(Arc::ptr_eq(&series, &stats.series(&pool, at(44))));
    assert!(!stats.moves_by_itself(at(44)));
    assert!(stats.moves_by_itself(at(46)));
    // Hours later all is gap, and nothing needs drawing.
    let later = at(10_000);
    assert!(stats.series(&pool, later).arms[0].share.iter().all(Option::is_none));
    assert!(!stats.moves_by_itself(at(10_010)));
}

#[test]
fn dollars_are_by_day() {
    let mut stats = LiveStats::default();
    stats.absorb(&record(at(0), 1).served_by("a").cost(0.25).build());
    stats.absorb(&record(at(86_400), 2).served_by("a").cost(0.5).build());
    let totals = stats.totals(at(86_401));
    assert!((totals.usd_today - 0.5).abs() < 1e-12 && (totals.usd_total - 0.75).abs() < 1e-12);
    assert!(stats.totals(at(2 * 86_400)).usd_today.abs() < 1e-12);
}

#[test]
fn marks_are_bounded_and_leave_with_their_step() {
    let mut stats = LiveStats::default();
    for n in 0..100 {
        stats.mark(Mark { at: at(n), label: "decay".into(), by_person: true });
    }
    assert_eq!(stats.series(&[], at(100)).marks.len(), 64);
    assert_eq!(stats.series(&[], at(5_000)).marks.len(), 0);
}

#[test]
fn what_only_grows_agrees_with_the_totals_and_survives_a_restart() {
    let mut stats = LiveStats::default();
    stats.absorb(&record(at(1), 1).served_by("a").cost(0.25).build());
    stats.absorb(&record(at(2), 2).served_by("b").fallbacks(2).build());
    stats.absorb(&record(at(3), 3).failed("all arms failed").build());
    stats.absorb(&record(at(3), 3).failed("all arms failed").build());
    stats.absorb(&record(at(4), 4).cancelled().build());
    stats.ejected(&"a".into());
    stats.wrote(true, Duration::from_millis(2));
    let (totals, tally) = (stats.totals(at(5)), stats.tally());
    let by_outcome = |end| tally.runs.iter().filter(|(_, outcome, _)| *outcome == end).map(|(_, _, n)| n).sum::<u64>();
    assert_eq!((by_outcome(Outcome::Served), by_outcome(Outcome::Failed)), (totals.served, totals.failed));
    assert_eq!(by_outcome(Outcome::Cancelled), totals.cancelled);
    assert_eq!((tally.first_try, tally.fallbacks, tally.end_to_end.count()), (1, 2, 3));
    assert_eq!((tally.arms[&ArmId::from("a")].ejections, tally.writes[1].count()), (1, 1));
    assert_eq!(tally.arms[&ArmId::from("b")].reward.count(), 1);
    assert_eq!(tally.arms[&ArmId::from("b")].served_reward.count(), 1);
    let mut judged = LiveStats::default();
    judged.absorb(&record(at(1), 1).served_by("a").reward("b", 0.3).build());
    let of = |arm: &str| judged.tally().arms[&ArmId::from(arm)].served_reward.count();
    assert_eq!((of("a"), of("b")), (1, 0), "a preview that lost was rewarded and not served");
    let again = LiveStats::restore(&stats.save()).unwrap().tally();
    assert_eq!((&again.runs, &again.arms, again.writes[1].count()), (&tally.runs, &tally.arms, 0));
}

/// The clock goes a day forward for one run, and back.
#[test]
fn a_clock_that_was_set_back_takes_the_past_with_it() {
    let mut stats = LiveStats::default();
    let end = |second: u64, run: u64| record(at(second), run).served_by("a").cost(0.25).build();
    for n in 0..5 {
        stats.absorb(&end(100 + n, n));
    }
    stats.absorb(&end(86_400 + 105, 5));
    for n in 6..26 {
        stats.absorb(&end(100 + n, n));
    }
    let totals = stats.totals(at(125));
    assert_eq!(totals.runs_per_s, Some(1.0), "and not all of them in the last seconds");
    let shown = stats.series(&["a".into()], at(125));
    assert!(shown.runs.iter().sum::<u32>() >= 20, "charts go on");
    // The ceiling of a day does not turn a page back either.
    assert!((totals.usd_today - 0.25).abs() < 1e-12, "{}", totals.usd_today);
}

#[test]
fn a_bad_rating_takes_a_run_out_of_those_that_are_resolved() {
    let mut stats = LiveStats::default();
    let first = record(at(1), 1).served_by("a").cost(0.5).build();
    stats.absorb(&first);
    stats.absorb(&record(at(2), 2).served_by("a").cost(0.5).build());
    let resolved = |stats: &LiveStats| (stats.totals(at(3)).resolved, stats.totals(at(3)).usd_per_resolved_run);
    let rated = |rating| RunRecord { rating, ..first.clone() };
    assert_eq!(resolved(&stats), (2, Some(0.5)));
    stats.amended(&rated(None), Some(0.0));
    assert_eq!(resolved(&stats), (1, Some(1.0)));
    stats.amended(&rated(Some(0.0)), Some(0.2));
    assert_eq!(resolved(&stats).0, 1);
    stats.amended(&rated(Some(0.2)), Some(1.0));
    assert_eq!(resolved(&stats), (2, Some(0.5)));
    stats.amended(&rated(Some(1.0)), Some(0.2));
    stats.amended(&rated(Some(0.2)), None);
    assert_eq!((resolved(&stats), stats.tally().ratings), ((2, Some(0.5)), [0, 0]), "nobody rated");
    stats.rated(0.2);
    assert_eq!(stats.tally().ratings, [0, 1]);
}

#[test]
fn searches_are_counted_by_who_was_asked() {
    let mut stats = LiveStats::default();
    let search = SearchRecord {
        provider: "searxng".to_owned(),
        before_previews: false,
        query: "the latest".to_owned(),
        results: Vec::new(),
        cited: Vec::new(),
        seconds: 0.3,
        cost_usd: Some(0.005),
        error: None,
    };
    let failed = SearchRecord {
        error: Some(Failure::new(FailureClass::Transient, "http_503", "")),
        cost_usd: Some(0.0),
        ..search.clone()
    };
    for (n, search) in [(1, Some(search)), (2, Some(failed)), (3, None)] {
        let mut run = record(at(n), n).served_by("a").build();
        run.policies.search = search;
        stats.absorb(&run);
    }
    let tally = stats.tally();
    let calls = &tally.searches["searxng"];
    assert_eq!((calls.made, calls.failed[&FailureClass::Transient], calls.seconds.count()), (2, 1, 1));
    assert_eq!((calls.cost_nano, tally.searches.len()), (5_000_000, 1));
}

#[test]
fn a_judge_that_gave_no_verdict_is_counted_under_its_own_name() {
    let mut stats = LiveStats::default();
    let failed = Some(Failure::new(FailureClass::Transient, "stall", ""));
    let asked = JudgingRecord { judge: "sage".to_owned(), calls: 1, error: failed, ..JudgingRecord::default() };
    let unnamed = JudgingRecord { judge: String::new(), ..asked.clone() };
    for (n, judging) in
        [(1, asked.clone()), (2, JudgingRecord { error: None, ttft_s: Some(0.3), ..asked }), (3, unnamed)]
    {
        let mut run = record(at(n), n).served_by("a").build();
        run.judging = Some(judging);
        stats.absorb(&run);
    }
    let tally = stats.tally();
    let sage = &tally.judges["sage"];
    assert_eq!((sage.made, sage.failed[&FailureClass::Transient], sage.first_token.count()), (2, 1, 1));
    assert_eq!((tally.judges["judge"].made, tally.judges.len()), (1, 2), "as records of earlier versions have it");
}

#[test]
fn a_flag_takes_one_out_too_and_no_rating_brings_it_back() {
    let mut stats = LiveStats::default();
    let mut flagged = record(at(1), 1).served_by("a").attempt("a", None).build();
    flagged.attempts.iter_mut().for_each(|attempt| attempt.flags = vec![Flag::CutOff]);
    stats.absorb(&flagged);
    stats.amended(&flagged, Some(1.0));
    stats.amended(&RunRecord { rating: Some(1.0), ..flagged.clone() }, Some(0.0));
    assert_eq!((stats.totals(at(3)).served, stats.totals(at(3)).resolved), (1, 0));
    assert_eq!(stats.tally().arms[&ArmId::from("a")].flags[&Flag::CutOff], 1);
}

#[test]
fn what_a_loser_took_is_wasted() {
    let mut stats = LiveStats::default();
    let mut run = record(at(1), 1).served_by("a").attempt("a", None).build();
    let won = run.attempts[0].clone();
    let lost = AttemptRecord {
        arm: "b".into(),
        ok: false,
        lost: true,
        tokens_in: 10,
        tokens_out: 5,
        cost_usd: Some(0.25),
        ..won.clone()
    };
    run.attempts = vec![lost, AttemptRecord { hedge: true, ..won }];
    stats.absorb(&run);
    let tally = stats.tally();
    let (a, b) = (&tally.arms[&ArmId::from("a")], &tally.arms[&ArmId::from("b")]);
    assert_eq!((a.hedges, a.hedges_won, a.wasted_tokens), (1, 1, 0));
    assert_eq!((b.hedges, b.wasted_tokens, b.wasted_nano), (0, 15, 250_000_000));
}

#[test]
fn arms_beyond_the_bound_are_counted_together() {
    let mut stats = LiveStats::default();
    for n in 0..300 {
        stats.absorb(&record(at(n), n).served_by(&format!("arm-{n}")).build());
    }
    let tally = stats.tally();
    assert_eq!(tally.arms.len(), 129);
    assert_eq!(tally.arms[&ArmId::from("others")].served, 300 - 128);
}
