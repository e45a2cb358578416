//! What a policy would have earned, estimated from the log of another one.
//!
//! With `w = π(a|x) / p`, the probability of the logged action under the policy in question over the one it
//! was logged with, and `q̂` a model of the reward:
//!
//! ```text
//! IPS    mean of w·r                                    (Horvitz & Thompson 1952)
//! SNIPS  Σ w·r / Σ w                                    (Swaminathan & Joachims 2015)
//! DM     mean of Σ_a π(a|x) q̂(x, a)
//! DR     mean of Σ_a π(a|x) q̂(x, a) + w·(r − q̂(x, a))   (Dudík, Langford & Li 2011)
//! ```
//!
//! Where a race showed several arms at once, each with the probability p of being among them, a decision's
//! weight and its weighted reward are sums over the arms that were seen: Σ π(a|x)/p(a) and Σ π(a|x)/p(a) · r(a),
//! whose expectations are those of one action (inclusion probabilities; Horvitz & Thompson again).
//!
//! Standard errors are those of the mean (n − 1); that of SNIPS is the delta method's. None of this says
//! anything about actions that the log never takes: where the policy puts probability there, every estimate
//! is refused with the reason, because a number would be a guess that looks like a measurement.

use serde::Serialize;

/// One logged decision, seen from the policy in question.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Logged {
    /// What the logged action earned.
    pub reward: f64,
    /// The probability with which it was taken, in (0, 1].
    pub propensity: f64,
    /// The probability with which the policy in question takes it, in [0, 1].
    pub target: f64,
    /// What the model expects of it.
    pub modelled: f64,
    /// What the model expects of the policy in question here: `Σ_a π(a|x) q̂(x, a)`.
    pub modelled_target: f64,
    /// Probability that the policy in question puts on actions that could not have been logged here.
    pub unsupported: f64,
}

/// One logged decision as all estimates see it: its weights are taken already.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Weighed {
    /// Σ π/p over the actions that were seen.
    pub(super) weight: f64,
    /// Σ π/p · r.
    pub(super) reward: f64,
    /// Σ π/p · q̂.
    pub(super) modelled: f64,
    /// What the model expects of the policy in question here.
    pub(super) modelled_target: f64,
    /// Probability that the policy in question puts on actions that could not have been logged here.
    pub(super) unsupported: f64,
}

/// A number with its standard error.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// The estimate.
    pub value: f64,
    /// Its standard error.
    pub se: f64,
}

impl Estimate {
    /// The normal 95 % interval.
    #[must_use]
    pub fn interval(&self) -> [f64; 2] {
        [self.value - 1.96 * self.se, self.value + 1.96 * self.se]
    }
}

/// All estimates, and how far they can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct OffPolicy {
    /// Logged decisions.
    pub rows: usize,
    /// Inverse propensity score.
    pub ips: Estimate,
    /// Self-normalised inverse propensity score.
    pub snips: Estimate,
    /// The model alone.
    pub dm: Estimate,
    /// Doubly robust.
    pub dr: Estimate,
    /// `(Σ w)² / Σ w²`: as many decisions of the policy in question the log is worth.
    pub effective_sample_size: f64,
    /// The largest weight: one decision that counts as so many.
    pub largest_weight: f64,
}

/// Why there is no estimate.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum NoEstimate {
    /// Too little to estimate a spread.
    #[error("{found} logged decisions: expected at least 2")]
    TooFew {
        /// How many there are.
        found: usize,
    },
    /// A number is out of its range.
    #[error("logged decision {row}: {name} is {found}, expected {expected}")]
    OutOfRange {
        /// Counted from 1.
        row: usize,
        /// Which number.
        name: &'static str,
        /// What was found.
        found: f64,
        /// What was expected.
        expected: &'static str,
    },
    /// The policy takes actions that the log could not.
    #[error(
        "no support: on {rows} of {of} decisions the policy takes arms that could not have been logged there \
         (up to {largest:.3} of its probability); log with a share of exploration over all arms"
    )]
    NoSupport {
        /// Decisions where that is so.
        rows: usize,
        /// All decisions.
        of: usize,
        /// The largest probability on such actions.
        largest: f64,
    },
    /// The policy takes nothing that was logged.
    #[error("no overlap: the policy never takes an arm that was logged")]
    NoOverlap,
    /// The records are no log.
    #[error("the records hold no propensities: export runs with `banditop state export --runs`")]
    NoPropensities,
    /// Something was seen that had no chance of being seen.
    #[error("row {id:?}: {arm} was seen, with propensity {found}: expected a number in (0, 1]")]
    SeenWithoutChance {
        /// The row.
        id: String,
        /// The arm.
        arm: crate::domain::ids::ArmId,
        /// As logged.
        found: f64,
    },
    /// Chances that cannot be those of a race.
    #[error(
        "row {id:?} (and {others} more, which is all): its propensities do not sum to a whole number, as many as raced, nor \
         to `expected_raced`: they are not those of the choice (an older version exported runs under limits of shares so)"
    )]
    Uneven {
        /// The first such row.
        id: String,
        /// How many more there are.
        others: usize,
    },
    /// Somebody was lost, nobody knows who.
    #[error(
        "row {id:?} (and {others} more): fewer arms were judged than raced, and the log does not say who was lost: \
         export the runs again with this version"
    )]
    UnnamedLoss {
        /// The first such row.
        id: String,
        /// How many more there are.
        others: usize,
    },
    /// An arm that the policy takes hardly ever came to be judged.
    #[error(
        "{arm} was selected on {selected} runs and could not be judged on {lost} of them: what is left of it need not \
         be like the rest"
    )]
    MostlyLost {
        /// The arm.
        arm: crate::domain::ids::ArmId,
        /// How often it was selected.
        selected: u64,
        /// How often it was lost.
        lost: u64,
    },
    /// The log says next to nothing about the policy.
    #[error(
        "too little: the log is worth {found:.1} decisions of this policy (effective sample size), of {rows}; \
         {least:.0} are the least: log more runs, or explore a larger share"
    )]
    TooThin {
        /// The effective sample size.
        found: f64,
        /// Logged decisions.
        rows: usize,
        /// The least that is reported on.
        least: f64,
    },
}

/// Probability on unsupported actions up to this is rounding.
const ROUNDING: f64 = 1e-9;

/// All four estimates.
///
/// # Errors
/// [`NoEstimate`], where a number is out of its range or the log does not support the policy.
pub fn estimate(log: &[Logged]) -> Result<OffPolicy, NoEstimate> {
    check(log)?;
    let weigh = |l: &Logged| {
        let weight = l.target / l.propensity;
        let (reward, modelled) = (weight * l.reward, weight * l.modelled);
        Weighed { weight, reward, modelled, modelled_target: l.modelled_target, unsupported: l.unsupported }
    };
    of_weighed(&log.iter().map(weigh).collect::<Vec<_>>())
}

/// As [`estimate`], of decisions whose numbers are known to be sound.
pub(super) fn of_weighed(log: &[Weighed]) -> Result<OffPolicy, NoEstimate> {
    if log.len() < 2 {
        return Err(NoEstimate::TooFew { found: log.len() });
    }
    check_support(log)?;
    let n = log.len() as f64;
    let sum: f64 = log.iter().map(|l| l.weight).sum();
    let squares: f64 = log.iter().map(|l| l.weight * l.weight).sum();
    if sum <= 0.0 {
        return Err(NoEstimate::NoOverlap);
    }
    let over = |term: &dyn Fn(&Weighed) -> f64| log.iter().map(term).collect::<Vec<f64>>();
    let snips = log.iter().map(|l| l.reward).sum::<f64>() / sum;
    let spread: f64 = log.iter().map(|l| (l.reward - l.weight * snips).powi(2)).sum();
    Ok(OffPolicy {
        rows: log.len(),
        ips: of_mean(&over(&|l| l.reward)),
        snips: Estimate { value: snips, se: (spread * n / (n - 1.0)).sqrt() / sum },
        dm: of_mean(&over(&|l| l.modelled_target)),
        dr: of_mean(&over(&|l| l.modelled_target + l.reward - l.modelled)),
        effective_sample_size: sum * sum / squares,
        largest_weight: log.iter().map(|l| l.weight).fold(0.0, f64::max),
    })
}

fn of_mean(values: &[f64]) -> Estimate {
    let value = super::statistics::mean(values).unwrap_or(0.0);
    Estimate { value, se: super::statistics::standard_deviation(values) / (values.len() as f64).sqrt() }
}

fn check(log: &[Logged]) -> Result<(), NoEstimate> {
    if log.len() < 2 {
        return Err(NoEstimate::TooFew { found: log.len() });
    }
    for (at, logged) in log.iter().enumerate() {
        let positive = logged.propensity > 0.0 && logged.propensity <= 1.0;
        let faults = [
            (positive, "the propensity", logged.propensity, "a number in (0, 1]"),
            ((0.0..=1.0).contains(&logged.target), "the policy's probability", logged.target, "a number in [0, 1]"),
            (logged.reward.is_finite(), "the reward", logged.reward, "a finite number"),
            (logged.modelled.is_finite(), "the modelled reward", logged.modelled, "a finite number"),
            (logged.modelled_target.is_finite(), "the modelled value", logged.modelled_target, "a finite number"),
        ];
        if let Some((_, name, found, expected)) = faults.into_iter().find(|(good, ..)| !good) {
            return Err(NoEstimate::OutOfRange { row: at + 1, name, found, expected });
        }
    }
    Ok(())
}

fn check_support(log: &[Weighed]) -> Result<(), NoEstimate> {
    let without = log.iter().filter(|l| l.unsupported.is_nan() || l.unsupported > ROUNDING);
    let (rows, largest) = without.fold((0, 0.0), |(rows, largest), l| (rows + 1, f64::max(largest, l.unsupported)));
    if rows > 0 {
        return Err(NoEstimate::NoSupport { rows, of: log.len(), largest });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logged(reward: f64, propensity: f64, target: f64) -> Logged {
        Logged { reward, propensity, target, modelled: 0.5, modelled_target: 0.5, unsupported: 0.0 }
    }

    #[test]
    fn a_policy_like_the_log_earns_what_the_log_did() {
        let log = [logged(1.0, 0.5, 0.5), logged(0.0, 0.25, 0.25), logged(1.0, 0.5, 0.5), logged(0.0, 1.0, 1.0)];
        let found = estimate(&log).unwrap();
        assert!((found.ips.value - 0.5).abs() < 1e-12 && (found.snips.value - 0.5).abs() < 1e-12);
        assert!((found.effective_sample_size - 4.0).abs() < 1e-12 && (found.largest_weight - 1.0).abs() < 1e-12);
        assert!((found.dr.value - 0.5).abs() < 1e-12 && (found.dm.value - 0.5).abs() < 1e-12);
    }

    #[test]
    fn a_perfect_model_leaves_the_doubly_robust_estimate_without_correction() {
        let log: Vec<Logged> = [(1.0, 0.1), (0.0, 0.7), (0.5, 0.9)]
            .into_iter()
            .map(|(reward, target)| Logged { modelled: reward, modelled_target: 0.3, ..logged(reward, 0.5, target) })
            .collect();
        let found = estimate(&log).unwrap();
        assert!((found.dr.value - found.dm.value).abs() < 1e-12 && found.dr.se < 1e-12);
    }

    #[test]
    fn what_the_log_cannot_tell_is_refused_with_the_reason() {
        let good = logged(1.0, 0.5, 0.5);
        assert_eq!(estimate(&[good]), Err(NoEstimate::TooFew { found: 1 }));
        assert_eq!(estimate(&[logged(1.0, 0.5, 0.0), logged(0.0, 0.5, 0.0)]), Err(NoEstimate::NoOverlap));
        let beyond = estimate(&[good, Logged { unsupported: 0.25, ..good }]).unwrap_err();
        assert_eq!(beyond, NoEstimate::NoSupport { rows: 1, of: 2, largest: 0.25 });
        assert!(beyond.to_string().starts_with("no support: on 1 of 2 decisions"));
        for (row, name) in [
            (logged(1.0, 0.0, 0.5), "the propensity"),
            (logged(1.0, 0.5, 1.5), "the policy's probability"),
            (logged(f64::NAN, 0.5, 0.5), "the reward"),
        ] {
            let text = estimate(&[good, row]).unwrap_err().to_string();
            assert!(text.starts_with(&format!("logged decision 2: {name} is")), "{text}");
        }
    }
}
