//! Bounds of the share of runs that an arm takes part in, held by chance in every single run, so that they hold
//! over any run of traffic, in any context, and however many runs are started between two pictures of the state.
//!
//! ```text
//! an arm with most < 1 may be chosen in a run with probability `most`, else it is left out of it
//! an arm with least > 0 is taken with probability `least`, whatever the scores say (one such arm in a run)
//! ```
//!
//! So P(takes part) lies between least and most. An arm left out of the choice may still answer where all others
//! failed. Bounds that leave a part of the runs to nobody (all are bounded, and the most of all sum to less than 1)
//! cannot hold: in that part none does. A new kind of prompt draws uniformly among the arms that the most lets in,
//! and no least forces one in. What a pinned arm, a configured order or a conversation that stays decides comes before.
//!
//! Propensities are summed over every way that chance could have gone: an arm that was left out this time states the
//! chance that it had. The router is asked once for each way; there are at most
//! (arms with a least + 1) × (2 × arms with a most + 1) of them.

use super::gate::GateInput;
use crate::bandit::{Bounds, Selection, Way};
use crate::domain::ids::ArmId;
use crate::domain::record::ArmScore;
use crate::domain::spec::RouterKind;

/// How arms are chosen of those that are open, beside the one that is put in.
type Choose<'a> = dyn Fn(&[ArmId], Option<&ArmId>, &mut dyn FnMut() -> f64) -> Selection + 'a;

impl GateInput<'_> {
    /// Who is bounded at this moment, and how.
    fn bounds(&self) -> (Vec<ArmId>, Vec<Bounds>) {
        let of = |arm: &ArmId| Some((arm.clone(), self.state.arm(arm.as_str())?.bounds(self.now)?));
        self.candidates.iter().filter_map(of).unzip()
    }

    /// Whether any candidate's share is bounded.
    pub(super) fn has_bounds(&self) -> bool {
        !self.bounds().0.is_empty()
    }

    /// k arms drawn uniformly, of those that their most lets into this run.
    pub(super) fn spread_within_shares(&self, kind: RouterKind, k: usize, draw: &mut dyn FnMut() -> f64) -> Selection {
        let choose = |open: &[ArmId], _: Option<&ArmId>, draw: &mut dyn FnMut() -> f64| {
            self.spread(self.select(kind, open, k, draw), k, draw)
        };
        let (bounded, bounds) = self.bounds();
        if bounds.is_empty() {
            return choose(self.candidates, None, draw);
        }
        self.by_chance(kind, &bounded, &Way::without_leasts(&bounds), &choose, draw).0
    }

    /// The router's choice within every arm's bounds, and whom they put in or left out.
    pub(super) fn within_shares(
        &self,
        kind: RouterKind,
        k: usize,
        draw: &mut dyn FnMut() -> f64,
    ) -> (Selection, Option<String>) {
        let (bounded, bounds) = self.bounds();
        if bounds.is_empty() {
            return (self.select(kind, self.candidates, k, draw), None);
        }
        let choose = |open: &[ArmId], forced: Option<&ArmId>, draw: &mut dyn FnMut() -> f64| match forced {
            Some(arm) => self.select_beside(arm, open, k, draw),
            None => self.select(kind, open, k, draw),
        };
        self.by_chance(kind, &bounded, &Way::all(&bounds, k), &choose, draw)
    }

    /// Lets chance go one of its ways, and states every arm's propensity over all of them.
    fn by_chance(
        &self,
        kind: RouterKind,
        bounded: &[ArmId],
        ways: &[Way],
        choose: &Choose<'_>,
        draw: &mut dyn FnMut() -> f64,
    ) -> (Selection, Option<String>) {
        let taken = drawn(ways, draw());
        let (mut selection, mut note) = (Selection::default(), None);
        let mut propensity = vec![0.0; self.candidates.len()];
        for (at, way) in ways.iter().enumerate() {
            let forced = way.forced.map(|i| &bounded[i]);
            let is_out = |arm: &ArmId| way.out.iter().any(|i| bounded[*i] == *arm);
            let mut open: Vec<ArmId> = self.candidates.iter().filter(|arm| !is_out(arm)).cloned().collect();
            let holds = forced.is_some() || !open.is_empty();
            if !holds {
                open = self.candidates.to_vec();
            }
            let found = choose(&open, forced, draw);
            for (arm, sum) in self.candidates.iter().zip(&mut propensity) {
                let own = found.scores.iter().find(|score| score.arm == *arm);
                *sum += way.probability * own.map_or(0.0, |score| score.propensity);
            }
            if at == taken {
                let out: Vec<&str> = way.out.iter().map(|i| bounded[*i].as_str()).collect();
                (selection, note) = (found, holds.then(|| said(forced, &out)).flatten());
            }
        }
        self.add_those_left_out(kind, &mut selection, draw);
        let of = |score: &ArmScore| self.candidates.iter().position(|arm| *arm == score.arm);
        for score in &mut selection.scores {
            score.propensity = of(score).map_or(0.0, |i| propensity[i]).clamp(0.0, 1.0);
        }
        (selection, note)
    }

    /// Everybody is scored, whoever could be chosen.
    fn add_those_left_out(&self, kind: RouterKind, selection: &mut Selection, draw: &mut dyn FnMut() -> f64) {
        let is_missing = |arm: &ArmId| selection.scores.iter().all(|score| score.arm != *arm);
        let missing: Vec<ArmId> = self.candidates.iter().filter(|arm| is_missing(arm)).cloned().collect();
        let mut rest = self.select(kind, &missing, missing.len(), draw).scores;
        for score in &mut rest {
            score.selected = false;
        }
        selection.scores.extend(rest);
    }
}

/// Whom bounds put into a run and whom they left out, in words; `None` where they changed nothing.
fn said(forced: Option<&ArmId>, out: &[&str]) -> Option<String> {
    let left_out: Vec<&str> = out.iter().copied().filter(|arm| forced.is_none_or(|put| put.as_str() != *arm)).collect();
    let put_in = forced.map(|arm| format!("{arm} takes part by its least share"));
    let left_out = (!left_out.is_empty()).then(|| format!("left out by the most share: {}", left_out.join(", ")));
    let parts: Vec<String> = put_in.into_iter().chain(left_out).collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// Which way a uniform goes.
fn drawn(ways: &[Way], u: f64) -> usize {
    let mut left = u;
    for (at, way) in ways.iter().enumerate() {
        if left < way.probability {
            return at;
        }
        left -= way.probability;
    }
    ways.len().saturating_sub(1)
}
