//! Policies side by side on the same shuffles, and how sure one can be of each difference.
//!
//! Two things could have come out otherwise: which prompts the file happens to hold, and in which order they
//! came. A difference is that of one prompt (its mean over shuffles) and that of one shuffle (its mean over
//! prompts), and both scatter at once, so they are tested at once: the p-value is the share of draws in which
//! the mean of the prompts' differences under random signs *plus* that of the shuffles' under random signs is at
//! least as far from 0 as the difference seen. The interval likewise adds up what resampling the prompts and
//! resampling the shuffles move, so that the two tell the same; both are a little wide rather than narrow. (The
//! larger of the two p-values, each for its own signs, would be no such test: it leaves out of each what the other
//! scatters, and gives 11 % false alarms at 5 % where both scatter alike.) n shuffles give no p-value much below
//! 1 / 2ⁿ, which Holm's correction then multiplies. Where the order makes no difference at all, or there was only
//! one, the prompts alone decide. All p-values of a comparison are corrected together by Holm's method.

use std::collections::BTreeMap;

use serde::Serialize;

use super::contestant::{Contestant, Name};
use super::pass::Pass;
use super::problem::Problem;
use super::replay::{Replay, ReplayFault};
use super::report::Report;
use super::statistics::{
    Interval, crossed_permutation_p, holm, mean, permutation_p, quantile, resampled_mean, standard_deviation,
};
use super::streams::{Generator, Purpose, stream_seed};

/// Resamples and permutations.
const DRAWS: usize = 2_000;

/// Policies side by side.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// One report a policy, in the order given.
    pub policies: Vec<Report>,
    /// Every pair of policies.
    pub differences: Vec<Difference>,
}

/// One policy against another on the same prompts in the same orders.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// The one.
    pub policy: Name,
    /// The other.
    pub against: Name,
    /// Mean reward of the one less that of the other.
    pub mean: f64,
    /// Its 95 % bootstrap interval over prompts and shuffles.
    pub ci95: [f64; 2],
    /// Shuffles in which the one earned more.
    pub shuffles_won: usize,
    /// Two-sided p-value.
    pub p: f64,
    /// The same, corrected for all differences of this comparison.
    pub p_holm: f64,
    /// Whether the corrected p-value is at most 0.05.
    pub significant: bool,
}

/// Replays every contestant on the same shuffles. `progress` hears of finished and all passes of all
/// contestants, and says whether to go on. `clock` gives seconds and measures the decisions per second;
/// one that stands still leaves them out.
///
/// # Errors
/// As [`Replay::run`].
pub fn compare(
    replay: &Replay<'_>,
    contestants: &[Contestant],
    clock: &dyn Fn() -> f64,
    progress: &mut dyn FnMut(usize, usize) -> bool,
) -> Result<Comparison, ReplayFault> {
    let (problem, shuffles) = (replay.problem, replay.options.shuffles);
    let mut policies = Vec::with_capacity(contestants.len());
    let mut traces = Vec::with_capacity(contestants.len());
    for (before, contestant) in contestants.iter().enumerate() {
        let maker = contestant.maker_on(replay)?;
        let all = shuffles * contestants.len();
        let started = clock();
        let passes = replay.run(&*maker, &mut |done, _| progress(before * shuffles + done, all))?;
        let report = Report::new(contestant.name(), problem, replay.options, &passes);
        policies.push(report.timed(&passes, clock() - started));
        traces.push(passes);
    }
    Ok(Comparison::of(problem, policies, &traces, replay.options.seed, replay.generator))
}

impl Comparison {
    /// What these passes amount to, by policy as its report; they met the same prompts in the same orders.
    #[must_use]
    pub fn of(
        problem: &Problem,
        policies: Vec<Report>,
        passes: &[Vec<Pass>],
        seed: u64,
        generator: Generator<'_>,
    ) -> Self {
        let earned: Vec<Earned> = passes.iter().map(|passes| Earned::of(problem, passes)).collect();
        let mut draw = generator(stream_seed(seed, 0, Purpose::Significance));
        let mut differences = Vec::new();
        for (i, (policy, one)) in policies.iter().zip(&earned).enumerate() {
            for (against, other) in policies.iter().zip(&earned).skip(i + 1) {
                differences.push(one.against(other, policy.policy, against.policy, &mut draw));
            }
        }
        let p_values: Vec<f64> = differences.iter().map(|difference| difference.p).collect();
        for (difference, corrected) in differences.iter_mut().zip(holm(&p_values)) {
            difference.p_holm = corrected;
            difference.significant = corrected <= 0.05;
        }
        Self { policies, differences }
    }
}

/// What a policy earned by prompt and by shuffle.
struct Earned {
    by_prompt: Vec<f64>,
    by_shuffle: Vec<f64>,
}

impl Earned {
    fn of(problem: &Problem, passes: &[Pass]) -> Self {
        let mut by_prompt = vec![0.0; problem.rows()];
        for pass in passes {
            for (row, reward) in pass.row.iter().zip(&pass.reward) {
                by_prompt[*row] += reward / passes.len() as f64;
            }
        }
        // A prompt that comes several times is one prompt, or differences would look surer than they are. Rows that
        // no policy answers would be prompts without a difference.
        let mut alike: BTreeMap<usize, (f64, usize)> = BTreeMap::new();
        for row in (0..problem.rows()).filter(|row| !problem.open(*row).is_empty()) {
            let (sum, n) = alike.entry(problem.first_alike(row)).or_default();
            *sum += by_prompt[row];
            *n += 1;
        }
        Self {
            by_prompt: alike.into_values().map(|(sum, n)| sum / n as f64).collect(),
            by_shuffle: passes.iter().map(Pass::mean_reward).collect(),
        }
    }

    fn against(&self, other: &Self, policy: Name, against: Name, draw: &mut dyn FnMut() -> f64) -> Difference {
        let prompts = differences(&self.by_prompt, &other.by_prompt);
        let shuffles = differences(&self.by_shuffle, &other.by_shuffle);
        let interval = interval(&prompts, &shuffles, draw);
        let p = if standard_deviation(&shuffles) > 1e-12 {
            crossed_permutation_p(&prompts, &shuffles, DRAWS, draw)
        } else {
            permutation_p(&prompts, DRAWS, draw)
        };
        Difference {
            policy,
            against,
            mean: interval.mean,
            ci95: [interval.lo, interval.hi],
            shuffles_won: shuffles.iter().filter(|difference| **difference > 0.0).count(),
            p,
            p_holm: 1.0,
            significant: false,
        }
    }
}

fn differences(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

/// Every resample moves the mean by what resampled prompts and what resampled shuffles move it.
fn interval(prompts: &[f64], shuffles: &[f64], draw: &mut dyn FnMut() -> f64) -> Interval {
    let centre = mean(prompts).unwrap_or(0.0);
    let around =
        |values: &[f64], draw: &mut dyn FnMut() -> f64| resampled_mean(values, draw) - mean(values).unwrap_or(0.0);
    let mut means: Vec<f64> = (0..DRAWS).map(|_| centre + around(prompts, draw) + around(shuffles, draw)).collect();
    means.sort_by(f64::total_cmp);
    let at = |q| quantile(&means, q).unwrap_or(centre);
    Interval { mean: centre, lo: at(0.025), hi: at(0.975) }
}

#[cfg(test)]
mod tests {
    use super::super::streams::standard_normal;
    use super::*;

    fn draws(seed: u64) -> impl FnMut() -> f64 {
        let mut rng = fastrand::Rng::with_seed(seed);
        move || rng.f64()
    }

    fn earned(by_prompt: &dyn Fn(usize) -> f64, by_shuffle: &dyn Fn(usize) -> f64) -> Earned {
        Earned { by_prompt: (0..200).map(by_prompt).collect(), by_shuffle: (0..20).map(by_shuffle).collect() }
    }

    #[test]
    fn a_difference_counts_only_if_neither_prompts_nor_orders_explain_it() {
        let nothing = earned(&|_| 0.5, &|_| 0.5);
        let alternating = |i: usize| if i.is_multiple_of(2) { 1.5 } else { -0.3 };
        for (better, significant) in [
            (earned(&|_| 0.6, &|_| 0.6), true),
            (earned(&|_| 0.6, &|i| if i.is_multiple_of(2) { 0.65 } else { 0.55 }), true),
            (earned(&alternating, &|_| 0.6), false),
            (earned(&|_| 0.6, &alternating), false),
        ] {
            let found = better.against(&nothing, Name::Linucb, Name::Uniform, &mut draws(5));
            assert_eq!(found.p <= 0.05, significant, "{found:?}");
            assert!((found.mean - 0.1).abs() < 1e-9 && found.ci95[0] <= found.mean && found.mean <= found.ci95[1]);
        }
    }

    /// Prompts and orders scatter, each to these parts of one standard error, and nobody is better.
    #[test]
    fn nothing_is_found_where_there_is_nothing_more_often_than_promised() {
        let mut draw = draws(17);
        let tries = 500;
        for (of_prompts, of_orders) in [(1.0, 1.0), (0.5, 1.0), (1.0, 0.5)] {
            let (mut alarms, mut contradictions) = (0, 0);
            for _ in 0..tries {
                let prompts: Vec<f64> =
                    (0..80).map(|_| of_prompts * 80f64.sqrt() * standard_normal(&mut draw)).collect();
                let orders: Vec<f64> = (0..20).map(|_| of_orders * 20f64.sqrt() * standard_normal(&mut draw)).collect();
                let (by_prompt, by_order) = (mean(&prompts).unwrap(), mean(&orders).unwrap());
                // Every cell is the sum of what its prompt and its order do.
                let prompts: Vec<f64> = prompts.iter().map(|prompt| prompt + by_order).collect();
                let orders: Vec<f64> = orders.iter().map(|order| order + by_prompt).collect();
                let p = crossed_permutation_p(&prompts, &orders, 199, &mut draw);
                alarms += usize::from(p <= 0.05);
                if p <= 0.02 {
                    let found = interval(&prompts, &orders, &mut draw);
                    contradictions += usize::from(found.lo <= 0.0 && found.hi >= 0.0);
                }
            }
            // 25 of 500 were promised; the larger of two p-values gives 40 to 55.
            assert!(alarms <= 25 && contradictions == 0, "{of_prompts}, {of_orders}: {alarms}, {contradictions}");
        }
    }

    #[test]
    fn a_prompt_that_comes_again_is_no_second_witness() {
        let line = |i: usize| format!("{{\"id\":\"{i}\",\"prompt\":\"p\",\"quality\":{{\"a\":1,\"b\":0}}}}");
        let lines = (0..8).map(line).collect::<Vec<_>>().join("\n");
        let records = crate::evaluation::Records::parse(lines.as_bytes()).unwrap();
        let features = crate::features::LengthFeatures::new(2_000);
        let source = crate::evaluation::ContextSource::Features(&features);
        let problem = Problem::new(&records, source, crate::evaluation::Counting::quality_alone()).unwrap();
        let pass =
            Pass { row: (0..8).collect(), reward: vec![1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 1.0], ..Pass::default() };
        assert_eq!(Earned::of(&problem, std::slice::from_ref(&pass)).by_prompt.len(), 8);
        assert_eq!(Earned::of(&problem.repeating(4), &[pass]).by_prompt, [0.5; 4]);
    }

    #[test]
    fn the_interval_widens_with_either_spread() {
        let width = |prompts: &[f64], shuffles: &[f64]| {
            let found = interval(prompts, shuffles, &mut draws(9));
            found.hi - found.lo
        };
        let spread: Vec<f64> = (0..100).map(|i| f64::from(i % 10) / 10.0).collect();
        let still = vec![0.45; 100];
        assert!(width(&still, &still) < 1e-9);
        let one = width(&spread, &still);
        assert!(width(&spread, &spread) > 1.2 * one && width(&still, &spread) > 0.5 * one);
    }
}
