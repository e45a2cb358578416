//! The passes of one policy, summed up: the shape of `replay --json`. Fields may be added, none renamed.

use std::collections::BTreeMap;

use serde::Serialize;

use super::contestant::Name;
use super::ground::Ground;
use super::pass::Pass;
use super::problem::Problem;
use super::replay::Options;
use super::statistics::{mean, mean_interval};
use super::yardsticks;
use crate::domain::ids::ArmId;

/// Points of a curve.
const POINTS: usize = 50;

/// An arm with its mean reward.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Single {
    /// Which.
    pub arm: ArmId,
    /// Its mean reward.
    pub mean: f64,
}

/// Several arms with their mean reward.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SetOfArms {
    /// Which.
    pub arms: Vec<ArmId>,
    /// Mean reward of whichever is judged best.
    pub mean: f64,
}

/// The best fixed mixture of arms at a ceiling.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MixtureOfArms {
    /// Share by arm; at most two.
    pub share: BTreeMap<ArmId, f64>,
    /// Mean reward.
    pub mean: f64,
    /// Mean dollars per request.
    pub usd_per_request: f64,
}

/// How much of a log says something about a policy.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct LogShare {
    /// As many rows of equal weight as those that counted are worth, mean over shuffles.
    pub effective_rows: f64,
    /// Rows that counted, mean over shuffles.
    pub accepted_rows: f64,
    /// Selections of any arm in the log.
    pub selections: u64,
    /// Those of them of which nothing came that could be judged.
    pub lost_selections: u64,
    /// Rows on which a candidate could not have been seen: they are left out.
    pub unsupported_rows: usize,
    /// Rows whose propensities are not those of a choice: they are left out.
    pub left_out: usize,
}

/// Shares over one stretch of requests.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SharePoint {
    /// Requests until its end.
    pub n: usize,
    /// Share of served answers since the point before, by arm.
    pub share: BTreeMap<ArmId, f64>,
}

/// What a policy did on recorded outcomes. Rewards in [0, 1], means over shuffles.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// The policy.
    pub policy: Name,
    /// Rows of the file.
    pub rows: usize,
    /// All arms, in the order of the file.
    pub arms: Vec<ArmId>,
    /// Values in a context.
    pub d: usize,
    /// Those of them, the last ones, that are signals about an arm (latency, errors, hallucination) as it stood when it
    /// was asked: recorded outcomes hold no such history, so they are 0 for every arm.
    pub signals_at_zero: usize,
    /// Passes.
    pub shuffles: usize,
    /// Decides every order and draw.
    pub seed: u64,
    /// Arms that raced for each prompt.
    pub k: usize,
    /// Mean reward of what was served.
    pub mean_reward: f64,
    /// Its 95 % interval over shuffles (Student); null with one shuffle, which says nothing of their scatter.
    pub ci95: Option<[f64; 2]>,
    /// Mean reward by shuffle.
    pub per_shuffle: Vec<f64>,
    /// The least of them.
    pub worst_shuffle: f64,
    /// How much of a log of runs counted; null where every arm was recorded, or none was chosen by chance. With it,
    /// what only all arms together could tell (oracle, best single arm, random, regret, accuracy) is null.
    pub logged: Option<LogShare>,
    /// Where the best arm of every prompt answers.
    pub oracle: f64,
    /// The best single arm in hindsight, of those that were there on nearly every request.
    pub best_single: Single,
    /// The best fixed set of k in hindsight; absent for k = 1 and where there are too many sets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub best_fixed_set: Option<SetOfArms>,
    /// Where any arm answers.
    pub random: f64,
    /// Reward missed against the oracle, summed over a pass.
    pub regret: f64,
    /// Requests and the regret until then.
    pub regret_curve: Vec<(usize, f64)>,
    /// Share of requests on which no arm would have earned more.
    pub routing_accuracy: f64,
    /// Share of served answers by arm.
    pub share: BTreeMap<ArmId, f64>,
    /// Share of requests for which an arm raced.
    pub preview_share: BTreeMap<ArmId, f64>,
    /// Share of served answers over time.
    pub share_curve: Vec<SharePoint>,
    /// Dollars of a served answer; null where the records lack them.
    pub usd_per_request: Option<f64>,
    /// Dollars of all k answers as if each were written in full; null where the records lack them.
    pub usd_per_race: Option<f64>,
    /// The ceiling; null without one.
    pub budget_per_request_usd: Option<f64>,
    /// Dollars per request, of served answers (over a suite: of whole races), over the ceiling; null without one.
    pub utilisation: Option<f64>,
    /// The same by shuffle; empty without a ceiling.
    pub utilisation_per_shuffle: Vec<f64>,
    /// What a fixed mixture of arms reaches at the ceiling; null without one.
    pub best_fixed_mixture: Option<MixtureOfArms>,
    /// Requests decided and learnt from per second, as the caller measured; null where it did not.
    pub decisions_per_s: Option<f64>,
}

impl Report {
    /// What these passes amount to. There is at least one, of at least one request: anything else gives
    /// a report of zeros.
    #[must_use]
    pub fn new(policy: Name, problem: &Problem, options: &Options, passes: &[Pass]) -> Self {
        let per_shuffle: Vec<f64> = passes.iter().map(Pass::mean_reward).collect();
        let interval = mean_interval(&per_shuffle);
        let over = |value: &dyn Fn(&Pass) -> f64| mean_over(passes, value);
        let dollars = |value: &dyn Fn(&Pass) -> Option<f64>| -> Option<f64> {
            mean(&passes.iter().map(value).collect::<Option<Vec<f64>>>()?)
        };
        let usd_per_request = dollars(&Pass::mean_dollars);
        let over_ceiling = |dollars: Option<f64>| Some(dollars? / options.ceiling?);
        let logged = problem.is_log().then(|| LogShare {
            effective_rows: over(&Pass::effective),
            accepted_rows: over(&|pass| pass.requests() as f64),
            selections: problem.chances().selections().iter().map(|each| each.selected).sum(),
            lost_selections: problem.chances().selections().iter().map(|each| each.lost).sum(),
            unsupported_rows: passes.first().map_or(0, |pass| pass.unsupported),
            left_out: problem.left_out(),
        });
        // Of a log, nobody knows what the arms that were not seen would have earned.
        let if_known = |value: f64| if problem.is_log() { f64::NAN } else { value };
        let ground = Ground::of(problem, passes);
        let ends = ends(passes.iter().map(Pass::requests).min().unwrap_or(0));
        Self {
            policy,
            rows: problem.rows(),
            arms: problem.arms().to_vec(),
            d: problem.dimensions(),
            signals_at_zero: problem.dimensions() - problem.schema().shared(),
            shuffles: passes.len(),
            seed: options.seed,
            k: options.k,
            mean_reward: interval.map_or(0.0, |i| i.mean),
            ci95: interval.filter(|_| passes.len() > 1).map(|i| [i.lo, i.hi]),
            worst_shuffle: per_shuffle.iter().copied().reduce(f64::min).unwrap_or(0.0),
            per_shuffle,
            logged,
            oracle: if_known(over(&|pass| mean(&pass.oracle).unwrap_or(0.0))),
            best_single: best_single(problem, passes),
            best_fixed_set: (options.k > 1).then(|| best_set(problem, &ground, options.k)).flatten(),
            random: if_known(yardsticks::random(&ground)),
            regret: if_known(over(&|pass| regret(pass, pass.requests()))),
            regret_curve: ends.iter().map(|n| (*n, if_known(over(&|pass| regret(pass, *n))))).collect(),
            routing_accuracy: if_known(over(&accuracy)),
            share: by_arm(problem, &|arm| over(&|pass| share(pass, arm, 0, pass.requests()))),
            preview_share: by_arm(problem, &|arm| over(&|pass| raced(pass, arm))),
            share_curve: share_curve(problem, passes, &ends),
            usd_per_request,
            usd_per_race: dollars(&Pass::mean_raced_dollars),
            budget_per_request_usd: options.ceiling,
            utilisation: over_ceiling(usd_per_request),
            utilisation_per_shuffle: passes.iter().filter_map(|pass| over_ceiling(pass.mean_dollars())).collect(),
            best_fixed_mixture: options.ceiling.and_then(|ceiling| best_mixture(problem, &ground, ceiling)),
            decisions_per_s: None,
        }
    }

    /// Where all that a race cost was spent, previews and judge included: that is what a ceiling is about then.
    #[must_use]
    pub fn charged_whole_races(mut self, passes: &[Pass]) -> Self {
        let Some(ceiling) = self.budget_per_request_usd else { return self };
        self.utilisation = self.usd_per_race.map(|dollars| dollars / ceiling);
        let each = passes.iter().filter_map(Pass::mean_raced_dollars);
        self.utilisation_per_shuffle = each.map(|dollars| dollars / ceiling).collect();
        self
    }

    /// With the seconds that the caller measured for all passes.
    #[must_use]
    pub fn timed(mut self, passes: &[Pass], seconds: f64) -> Self {
        let decisions: usize = passes.iter().map(Pass::requests).sum();
        self.decisions_per_s = (seconds > 0.0).then(|| decisions as f64 / seconds);
        self
    }
}

fn mean_over(passes: &[Pass], value: &dyn Fn(&Pass) -> f64) -> f64 {
    mean(&passes.iter().map(value).collect::<Vec<_>>()).unwrap_or(0.0)
}

fn by_arm(problem: &Problem, value: &dyn Fn(usize) -> f64) -> BTreeMap<ArmId, f64> {
    problem.arms().iter().enumerate().map(|(at, arm)| (arm.clone(), value(at))).collect()
}

/// Where the points of a curve lie: the last at `n`, never two at the same place.
fn ends(n: usize) -> Vec<usize> {
    let mut ends: Vec<usize> = (1..=POINTS).map(|i| n * i / POINTS).filter(|end| *end > 0).collect();
    ends.dedup();
    ends
}

fn regret(pass: &Pass, n: usize) -> f64 {
    pass.oracle.iter().zip(&pass.reward).take(n).map(|(best, got)| best - got).sum()
}

fn accuracy(pass: &Pass) -> f64 {
    let right = pass.oracle.iter().zip(&pass.reward).filter(|(best, got)| **best - **got <= 1e-12).count();
    right as f64 / pass.requests().max(1) as f64
}

fn share(pass: &Pass, arm: usize, from: usize, to: usize) -> f64 {
    let stretch = pass.served.get(from..to).unwrap_or_default();
    pass.mean_from(from, stretch.iter().map(|served| f64::from(*served == arm))).unwrap_or(0.0)
}

/// Share of requests for which an arm raced; of a log only one raced at a time.
fn raced(pass: &Pass, arm: usize) -> f64 {
    if pass.weight.is_empty() {
        return pass.raced[arm] as f64 / pass.requests().max(1) as f64;
    }
    share(pass, arm, 0, pass.requests())
}

fn share_curve(problem: &Problem, passes: &[Pass], ends: &[usize]) -> Vec<SharePoint> {
    let starts = std::iter::once(0).chain(ends.iter().copied());
    let stretch = |(from, n): (usize, usize)| {
        let share = by_arm(problem, &|arm| mean_over(passes, &|pass| share(pass, arm, from, n)));
        SharePoint { n, share }
    };
    starts.zip(ends.iter().copied()).map(stretch).collect()
}

fn best_single(problem: &Problem, passes: &[Pass]) -> Single {
    if problem.is_log() {
        return Single { arm: ArmId::new(""), mean: f64::NAN };
    }
    let times = |arm: usize| passes.iter().map(|pass| pass.alone[arm].1).sum::<u64>() as f64;
    let most = (0..problem.arms().len()).map(times).fold(0.0, f64::max);
    let alone = |arm: usize| {
        mean_over(passes, &|pass| {
            let (sum, n) = pass.alone[arm];
            sum / n.max(1) as f64
        })
    };
    let mostly = problem.arms().iter().enumerate().filter(|(at, _)| times(*at) >= yardsticks::MOST_REQUESTS * most);
    let all = mostly.map(|(at, arm)| Single { arm: arm.clone(), mean: alone(at) });
    let best = all.reduce(|best, other| if other.mean > best.mean { other } else { best });
    best.unwrap_or_else(|| Single { arm: ArmId::new(""), mean: 0.0 })
}

fn best_set(problem: &Problem, ground: &Ground<'_>, k: usize) -> Option<SetOfArms> {
    let best = yardsticks::best_fixed_set(ground, k)?;
    let arms = best.arms.iter().map(|at| problem.arms()[*at].clone()).collect();
    Some(SetOfArms { arms, mean: best.mean })
}

fn best_mixture(problem: &Problem, ground: &Ground<'_>, ceiling: f64) -> Option<MixtureOfArms> {
    let best = yardsticks::best_mixture(ground, ceiling)?;
    let share = best.arms.iter().map(|(at, share)| (problem.arms()[*at].clone(), *share)).collect();
    Some(MixtureOfArms { share, mean: best.mean, usd_per_request: best.usd_per_request })
}
