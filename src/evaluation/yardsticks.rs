//! What a policy is measured against, from the records alone and in hindsight: the best arm of every
//! prompt, the best arm of all, any arm, the best fixed set for a race, and the best fixed mixture of arms
//! under a ceiling of dollars.

use serde::Serialize;

use super::problem::Problem;

/// More sets than this are not enumerated.
const SETS: usize = 5_000;

/// The best fixed set of arms for a race.
#[derive(Clone, Debug, PartialEq)]
pub struct FixedSet {
    /// Positions, ascending.
    pub arms: Vec<usize>,
    /// Mean reward of whichever is judged best.
    pub mean: f64,
}

/// Mean reward where the best arm of every prompt answers; 0 without rows.
#[must_use]
pub fn oracle(problem: &Problem) -> f64 {
    mean_over_rows(problem, &|row| {
        problem.outcomes(row).iter().flatten().map(|outcome| outcome.reward).reduce(f64::max)
    })
}

/// Mean reward where any arm answers; 0 without rows.
#[must_use]
pub fn random(problem: &Problem) -> f64 {
    mean_over_rows(problem, &|row| {
        let rewards: Vec<f64> = problem.outcomes(row).iter().flatten().map(|outcome| outcome.reward).collect();
        super::statistics::mean(&rewards)
    })
}

/// The set of `k` arms with the highest mean reward of whichever of them is judged best, over the rows
/// that have one of them; `None` where there are too many sets to look at all.
#[must_use]
pub fn best_fixed_set(problem: &Problem, k: usize) -> Option<FixedSet> {
    let n = problem.arms().len();
    let sets = subsets(n, k.clamp(1, n.max(1)))?;
    let all = sets.into_iter().map(|arms| FixedSet { mean: mean_of_set(problem, &arms), arms });
    all.reduce(|best, other| if other.mean > best.mean { other } else { best })
}

fn mean_of_set(problem: &Problem, arms: &[usize]) -> f64 {
    mean_over_rows(problem, &|row| {
        let there = arms.iter().filter_map(|arm| problem.outcome(row, *arm));
        there.reduce(|best, other| if other.quality > best.quality { other } else { best }).map(|best| best.reward)
    })
}

fn mean_over_rows(problem: &Problem, value: &dyn Fn(usize) -> Option<f64>) -> f64 {
    let values: Vec<f64> = (0..problem.rows()).filter_map(value).collect();
    super::statistics::mean(&values).unwrap_or(0.0)
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
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Mixture {
    /// Position of the arm and its probability, at most two of them.
    pub arms: Vec<(usize, f64)>,
    /// Mean reward.
    pub mean: f64,
    /// Mean dollars per request.
    pub usd_per_request: f64,
}

/// The mixture with the highest mean reward whose mean dollars stay at or under the ceiling. With one
/// constraint two arms suffice (a vertex of the linear programme), so all pairs are looked at. `None`
/// where dollars are unknown, a row lacks an arm, or even the cheapest arm is above the ceiling.
#[must_use]
pub fn best_mixture(problem: &Problem, ceiling: f64) -> Option<Mixture> {
    let arms = (0..problem.arms().len()).map(|arm| worth(problem, arm)).collect::<Option<Vec<_>>>()?;
    let affordable = arms.iter().enumerate().filter(|(_, (_, dollars))| *dollars <= ceiling);
    let mut best = affordable
        .map(|(arm, (mean, dollars))| Mixture { arms: vec![(arm, 1.0)], mean: *mean, usd_per_request: *dollars })
        .reduce(better)?;
    for (cheap, (cheap_mean, cheap_dollars)) in arms.iter().enumerate() {
        for (dear, (dear_mean, dear_dollars)) in arms.iter().enumerate() {
            if *cheap_dollars <= ceiling && *dear_dollars > ceiling {
                let share = (ceiling - cheap_dollars) / (dear_dollars - cheap_dollars);
                let mean = cheap_mean + share * (dear_mean - cheap_mean);
                let arms = vec![(cheap, 1.0 - share), (dear, share)];
                best = better(best, Mixture { arms, mean, usd_per_request: ceiling });
            }
        }
    }
    Some(best)
}

fn better(a: Mixture, b: Mixture) -> Mixture {
    if b.mean > a.mean { b } else { a }
}

/// Mean reward and dollars of an arm that every row has.
fn worth(problem: &Problem, arm: usize) -> Option<(f64, f64)> {
    let (mut rewards, mut dollars) = (0.0, 0.0);
    for row in 0..problem.rows() {
        let outcome = problem.outcome(row, arm)?;
        rewards += outcome.reward;
        dollars += outcome.dollars?;
    }
    let n = problem.rows().max(1) as f64;
    Some((rewards / n, dollars / n))
}

#[cfg(test)]
mod tests {
    use super::super::problem::{ContextSource, Counting};
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
        assert!(close(oracle(&problem), 0.9) && close(random(&problem), 3.7 / 6.0));
        let single = best_fixed_set(&problem, 1).unwrap();
        assert!(single.arms == [2] && close(single.mean, 0.75));
        let pair = best_fixed_set(&problem, 2).unwrap();
        assert!(pair.arms == [1, 2] && close(pair.mean, 0.9));
    }

    #[test]
    fn a_ceiling_is_spent_on_the_best_pair() {
        let problem = problem();
        // mid (.7 for 2 dollars) and dear (.75 for 10): a ceiling of 4 buys a quarter of the way.
        let found = best_mixture(&problem, 4.0).unwrap();
        assert!(close(found.mean, 0.7125) && close(found.usd_per_request, 4.0), "{found:?}");
        // cheap (.4 for 1) and mid: half of each.
        assert!(close(best_mixture(&problem, 1.5).unwrap().mean, 0.55));
        assert!(close(best_mixture(&problem, 100.0).unwrap().mean, 0.75));
        assert_eq!(best_mixture(&problem, 0.5), None);
    }

    #[test]
    fn sets_are_enumerated_up_to_a_limit() {
        assert_eq!(subsets(4, 2).unwrap().len(), 6);
        assert_eq!(subsets(3, 3).unwrap(), [[0, 1, 2]]);
        assert_eq!(subsets(200, 5), None);
    }
}
