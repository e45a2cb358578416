//! Who chooses the arms of a run, which ones, and why: in words, with the numbers that decided. The gate
//! reads one immutable picture of what was learned and is given its randomness; it does nothing.
//!
//! A pinned arm, a single arm and a decided context (strategy `auto`) need no race: their answer streams
//! at once.

use std::collections::BTreeMap;

use super::holds::Hold;
use super::opinion::{Held, Opinion, Told};
use crate::bandit::{Contexts, Desk, InFlight, RouterState, Selection, UNIFORM_SHARE, router};
use crate::domain::clock::Timestamp;
use crate::domain::context::Context;
use crate::domain::ids::ArmId;
use crate::domain::record::{ArmScore, EXPECTED_RACED, Gate, GateDecision, LEARNING_PAUSED};
use crate::domain::spec::{Lifecycle, RouterKind, SetChoice, Strategy};

/// The number that says what leaving a conversation's arm was expected to gain.
pub(super) const SESSION_GAIN: &str = "session_gain";

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
    /// How they are chosen.
    pub(crate) set: SetChoice,
    /// Standard deviations that make `auto` take a context for decided.
    pub(crate) auto_width: f64,
    /// What it is told beside what was learned.
    pub(crate) told: &'a Told,
    /// The wall clock.
    pub(crate) now: Timestamp,
    /// Runs under way under a ceiling of dollars.
    pub(crate) in_flight: InFlight,
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
    /// Whether what was learned orders full answers that verdicts do not.
    pub(crate) orders: bool,
    /// The arm that the conversation stays with.
    pub(crate) held: Option<ArmId>,
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
    /// As [`GateInput::plan`]. Under a ceiling it is made beside what other runs hold, and holds what the dearest
    /// chosen arm is expected to cost: who answers is not known before the verdict.
    pub(crate) fn plan_holding(self, hold: Option<&Hold>, draw: &mut dyn FnMut() -> f64) -> Plan {
        let Some(hold) = hold.filter(|_| self.state.budget_per_request().is_some()) else { return self.plan(draw) };
        hold.decide(|in_flight| {
            let gate = GateInput { in_flight, ..self };
            let plan = gate.plan(draw);
            let x = |arm: &ArmId| gate.context.of(gate.signals.get(arm));
            let dollars = plan.chosen.iter().filter_map(|arm| gate.state.expected_run_dollars(arm.as_str(), &x(arm)));
            let dearest = dollars.reduce(f64::max);
            (plan, dearest)
        })
    }

    /// Decides; `draw` gives uniforms in [0, 1).
    pub(crate) fn plan(&self, draw: &mut dyn FnMut() -> f64) -> Plan {
        let course = self.course();
        let is_open = course.imposed.is_none() && self.router != RouterKind::Baseline;
        let held = if is_open { self.held() } else { None };
        let stays = held.as_ref().filter(|held| held.stays).map(|held| held.arm.clone());
        let opinion = if is_open && stays.is_none() { self.opinion(course.strategy) } else { Opinion::Router };
        let k = if course.strategy == Strategy::Race { self.k.max(1) } else { 1 };
        let (kind, imposed, orders) = match (course.imposed, &opinion) {
            (Some(reason), _) => (RouterKind::Baseline, Some(reason), true),
            (None, Opinion::Configured { reason, orders }) => (RouterKind::Baseline, Some(reason.clone()), *orders),
            (None, _) => (self.router, None, true),
        };
        let (selection, limited) = match (&stays, &opinion) {
            (Some(arm), _) => (self.select_beside(arm, self.candidates, k, draw), None),
            (None, Opinion::Explore(_)) => (self.spread_within_shares(kind, k, draw), None),
            (None, _) if imposed.is_none() => self.within_shares(kind, k, draw),
            (None, _) => (self.select(kind, self.candidates, k, draw), None),
        };
        let is_limited = stays.is_none() && imposed.is_none() && self.has_bounds();
        let chosen: Vec<ArmId> = selection.scores.iter().filter(|s| s.selected).map(|s| s.arm.clone()).collect();
        let mut gate = match (imposed, opinion) {
            (Some(reason), _) => Gate::new(GateDecision::Baseline, reason),
            (None, Opinion::Explore(reason)) => Gate::new(GateDecision::Explore, reason),
            (None, _) if selection.explored => self.explored(kind),
            (None, _) => self.learned(kind, &selection.scores, chosen.len()),
        };
        gate.numbers = self.told.numbers();
        if let Some(held) = &held {
            gate.numbers.insert(SESSION_GAIN.to_owned(), held.gain);
            gate.numbers.insert("session_margin".to_owned(), self.told.session.margin);
        }
        if is_limited {
            let expected = selection.scores.iter().map(|score| score.propensity).sum();
            gate.numbers.insert(EXPECTED_RACED.to_owned(), expected);
        }
        let held = held.map(|held| self.of_conversation(&held));
        let paused = self.state.mode().learning_paused.then(|| LEARNING_PAUSED.to_owned());
        for note in course.note.into_iter().chain(held).chain(limited).chain(paused) {
            gate.reason = format!("{}; {note}", gate.reason);
        }
        Plan { strategy: course.strategy, gate, scores: selection.scores, chosen, orders, held: stays }
    }

    fn opinion(&self, strategy: Strategy) -> Opinion {
        let (is_paused, has_ceiling) = (self.state.mode().learning_paused, self.state.budget_per_request().is_some());
        self.told.opinion(strategy, is_paused, has_ceiling)
    }

    pub(super) fn select(
        &self,
        kind: RouterKind,
        among: &[ArmId],
        k: usize,
        draw: &mut dyn FnMut() -> f64,
    ) -> Selection {
        let own: Vec<f64> = among.iter().filter_map(|arm| self.signals.get(arm)).flatten().copied().collect();
        let contexts = Contexts::with_signals(self.context.shared(), &own).beside(self.in_flight);
        let mut desk = Desk::default();
        let first = if self.set == SetChoice::HighestScores { 1 } else { k };
        router(kind).select_on(&mut desk, self.state, contexts, among, first, draw);
        // The others follow by score.
        for score in desk.selection.scores.iter_mut().take(k) {
            score.selected = true;
        }
        desk.selection
    }

    /// The conversation's arm with certainty, and beside it what the router chooses of the others.
    pub(super) fn select_beside(
        &self,
        held: &ArmId,
        among: &[ArmId],
        k: usize,
        draw: &mut dyn FnMut() -> f64,
    ) -> Selection {
        let others: Vec<ArmId> = among.iter().filter(|arm| *arm != held).cloned().collect();
        let mut selection = self.select(self.router, &others, k.saturating_sub(1).max(1), draw);
        if k <= 1 {
            for score in &mut selection.scores {
                (score.selected, score.propensity) = (false, 0.0);
            }
        }
        let own = self.select(self.router, std::slice::from_ref(held), 1, draw);
        selection.scores.splice(0..0, own.scores);
        Selection { explored: selection.explored && k > 1, ..selection }
    }

    /// The same arms with k of them drawn uniformly: among those that are not on probation, where there are enough.
    pub(super) fn spread(&self, selection: Selection, k: usize, draw: &mut dyn FnMut() -> f64) -> Selection {
        let mut scores = selection.scores;
        let is_settled =
            |s: &ArmScore| self.state.arm(s.arm.as_str()).is_some_and(|view| view.lifecycle == Lifecycle::Active);
        let settled: Vec<usize> = (0..scores.len()).filter(|&i| is_settled(&scores[i])).collect();
        let mut open = if settled.len() >= k { settled } else { (0..scores.len()).collect() };
        let (n, k) = (open.len(), k.min(open.len()));
        for score in &mut scores {
            (score.selected, score.propensity) = (false, 0.0);
        }
        for &i in &open {
            scores[i].propensity = k as f64 / n as f64;
        }
        for _ in 0..k {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a uniform times a small count"
            )]
            let at = ((draw() * open.len() as f64) as usize).min(open.len() - 1);
            scores[open.swap_remove(at)].selected = true;
        }
        scores.sort_by(|a, b| b.selected.cmp(&a.selected).then(b.score.total_cmp(&a.score)));
        Selection { scores, explored: true }
    }

    fn of_conversation(&self, held: &Held) -> String {
        let (arm, gain, margin) = (&held.arm, held.gain, self.told.session.margin);
        if held.stays {
            format!("the conversation stays with {arm}: leaving would gain {gain:.3}, the margin is {margin:.3}")
        } else {
            format!("the conversation leaves {arm}: that gains {gain:.3}, more than the margin of {margin:.3}")
        }
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

    fn explored(&self, kind: RouterKind) -> Gate {
        let share = self.state.explore_share() * 100.0;
        let beside = if kind == RouterKind::Lints && self.k > 1 {
            format!(", and {:.1} % of the races of posterior draws", UNIFORM_SHARE * 100.0)
        } else {
            String::new()
        };
        let reason = format!("exploration draw: {share:.1} % of runs{beside} choose their arms uniformly");
        Gate::new(GateDecision::Explore, reason)
    }

    /// A score of one of whom nothing was seen is no expectation, and may be above 1: what it is made of, apart.
    fn leads_unseen(&self, s: &ArmScore) -> String {
        let optimism = self.state.config().prior.optimism;
        let price = if self.state.budget_per_request().is_some() { ", less its price under the ceiling" } else { "" };
        format!(
            "; {} goes first: {:.3} is believed of it before any data (up to {optimism:.2} of that optimism), {:+.3} \
             for trying what is not known{price}",
            s.arm,
            s.mean,
            s.score - s.mean
        )
    }

    fn learned(&self, kind: RouterKind, scores: &[ArmScore], chosen: usize) -> Gate {
        let of = self.candidates.len();
        if kind == RouterKind::Baseline {
            let reason = format!("router baseline: {chosen} of {of} arms in configured order");
            return Gate::new(GateDecision::Baseline, reason);
        }
        let (arms, have) = if of == 1 { ("arm", "has") } else { ("arms", "have") };
        if kind == RouterKind::Uniform {
            let reason = format!("router uniform: {chosen} of {of} {arms}, each with the same chance");
            return Gate::new(GateDecision::Explore, reason);
        }
        let name = kind.name();
        let is_unseen = |arm: &&ArmId| self.state.arm(arm.as_str()).is_none_or(|view| view.effective_n <= 0.0);
        let unseen = self.candidates.iter().filter(is_unseen).count();
        let leader = scores.iter().find(|s| s.selected);
        let leads = leader.map_or_else(String::new, |s| {
            if is_unseen(&&s.arm) {
                return self.leads_unseen(s);
            }
            format!("; {} leads with score {:.3}, {:.3} ± {:.3}", s.arm, s.score, s.mean, s.uncertainty)
        });
        let reason = if unseen > 0 {
            format!("cold start: {unseen} of {of} {arms} {have} no data, {name} chose {chosen} by their priors{leads}")
        } else {
            format!("{name} chose {chosen} of {of} {arms} at alpha {:.2}{leads}", self.state.alpha())
        };
        Gate::new(GateDecision::Bandit, reason)
    }
}
