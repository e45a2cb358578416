//! Who chooses the arms of a run, which ones, and why: in words, with the numbers that decided. The gate
//! reads one immutable picture of what was learned and is given its randomness; it does nothing.
//!
//! A pinned arm, a single arm and a decided context (strategy `auto`) need no race: their answer streams
//! at once.

use std::collections::BTreeMap;

use crate::bandit::{Contexts, Desk, RouterState, router};
use crate::domain::context::Context;
use crate::domain::ids::ArmId;
use crate::domain::record::{ArmScore, Gate, GateDecision};
use crate::domain::spec::{RouterKind, Strategy};

/// What the gate looks at.
pub(crate) struct GateInput<'a> {
    /// What was learned.
    pub(crate) state: &'a RouterState,
    /// The prompt as numbers.
    pub(crate) context: &'a Context,
    /// Each candidate's last dimensions, where the schema has signals about arms.
    pub(crate) signals: &'a BTreeMap<ArmId, Vec<f64>>,
    /// Arms that can be called, in pool order.
    pub(crate) candidates: &'a [ArmId],
    /// How arms are chosen, as configured.
    pub(crate) router: RouterKind,
    /// The strategy in force, unless the mode has another.
    pub(crate) strategy: Strategy,
    /// Previews per race.
    pub(crate) k: usize,
    /// Standard deviations that make `auto` take a context for decided.
    pub(crate) auto_width: f64,
}

/// What the gate decided.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// `Race`, `Direct` or `Baseline`; never `Auto`.
    pub(crate) strategy: Strategy,
    /// Who decided, and why.
    pub(crate) gate: Gate,
    /// Every candidate.
    pub(crate) scores: Vec<ArmScore>,
    /// The chosen arms, best first.
    pub(crate) chosen: Vec<ArmId>,
}

/// How a run is to go, and who decides it.
struct Course {
    strategy: Strategy,
    /// Where not the router's own choice: configured order, with the reason.
    imposed: Option<String>,
    /// Where `auto` or the size of the pool had a say.
    note: Option<String>,
}

impl GateInput<'_> {
    /// Decides; `draw` gives uniforms in [0, 1).
    pub(crate) fn plan(&self, draw: &mut dyn FnMut() -> f64) -> Plan {
        let course = self.course();
        let kind = if course.imposed.is_some() { RouterKind::Baseline } else { self.router };
        let k = if course.strategy == Strategy::Race { self.k.max(1) } else { 1 };
        let own: Vec<f64> = self.candidates.iter().filter_map(|arm| self.signals.get(arm)).flatten().copied().collect();
        let contexts = Contexts::with_signals(self.context.shared(), &own);
        let mut desk = Desk::default();
        router(kind).select_on(&mut desk, self.state, contexts, self.candidates, k, draw);
        let selection = desk.selection;
        let chosen: Vec<ArmId> = selection.scores.iter().filter(|s| s.selected).map(|s| s.arm.clone()).collect();
        let mut gate = match course.imposed {
            Some(reason) => Gate::new(GateDecision::Baseline, reason),
            None if selection.explored => self.explored(),
            None => self.learned(kind, &selection.scores, chosen.len()),
        };
        let paused = self.state.mode().learning_paused.then(|| "learning is paused".to_owned());
        for note in course.note.into_iter().chain(paused) {
            gate.reason = format!("{}; {note}", gate.reason);
        }
        Plan { strategy: course.strategy, gate, scores: selection.scores, chosen }
    }

    fn course(&self) -> Course {
        let mode = self.state.mode();
        let wanted = mode.strategy.unwrap_or(self.strategy);
        if let Some(pinned) = mode.pinned.as_ref().filter(|p| self.candidates.contains(p)) {
            let imposed = Some(format!("pinned to {pinned} by an operator"));
            return Course { strategy: Strategy::Direct, imposed, note: None };
        }
        match (wanted, self.candidates) {
            (Strategy::Baseline, _) => {
                let imposed = Some("strategy baseline: arms answer in configured order".to_owned());
                Course { strategy: Strategy::Baseline, imposed, note: None }
            }
            (Strategy::Direct, _) => Course { strategy: Strategy::Direct, imposed: None, note: None },
            (_, [only]) => {
                let note = Some(format!("{only} is the only arm that can be asked, so there is nothing to race"));
                Course { strategy: Strategy::Direct, imposed: None, note }
            }
            (Strategy::Race, _) => Course { strategy: Strategy::Race, imposed: None, note: None },
            (Strategy::Auto, _) => self.auto(),
        }
    }

    /// Race while the intervals of the leader and of any other arm overlap.
    fn auto(&self) -> Course {
        let estimate = |arm: &ArmId| {
            let estimate = self.state.estimate(arm.as_str(), &self.context.of(self.signals.get(arm)))?;
            Some((arm.clone(), estimate.mean, self.auto_width * estimate.uncertainty))
        };
        let known: Vec<(ArmId, f64, f64)> = self.candidates.iter().filter_map(estimate).collect();
        let Some((leader, mean, width)) = known.iter().max_by(|a, b| a.1.total_cmp(&b.1)) else {
            return Course { strategy: Strategy::Race, imposed: None, note: Some("auto: nothing is known".to_owned()) };
        };
        let low = mean - width;
        let others = known.iter().filter(|(arm, ..)| arm != leader);
        let Some((rival, rival_mean, rival_width)) = others.max_by(|a, b| (a.1 + a.2).total_cmp(&(b.1 + b.2))) else {
            return Course { strategy: Strategy::Direct, imposed: None, note: Some("auto: one arm".to_owned()) };
        };
        let high = rival_mean + rival_width;
        let (strategy, word) = if low > high { (Strategy::Direct, "decided") } else { (Strategy::Race, "undecided") };
        let note = format!("auto: {word}, {leader} is worth at least {low:.3} and {rival} at most {high:.3}");
        Course { strategy, imposed: None, note: Some(note) }
    }

    fn explored(&self) -> Gate {
        let share = self.state.explore_share() * 100.0;
        let reason = format!("exploration draw: {share:.1} % of runs choose their arms uniformly");
        Gate::new(GateDecision::Explore, reason)
    }

    fn learned(&self, kind: RouterKind, scores: &[ArmScore], chosen: usize) -> Gate {
        let of = self.candidates.len();
        if kind == RouterKind::Baseline {
            let reason = format!("router baseline: {chosen} of {of} arms in configured order");
            return Gate::new(GateDecision::Baseline, reason);
        }
        let name = kind.name();
        let is_unseen = |arm: &&ArmId| self.state.arm(arm.as_str()).is_none_or(|view| view.effective_n <= 0.0);
        let unseen = self.candidates.iter().filter(is_unseen).count();
        let leader = scores.iter().find(|s| s.selected);
        let leads = leader.map_or_else(String::new, |s| {
            format!("; {} leads with score {:.3}, {:.3} ± {:.3}", s.arm, s.score, s.mean, s.uncertainty)
        });
        let reason = if unseen > 0 {
            format!("cold start: {unseen} of {of} arms have no data, {name} chose {chosen} by their priors{leads}")
        } else {
            format!("{name} chose {chosen} of {of} arms at alpha {:.2}{leads}", self.state.alpha())
        };
        Gate::new(GateDecision::Bandit, reason)
    }
}
