//! What the gate is told beside what was learned, and what it makes of it: how new a prompt is, what recent
//! previews cost, and who answered the conversation so far. Each says its numbers, whatever it decides.
//!
//! - A prompt that is unlike nearly everything recent explores: its arms are drawn uniformly. Where nothing
//!   would be learned from that (learning is paused) it is a case for the configured order instead, and under a
//!   ceiling of dollars the priced scores decide as ever.
//! - `gate.auto`: while previews are a small part of what races cost, and answers hardly ever fail, the
//!   configured order picks the arms and the judge the answer; where answers do fail, what was learned still
//!   orders them.
//! - A conversation stays with its arm unless another is expected to be better by more than the margin.

use std::collections::BTreeMap;

use super::gate::GateInput;
use super::policies::{GateRules, SessionRules};
use super::recollection::RecentCosts;
use crate::domain::ids::ArmId;
use crate::domain::record::LEARNING_PAUSED;
use crate::domain::spec::Strategy;
use crate::features::Novelty;

/// What the gate is told beside what was learned.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    /// The rules.
    pub(crate) gate: GateRules,
    /// How new the prompt is; absent while too few are known.
    pub(crate) novelty: Option<Novelty>,
    /// What recent runs cost; absent while too few are known.
    pub(crate) costs: Option<RecentCosts>,
    /// Rules of conversations.
    pub(crate) session: SessionRules,
    /// Who answered the conversation so far, where there is one.
    pub(crate) answered: Option<ArmId>,
}

/// What follows for a run that nothing else has decided.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Opinion {
    /// The router chooses.
    Router,
    /// Arms are drawn uniformly.
    Explore(String),
    /// Arms are taken in configured order; `orders`: whether what was learned orders full answers.
    Configured { reason: String, orders: bool },
}

impl Told {
    /// Every number, by name.
    pub(super) fn numbers(&self) -> BTreeMap<String, f64> {
        let mut numbers = BTreeMap::new();
        let mut put = |name: &str, value: f64| {
            numbers.insert(name.to_owned(), value);
        };
        if let Some(Novelty { distance, frequency, seen }) = self.novelty {
            put("novelty_distance", distance);
            put("novelty_frequency", frequency);
            put("novelty_seen", seen as f64);
        }
        if let Some(RecentCosts { preview_share, fallback_rate, runs }) = self.costs.filter(|_| self.gate.auto) {
            put("preview_share", preview_share);
            put("fallback_rate", fallback_rate);
            put("recent_runs", runs as f64);
        }
        numbers
    }

    fn is_new(&self) -> Option<Novelty> {
        let is_new = |n: &Novelty| n.distance >= self.gate.novelty && n.frequency <= self.gate.novelty_share;
        self.novelty.filter(|novelty| self.gate.novelty_share > 0.0 && is_new(novelty))
    }

    /// What follows; `is_paused`: nothing would be learned, `has_ceiling`: dollars are rationed.
    pub(super) fn opinion(&self, strategy: Strategy, is_paused: bool, has_ceiling: bool) -> Opinion {
        if let Some(Novelty { distance, frequency, .. }) = self.is_new().filter(|_| !has_ceiling) {
            let found = format!(
                "a new kind of prompt: {distance:.2} from the nearest recent one, {:.1} % were as far",
                frequency * 100.0
            );
            return if is_paused {
                Opinion::Configured { reason: format!("{found}; {LEARNING_PAUSED}, so configured order"), orders: true }
            } else {
                Opinion::Explore(format!("{found}; its arms are drawn uniformly"))
            };
        }
        let Some(costs) = self.costs.filter(|_| self.gate.auto && strategy == Strategy::Race) else {
            return Opinion::Router;
        };
        let RecentCosts { preview_share, fallback_rate, runs } = costs;
        if preview_share > self.gate.cheap_share {
            return Opinion::Router;
        }
        let orders = fallback_rate > self.gate.low_fallback;
        let use_of_it = if orders { "the bandit only orders full answers" } else { "the bandit is skipped" };
        let reason = format!(
            "automatic: previews were {:.1} % of the dollars of {runs} recent runs (cheap up to {:.1} %), {:.1} % fell back (low up to {:.1} %): {use_of_it}",
            preview_share * 100.0,
            self.gate.cheap_share * 100.0,
            fallback_rate * 100.0,
            self.gate.low_fallback * 100.0
        );
        Opinion::Configured { reason, orders }
    }
}

/// Who answered a conversation so far, and what leaving would gain.
pub(super) struct Held {
    pub(super) arm: ArmId,
    /// The best expected reward less that of the arm.
    pub(super) gain: f64,
    pub(super) stays: bool,
}

impl GateInput<'_> {
    /// The conversation's arm, where it can be asked.
    pub(super) fn held(&self) -> Option<Held> {
        let arm = self.told.answered.as_ref().filter(|arm| self.candidates.contains(arm))?;
        let mean = |arm: &ArmId| Some(self.state.estimate(arm.as_str(), &self.context.of(self.signals.get(arm)))?.mean);
        let own = mean(arm)?;
        let best = self.candidates.iter().filter_map(mean).fold(own, f64::max);
        let gain = best - own;
        Some(Held { arm: arm.clone(), gain, stays: gain <= self.told.session.margin })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(auto: bool, novelty: Option<(f64, f64)>, costs: Option<(f64, f64)>) -> Told {
        Told {
            gate: GateRules { auto, ..GateRules::default() },
            novelty: novelty.map(|(distance, frequency)| Novelty { distance, frequency, seen: 100 }),
            costs: costs.map(|(preview_share, fallback_rate)| RecentCosts { preview_share, fallback_rate, runs: 50 }),
            ..Told::default()
        }
    }

    fn word(opinion: &Opinion) -> &'static str {
        match opinion {
            Opinion::Router => "router",
            Opinion::Explore(_) => "explore",
            Opinion::Configured { orders: true, .. } => "orders",
            Opinion::Configured { orders: false, .. } => "skipped",
        }
    }

    #[test]
    fn each_case_has_its_answer() {
        let rows = [
            (told(false, None, None), "router"),
            (told(false, Some((0.9, 0.01)), None), "explore"),
            (told(false, Some((0.9, 0.5)), None), "router"),
            (told(false, Some((0.3, 0.0)), None), "router"),
            (told(false, None, Some((0.0, 0.0))), "router"),
            (told(true, None, None), "router"),
            (told(true, None, Some((0.1, 0.01))), "skipped"),
            (told(true, None, Some((0.1, 0.2))), "orders"),
            (told(true, None, Some((0.6, 0.0))), "router"),
        ];
        for (told, expected) in rows {
            assert_eq!(word(&told.opinion(Strategy::Race, false, false)), expected, "{told:?}");
        }
        let new = told(true, Some((0.9, 0.0)), Some((0.1, 0.0)));
        assert_eq!(word(&new.opinion(Strategy::Race, true, false)), "orders", "nothing is learned from it");
        assert_eq!(word(&new.opinion(Strategy::Race, false, true)), "skipped", "dollars are rationed");
        assert_eq!(word(&told(true, None, Some((0.1, 0.0))).opinion(Strategy::Direct, false, false)), "router");
        assert_eq!(new.numbers().len(), 6);
    }
}
