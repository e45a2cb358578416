//! A ceiling of dollars per request on recorded outcomes of real models: it holds, and what it leaves is
//! spent well. The first half of the rows is learnt from, the other half counts; one arm is seen a prompt.
//!
//! `cargo test --release --test recorded_ceilings -- --ignored --nocapture` prints the full table.
//!
//! At the widest of the seven, 1.504e-2, the ceiling does not bind: free choice spends .907 of it, so nothing is asked of
//! its use there.
//!
//! Where it falls short: at 6.637e-4 (`LinUCB` .974 of the ceiling, with the halves turned .945, `LinTS` .939; seed 0, means
//! of 20). The dearest arm costs 23 requests' allowance there and is open only from 1.75 times that on, so that what is
//! not spent at the end of 893 requests is up to 4.5 % by itself (1.75 × 23 / 893: saved for the next opening, and half of
//! that in the mean over ends). Opening it at 1.3 times (1.1 with a full account) uses .963,
//! .962 and .963, but 6 shuffles of the table instead of 2 end above 1.005 (up to 1.016), and the reward there falls to
//! .9229, .9191 and .9235 (from .9241, .9208 and .9241; the fixed mixture has .9252, .9246, .9252).
//! Half the reserve, or half the horizon of a surplus, moves utilisation by less than shuffles scatter. At 8.288e-5 one
//! shuffle of 20 ends at 1.007 (`LinTS`) or 1.011 (turned): one answer may cost 10 times what was expected of it, which is
//! 60 requests' allowance, and a reserve for that would leave 7 % unspent.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "a test")]

mod common;

use banditop::domain::spec::RouterKind;
use banditop::evaluation::{Change, Contestant, ContextSource, Counting, Options, Problem, Records, Replay, Report};
use banditop::evaluation::{Pass, RouterSetup};
use common::replay::{from_text, records, shipped, uniforms};

/// Ceilings with the mean reward of the published reference on the second half of `pareto3_val`.
const CEILINGS: [(f64, f64); 7] = [
    (2.929e-5, 0.7922),
    (8.288e-5, 0.8131),
    (2.345e-4, 0.8670),
    (6.637e-4, 0.8976),
    (1.878e-3, 0.9187),
    (5.314e-3, 0.9286),
    (1.504e-2, 0.9365),
];

fn paced(kind: RouterKind, budget: f64) -> Contestant {
    Contestant::Router(Box::new(RouterSetup { budget: Some(budget), ..shipped(kind) }))
}

fn recorded(records: &Records) -> Problem {
    Problem::new(records, ContextSource::Recorded, Counting::quality_alone()).unwrap()
}

/// The second half after the first (or the other way round).
fn halves(kind: RouterKind, ceiling: f64, shuffles: usize, turned: bool) -> Option<Report> {
    let records = records("pareto3_val")?;
    let (first, second) = (records.slice(0..892), records.slice(892..1785));
    let (learn, test) = if turned { (second, first) } else { (first, second) };
    let problem = recorded(&test);
    let warm = problem.warm_up(&learn, ContextSource::Recorded).unwrap();
    let options = Options { shuffles, ceiling: Some(ceiling), ..Options::default() };
    let replay = Replay { problem: &problem, warm: Some(&warm), options: &options, generator: &uniforms };
    let contestant = paced(kind, ceiling);
    let passes = replay.run(&*contestant.maker(&problem, 1), &mut |_, _| true).unwrap();
    Some(Report::new(contestant.name(), &problem, &options, &passes))
}

#[test]
fn a_ceiling_holds_and_is_worth_as_much_as_the_reference_makes_of_it() {
    for (ceiling, reference) in [CEILINGS[0], CEILINGS[2], CEILINGS[5]] {
        let Some(report) = halves(RouterKind::Linucb, ceiling, 2, false) else { return };
        let used = report.utilisation.unwrap();
        assert!((0.95..=1.006).contains(&used), "{ceiling}: {used}");
        assert!(report.mean_reward > reference - 0.002, "{ceiling}: {}", report.mean_reward);
    }
}

/// Mean dollars of a served answer without a ceiling: one above binds nothing.
fn unbound() -> Option<f64> {
    let records = records("pareto3_val")?;
    let problem = recorded(&records.slice(892..1785));
    let warm = problem.warm_up(&records.slice(0..892), ContextSource::Recorded).unwrap();
    let options = Options { shuffles: 5, ..Options::default() };
    let replay = Replay { problem: &problem, warm: Some(&warm), options: &options, generator: &uniforms };
    let contestant = Contestant::Router(Box::new(shipped(RouterKind::Linucb)));
    let passes = replay.run(&*contestant.maker(&problem, 1), &mut |_, _| true).unwrap();
    Report::new(contestant.name(), &problem, &options, &passes).usd_per_request
}

/// All seven ceilings, twenty shuffles each, held against all that is asked of them.
#[test]
#[ignore = "long: run it in release, with --nocapture for the figures"]
fn every_ceiling_is_kept_by_every_shuffle_and_spent_well() {
    let Some(unbound) = unbound() else { return };
    let mut missed = Vec::new();
    for (at, (ceiling, reference)) in CEILINGS.into_iter().enumerate() {
        let Some(report) = halves(RouterKind::Linucb, ceiling, 20, false) else { return };
        let used = report.utilisation.unwrap();
        let most = report.utilisation_per_shuffle.iter().copied().fold(0.0, f64::max);
        let mix = report.best_fixed_mixture.as_ref().map_or(0.0, |mix| mix.mean);
        let (reward, binds) = (report.mean_reward, ceiling < unbound);
        println!(
            "{ceiling:9.3e} used {used:.4}, at most {most:.4}; reward {reward:.4}, reference {reference:.4}, fixed mixture {mix:.4}, binds {binds}"
        );
        let least = if at == 0 { reference - 0.001 } else { reference };
        for (holds, what) in [
            (!binds || used >= 0.97, "is hardly used"),
            (used <= 1.0005, "is exceeded in the mean"),
            (most <= 1.005, "is exceeded by a shuffle"),
            (reward >= least, "is worth less than the reference"),
            (reward >= mix - 0.002, "is worth less than the best fixed mixture"),
        ] {
            if !holds {
                missed.push(format!("{ceiling:e} {what}"));
            }
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
}

/// Share of the most used arm over the 50 requests until `n`.
fn trailing(pass: &Pass, arm: usize, n: usize) -> f64 {
    pass.served[n - 50..n].iter().filter(|served| **served == arm).count() as f64 / 50.0
}

fn price_cut(file: &str, ceiling: f64, shuffles: usize) -> Option<[f64; 3]> {
    let records = records(file)?;
    let problem = from_text(&records, Counting::quality_alone());
    let best = problem.arms().iter().position(|arm| arm.as_str().contains("gemini-2.5-pro"))?;
    let changes = vec![Change::price("google/gemini-2.5-pro:600:1766:0.1").unwrap()];
    let options = Options { shuffles, ceiling: Some(ceiling), changes, ..Options::default() };
    let replay = Replay { problem: &problem, warm: None, options: &options, generator: &uniforms };
    let contestant = paced(RouterKind::Linucb, ceiling);
    let passes = replay.run(&*contestant.maker(&problem, 1), &mut |_, _| true).unwrap();
    let mean = |n: usize| passes.iter().map(|pass| trailing(pass, best, n)).sum::<f64>() / shuffles as f64;
    Some([mean(600), mean(700), mean(800)])
}

#[test]
fn a_tenfold_price_cut_of_the_best_arm_is_exploited_within_100_requests() {
    let Some([before, after, _]) = price_cut("pareto4_val", 5.314e-3, 3) else { return };
    assert!(before < 0.5 && after > 1.5 * before, "{before} {after}");
}

#[test]
#[ignore = "prints tables, takes a minute"]
fn ceilings() {
    for (kind, turned) in [(RouterKind::Linucb, false), (RouterKind::Linucb, true), (RouterKind::Lints, false)] {
        for (ceiling, reference) in CEILINGS {
            let Some(report) = halves(kind, ceiling, 20, turned) else { return };
            let most = report.utilisation_per_shuffle.iter().copied().fold(0.0, f64::max);
            let over = report.utilisation_per_shuffle.iter().filter(|used| **used > 1.005).count();
            println!(
                "{:14} turned {turned} ceiling {ceiling:9.3e} reward {:.4} reference {reference:.4} fixed mix {:.4} used {:.4} at most {most:.4}, {over} over",
                report.policy.text(),
                report.mean_reward,
                report.best_fixed_mixture.map_or(0.0, |mix| mix.mean),
                report.utilisation.unwrap(),
            );
        }
    }
    for file in ["pareto3_val", "pareto4_val"] {
        for ceiling in [1.878e-3, 5.314e-3] {
            println!(
                "{file} price cut at {ceiling:.3e}: share before, 100 and 200 after {:.3?}",
                price_cut(file, ceiling, 20)
            );
        }
    }
}
