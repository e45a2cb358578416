//! What a policy is measured against, in hindsight and of what there was to be met: any arm, the best fixed set
//! for a race, and the best fixed mixture of arms under a ceiling of dollars.

use super::ground::Ground;
use super::problem::Outcome;

/// More sets than this are not enumerated.
const SETS: usize = 5_000;

/// Who answers on a smaller share of the requests than the others is no yardstick for all of them.
pub(super) const MOST_REQUESTS: f64 = 0.95;

/// The best fixed set of arms for a race.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct FixedSet {
    /// Positions, ascending.
    pub(super) arms: Vec<usize>,
    /// Mean reward of whichever is judged best.
    pub(super) mean: f64,
}

/// Mean reward where any arm answers; 0 without rows.
#[must_use]
pub(super) fn random(ground: &Ground<'_>) -> f64 {
    let (mut sum, mut n) = (0.0, 0.0);
    ground.each(&mut |outcomes| {
        let rewards: Vec<f64> = outcomes.iter().flatten().map(|outcome| outcome.reward).collect();
        sum += super::statistics::mean(&rewards).unwrap_or(0.0);
        n += 1.0;
    });
    sum / f64::max(n, 1.0)
}

/// The set of `k` arms with the highest mean reward of whichever of them is judged best, over the requests
/// on which one of them is there, nearly all; `None` where there are too many sets to look at all.
#[must_use]
pub(super) fn best_fixed_set(ground: &Ground<'_>, k: usize) -> Option<FixedSet> {
    let n = ground.arms();
    let sets = subsets(n, k.clamp(1, n.max(1)))?;
    let mut sums = vec![(0.0, 0u64); sets.len()];
    ground.each(&mut |outcomes| {
        for (set, (sum, n)) in sets.iter().zip(&mut sums) {
            if let Some(best) = best_judged(outcomes, set) {
                *sum += best.reward;
                *n += 1;
            }
        }
    });
    let most = sums.iter().map(|(_, n)| *n).max().unwrap_or(0) as f64;
    let all = sets.into_iter().zip(sums).filter(|(_, (_, n))| *n as f64 >= MOST_REQUESTS * most);
    let all = all.map(|(arms, (sum, n))| FixedSet { arms, mean: sum / n.max(1) as f64 });
    all.reduce(|best, other| if other.mean > best.mean { other } else { best })
}

fn best_judged<'a>(outcomes: &'a [Option<Outcome>], arms: &[usize]) -> Option<&'a Outcome> {
    let there = arms.iter().filter_map(|arm| outcomes.get(*arm)?.as_ref());
    there.reduce(|best, other| if other.quality > best.quality { other } else { best })
}

/// Every set of `k` of `0..n`, ascending; `None` where there are more than [`SETS`].
fn subsets(n: usize, k: usize) -> Option<Vec<Vec<usize>>> {
    let count = (0..k).try_fold(1usize, |count, i| Some(count.checked_mul(n - i)? / (i + 1)))?;
    if count > SETS {
        return None;
    }
    let mut sets = vec![Vec::new()];
    for _ in 0..k {
        sets = sets
            .into_iter()
            .flat_map(|set: Vec<usize>| {
                let next = set.last().map_or(0, |last| last + 1);
                (next..n).map(move |arm| [set.as_slice(), &[arm]].concat())
            })
            .collect();
    }
    Some(sets)
}

/// Arms answered with fixed probabilities, whatever the prompt.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Mixture {
    /// Position of the arm and its probability, at most two of them.
    pub(super) arms: Vec<(usize, f64)>,
    /// Mean reward.
    pub(super) mean: f64,
    /// Mean dollars per request.
    pub(super) usd_per_request: f64,
}

/// The mixture with the highest mean reward whose mean dollars stay at or under the ceiling. With one
/// constraint two arms suffice (a vertex of the linear programme), so all pairs are looked at of the arms that
/// are there on every request. `None` where there is none, dollars are unknown, or even the cheapest is above the
/// ceiling.
#[must_use]
pub(super) fn best_mixture(ground: &Ground<'_>, ceiling: f64) -> Option<Mixture> {
    let arms = worth(ground);
    let affordable = arms.iter().filter(|(_, _, dollars)| *dollars <= ceiling);
    let mut best = affordable
        .map(|(arm, mean, dollars)| Mixture { arms: vec![(*arm, 1.0)], mean: *mean, usd_per_request: *dollars })
        .reduce(better)?;
    for (cheap, cheap_mean, cheap_dollars) in &arms {
        for (dear, dear_mean, dear_dollars) in &arms {
            if *cheap_dollars <= ceiling && *dear_dollars > ceiling {
                let share = (ceiling - cheap_dollars) / (dear_dollars - cheap_dollars);
                let mean = cheap_mean + share * (dear_mean - cheap_mean);
                let arms = vec![(*cheap, 1.0 - share), (*dear, share)];
                best = better(best, Mixture { arms, mean, usd_per_request: ceiling });
            }
        }
    }
    Some(best)
}

fn better(a: Mixture, b: Mixture) -> Mixture {
    if b.mean > a.mean { b } else { a }
}

/// Position, mean reward and dollars of every arm that is there on every request, its dollars known.
fn worth(ground: &Ground<'_>) -> Vec<(usize, f64, f64)> {
    let mut sums = vec![(0.0, 0.0, 0u64); ground.arms()];
    let mut all = 0u64;
    ground.each(&mut |outcomes| {
        all += 1;
        for (outcome, (reward, dollars, n)) in outcomes.iter().zip(&mut sums) {
            if let Some((outcome, usd)) = outcome.as_ref().and_then(|outcome| Some((outcome, outcome.dollars?))) {
                *reward += outcome.reward;
                *dollars += usd;
                *n += 1;
            }
        }
    });
    let there = sums.into_iter().enumerate().filter(|(_, (_, _, n))| *n == all && all > 0);
    there.map(|(arm, (reward, dollars, n))| (arm, reward / n as f64, dollars / n as f64)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::problem::{ContextSource, Counting, Problem};
    use super::super::records::Records;
    use super::*;

    const ROWS: [&str; 2] = [
        r#"{"prompt":"p","x":[1],"quality":{"cheap":0.2,"mid":0.6,"dear":1},"cost_usd":{"cheap":1,"mid":2,"dear":9}}"#,
        r#"{"prompt":"q","x":[1],"quality":{"cheap":0.6,"mid":0.8,"dear":0.5},"cost_usd":{"cheap":1,"mid":2,"dear":11}}"#,
    ];

    fn problem() -> Problem {
        let records = Records::parse(ROWS.join("\n").as_bytes()).unwrap();
        Problem::new(&records, ContextSource::Recorded, Counting::quality_alone()).unwrap()
    }

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-12
    }

    #[test]
    fn yardsticks_of_two_rows_by_hand() {
        let problem = problem();
        let problem = Ground::new(&problem, Vec::new());
        assert!(close(random(&problem), 3.7 / 6.0));
        let single = best_fixed_set(&problem, 1).unwrap();
        assert!(single.arms == [2] && close(single.mean, 0.75));
        let pair = best_fixed_set(&problem, 2).unwrap();
        assert!(pair.arms == [1, 2] && close(pair.mean, 0.9));
    }

    #[test]
    fn a_ceiling_is_spent_on_the_best_pair() {
        let problem = problem();
        let problem = Ground::new(&problem, Vec::new());
        // mid (.7 for 2 dollars) and dear (.75 for 10): a ceiling of 4 buys a quarter of the way.
        let found = best_mixture(&problem, 4.0).unwrap();
        assert!(close(found.mean, 0.7125) && close(found.usd_per_request, 4.0), "{found:?}");
        // cheap (.4 for 1) and mid: half of each.
        assert!(close(best_mixture(&problem, 1.5).unwrap().mean, 0.55));
        assert!(close(best_mixture(&problem, 100.0).unwrap().mean, 0.75));
        assert_eq!(best_mixture(&problem, 0.5), None);
    }

    #[test]
    fn who_is_hardly_there_is_no_yardstick() {
        let mut rows = vec![r#"{"prompt":"p","x":[1],"quality":{"a":0.8,"b":0.6}}"#; 40];
        rows.push(r#"{"prompt":"p","x":[1],"quality":{"a":0.8,"b":0.6,"c":1}}"#);
        let records = Records::parse(rows.join("\n").as_bytes()).unwrap();
        let problem = Problem::new(&records, ContextSource::Recorded, Counting::quality_alone()).unwrap();
        assert_eq!(best_fixed_set(&Ground::new(&problem, Vec::new()), 1).unwrap().arms, [0]);
    }

    #[test]
    fn sets_are_enumerated_up_to_a_limit() {
        assert_eq!(subsets(4, 2).unwrap().len(), 6);
        assert_eq!(subsets(3, 3).unwrap(), [[0, 1, 2]]);
        assert_eq!(subsets(200, 5), None);
    }
}
