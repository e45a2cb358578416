//! Arms that change and arms that join, on recorded outcomes of real models, with the shipped router. The
//! records are no part of the repository: `BANDITOP_DATA`, or `../shared/data`; without them the tests say so
//! and pass. The default suite runs fewer shuffles with more slack;
//! `cargo test --release --test recorded_drift -- --ignored --nocapture` has the full figures.
//!
//! A share is that of the last 50 requests, averaged over shuffles. *Adopted* means a share of at least one
//! half, kept for the next hundred requests.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "a test")]

mod common;

use banditop::domain::ids::ArmId;
use banditop::domain::spec::RouterKind;
use banditop::domain::terms::Weights;
use banditop::evaluation::{Change, Counting, Join, Options, Pass, Problem, Replay};
use common::replay::{contestant, from_text, records, uniforms};

/// The share's window.
const WINDOW: usize = 50;
/// When something changes.
const AT: usize = 600;

fn passes(problem: &Problem, options: &Options) -> Vec<Pass> {
    let contestant = contestant(RouterKind::Linucb);
    let replay = Replay { problem, warm: None, options, generator: &uniforms };
    replay.run(&*contestant.maker(problem, 1), &mut |_, _| true).unwrap()
}

fn options(shuffles: usize) -> Options {
    Options { shuffles, seed: 7, ..Options::default() }
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let n = values.len() as f64;
    values.sum::<f64>() / n
}

/// How often `arm` served of the last requests before `n`.
fn share(pass: &Pass, arm: usize, n: usize) -> f64 {
    pass.served[n - WINDOW..n].iter().filter(|served| **served == arm).count() as f64 / WINDOW as f64
}

fn most_used(pass: &Pass, n: usize, arms: usize) -> usize {
    (0..arms).max_by(|a, b| share(pass, *a, n).total_cmp(&share(pass, *b, n)).then(b.cmp(a))).unwrap()
}

fn reward(passes: &[Pass], from: usize, to: usize) -> f64 {
    mean(passes.iter().map(|pass| pass.reward[from..to].iter().sum::<f64>() / (to - from) as f64))
}

struct Fall {
    /// Requests until the share is below a tenth.
    left_after: usize,
    /// The greatest share from 150 requests after the fall until the return.
    most: f64,
    /// What the pool earns less than an undisturbed one, in the hundred requests up to 300 after the return.
    missed: f64,
}

fn fall(shuffles: usize) -> Option<Fall> {
    let problem = from_text(&records("pareto4_val")?, Counting::quality_alone());
    let still = passes(&problem, &options(shuffles));
    let changes = vec![Change::degrade("top:600:1200:0.18").unwrap()];
    let fallen = passes(&problem, &Options { changes, ..options(shuffles) });
    let arms = problem.arms().len();
    let share = |n: usize| mean(fallen.iter().map(|pass| share(pass, most_used(pass, AT, arms), n)));
    let left_after = (AT + 1..1_200).find(|n| share(*n) < 0.1).unwrap_or(1_200) - AT;
    let most = (AT + 150..=1_200).map(share).fold(0.0, f64::max);
    Some(Fall { left_after, most, missed: reward(&still, 1_400, 1_500) - reward(&fallen, 1_400, 1_500) })
}

/// Requests until `arm`, joining late, is adopted, and its mean and greatest use in the first 500.
fn late(problem: &Problem, arm: &str, shuffles: usize) -> (Option<usize>, f64, usize) {
    let place = problem.arms().iter().position(|known| known.as_str() == arm).unwrap();
    let joins = vec![Join { arm: ArmId::new(arm), at: AT }];
    let passes = passes(problem, &Options { joins, ..options(shuffles) });
    let share = |n: usize| mean(passes.iter().map(|pass| share(pass, place, n)));
    let adopted = (AT + WINDOW..AT + 400).find(|n| (*n..n + 100).all(|n| share(n) >= 0.5));
    let used = |pass: &Pass| pass.served[AT..AT + 500].iter().filter(|served| **served == place).count();
    let most = passes.iter().map(used).max().unwrap();
    (adopted.map(|n| n - AT), mean(passes.iter().map(|pass| used(pass) as f64)), most)
}

fn mixed() -> Option<Problem> {
    let records = records("pareto4_val")?;
    let weights = Weights::new([0.7, 0.0, 0.3, 0.0, 0.0, 0.0], 0.0).unwrap();
    Some(from_text(&records, Counting::scaled_to(&records, weights)))
}

/// The best when cost counts too, and the worst when it does not.
const CHEAP: &str = "meta-llama/llama-3.1-8b-instruct";
/// The best when it does not, and the worst when it does.
const GOOD: &str = "google/gemini-2.5-pro";

#[test]
fn a_fallen_arm_is_left_and_missed_no_more_after_its_return() {
    let Some(Fall { left_after, most, missed }) = fall(6) else { return };
    assert!(left_after <= 150, "{left_after}");
    assert!(most < 0.15, "asked again, but not used: {most}");
    assert!(missed < 0.02, "{missed}");
}

#[test]
fn a_late_arm_is_adopted_where_it_is_good_and_left_where_it_is_not() {
    let Some(problem) = mixed() else { return };
    let (adopted, ..) = late(&problem, CHEAP, 6);
    assert!(adopted.is_some_and(|n| n <= 100), "{adopted:?}");
    let (_, used, _) = late(&problem, GOOD, 6);
    assert!(used <= 25.0, "{used}");
}

#[test]
#[ignore = "the full figures"]
fn full_figures() {
    let Some(Fall { left_after, most, missed }) = fall(20) else { return };
    println!(
        "fall: left after {left_after} requests, share at most {most:.3} from 150 on, misses {missed:+.4} at +300"
    );
    assert!(left_after <= 150 && most < 0.1 && missed < 0.01);
    let (Some(mixed), Some(records)) = (mixed(), records("pareto4_val")) else { return };
    let quality = from_text(&records, Counting::quality_alone());
    for (what, problem, good, bad) in [("quality", &quality, GOOD, CHEAP), ("mixed", &mixed, CHEAP, GOOD)] {
        for arm in problem.arms() {
            let (adopted, used, most) = late(problem, arm.as_str(), 20);
            println!("{what}: {arm} adopted after {adopted:?}, used {used:.1} (at most {most}) of 500");
            assert!(arm.as_str() != good || adopted.is_some_and(|n| n <= 100));
            assert!(arm.as_str() != bad || used <= 25.0);
        }
    }
}
