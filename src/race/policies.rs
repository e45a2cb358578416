//! The rules of the policies that stand beside the router: when the gate does not leave a run to it, how long a
//! conversation keeps its arm, and which strategies are compared. Numbers only, checked where settings are read.

use std::time::Duration;

use crate::domain::spec::Strategy;

/// All of them.
#[derive(Clone, Debug, PartialEq)]
pub struct PolicyRules {
    /// The gate.
    pub gate: GateRules,
    /// Conversations.
    pub session: SessionRules,
    /// Strategies that runs are assigned to at random, with their shares, which sum to 1; empty where none is.
    pub experiment: Vec<(Strategy, f64)>,
    /// Share of `direct` answers that are judged afterwards, in [0, 1].
    pub afterwards: f64,
}

impl Default for PolicyRules {
    fn default() -> Self {
        let (gate, session, experiment) = (GateRules::default(), SessionRules::default(), Vec::new());
        Self { gate, session, experiment, afterwards: 0.1 }
    }
}

/// When the gate does not leave a run to the router.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GateRules {
    /// Whether previews that are cheap and answers that do not fail do without the router.
    pub auto: bool,
    /// Distance to the nearest recent prompt from which one may be new, in [0, 1].
    pub novelty: f64,
    /// It is new where at most this share of recent prompts was as far from the others; 0 calls nothing new.
    pub novelty_share: f64,
    /// Previews and judge are cheap where they are at most this share of the dollars of recent races.
    pub cheap_share: f64,
    /// Answers do not fail where at most this share of recent runs had a fallback.
    pub low_fallback: f64,
}

/// How long a conversation keeps its arm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SessionRules {
    /// What another arm has to be expected, or judged, to be better by, in units of the reward.
    pub margin: f64,
    /// A conversation that was silent for so long is forgotten.
    pub ttl: Duration,
    /// Conversations that are remembered; 0 remembers none.
    pub max: usize,
}

impl Default for GateRules {
    fn default() -> Self {
        Self { auto: false, novelty: 0.6, novelty_share: 0.02, cheap_share: 0.25, low_fallback: 0.05 }
    }
}

impl Default for SessionRules {
    fn default() -> Self {
        Self { margin: 0.05, ttl: Duration::from_hours(1), max: 10_000 }
    }
}

/// The strategy at `u` in [0, 1), with its share.
pub(super) fn assigned(experiment: &[(Strategy, f64)], mut u: f64) -> Option<(Strategy, f64)> {
    for &(strategy, share) in experiment {
        if u < share {
            return Some((strategy, share));
        }
        u -= share;
    }
    experiment.last().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strategies_are_assigned_by_share() {
        let shares = [(Strategy::Race, 0.5), (Strategy::Direct, 0.3), (Strategy::Baseline, 0.2)];
        let mut counts = [0_u32; 3];
        for n in 0..1000 {
            let (strategy, _) = assigned(&shares, f64::from(n) / 1000.0).unwrap();
            counts[shares.iter().position(|(of, _)| *of == strategy).unwrap()] += 1;
        }
        assert_eq!(counts, [500, 300, 200]);
        assert_eq!(assigned(&shares, 0.999_999_999_999_999_9), Some((Strategy::Baseline, 0.2)));
        assert_eq!(assigned(&[], 0.5), None);
    }
}
