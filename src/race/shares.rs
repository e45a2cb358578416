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
//! Propensities are those of the branch that chance took, weighed where an arm can be chosen in one branch
//! alone: an estimate that divides by them is unbiased. They need not sum to k.

use super::gate::GateInput;
use crate::bandit::Selection;
use crate::domain::ids::ArmId;
use crate::domain::spec::RouterKind;

/// One arm's bounds at this moment.
struct Bounds {
    arm: ArmId,
    least: f64,
    most: f64,
}

impl GateInput<'_> {
    fn bounds(&self) -> Vec<Bounds> {
        let of = |arm: &ArmId| {
            let (limits, since) = self.state.arm(arm.as_str())?.share_limits?;
            let (least, most) = limits.after(self.now.since(since));
            Some(Bounds { arm: arm.clone(), least, most })
        };
        self.candidates.iter().filter_map(of).collect()
    }

    /// k arms drawn uniformly, of those that their most lets into this run.
    pub(super) fn spread_within_shares(&self, kind: RouterKind, k: usize, draw: &mut dyn FnMut() -> f64) -> Selection {
        let bounds = self.bounds();
        if bounds.is_empty() {
            return self.spread(self.select(kind, self.candidates, k, draw), k, draw);
        }
        let out = left_out(bounds.iter().map(|bound| (&bound.arm, bound.most)), draw());
        let mut open: Vec<ArmId> = self.candidates.iter().filter(|arm| !out.contains(arm)).cloned().collect();
        if open.is_empty() {
            open = self.candidates.to_vec();
        }
        let mut selection = self.spread(self.select(kind, &open, k, draw), k, draw);
        for score in &mut selection.scores {
            let most = bounds.iter().find(|bound| bound.arm == score.arm).map_or(1.0, |bound| bound.most);
            score.propensity *= most;
        }
        self.add_those_left_out(kind, &mut selection, draw);
        selection
    }

    /// The router's choice within every arm's bounds, and whom they put in or left out.
    pub(super) fn within_shares(
        &self,
        kind: RouterKind,
        k: usize,
        draw: &mut dyn FnMut() -> f64,
    ) -> (Selection, Option<String>) {
        let bounds = self.bounds();
        if bounds.is_empty() {
            return (self.select(kind, self.candidates, k, draw), None);
        }
        let mut u = draw();
        let sum: f64 = bounds.iter().map(|bound| bound.least).sum();
        let mut forced = None;
        for bound in &bounds {
            if u < bound.least {
                forced = Some(&bound.arm);
                break;
            }
            u -= bound.least;
        }
        // In the runs that the arm's own least share does not take, the most is what is left of it.
        let free = |bound: &Bounds| if k == 1 { 1.0 - sum } else { 1.0 - bound.least };
        let entry = |bound: &Bounds| ((bound.most - bound.least) / free(bound).max(1e-12)).clamp(0.0, 1.0);
        let out = left_out(bounds.iter().map(|bound| (&bound.arm, entry(bound))), draw());
        let mut open: Vec<ArmId> = self.candidates.iter().filter(|arm| !out.contains(arm)).cloned().collect();
        if open.is_empty() && forced.is_none() {
            return (self.select(kind, self.candidates, k, draw), None);
        }
        let note = note(forced, &out);
        let mut selection = match forced {
            Some(arm) => self.select_beside(arm, &open, k, draw),
            None => self.select(kind, &open, k, draw),
        };
        // The arm that was taken could have been chosen too.
        let anyway = forced.map_or(0.0, |arm| {
            if !open.contains(arm) {
                open.push(arm.clone());
            }
            let scores = self.select(kind, &open, k, draw).scores;
            scores.iter().find(|score| score.arm == *arm).map_or(0.0, |score| score.propensity)
        });
        for score in &mut selection.scores {
            let chosen = if forced == Some(&score.arm) { anyway } else { score.propensity };
            let bound = bounds.iter().find(|bound| bound.arm == score.arm);
            score.propensity = match bound {
                Some(bound) => bound.least + free(bound) * entry(bound) * chosen,
                // With k = 1 a run that is taken leaves no place for another.
                None if k == 1 => (1.0 - sum) * chosen,
                None => chosen,
            }
            .clamp(0.0, 1.0);
        }
        self.add_those_left_out(kind, &mut selection, draw);
        (selection, note)
    }

    /// Everybody is scored, whoever could be chosen.
    fn add_those_left_out(&self, kind: RouterKind, selection: &mut Selection, draw: &mut dyn FnMut() -> f64) {
        let missing: Vec<ArmId> = self
            .candidates
            .iter()
            .filter(|arm| selection.scores.iter().all(|score| score.arm != **arm))
            .cloned()
            .collect();
        let mut rest = self.select(kind, &missing, missing.len(), draw).scores;
        for score in &mut rest {
            (score.selected, score.propensity) = (false, 0.0);
        }
        selection.scores.extend(rest);
    }
}

/// Whom bounds put into a run and whom they left out, in words; `None` where they changed nothing.
fn note(forced: Option<&ArmId>, out: &[ArmId]) -> Option<String> {
    let left_out: Vec<&str> = out.iter().filter(|arm| Some(*arm) != forced).map(ArmId::as_str).collect();
    let put_in = forced.map(|arm| format!("{arm} takes part by its least share"));
    let left_out = (!left_out.is_empty()).then(|| format!("left out by the most share: {}", left_out.join(", ")));
    let parts: Vec<String> = put_in.into_iter().chain(left_out).collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// Who is left out of a run, each with the probability that its part leaves, by one uniform for all: each arm's part
/// begins where the last one's ends, round and round, so that as long as the parts sum to 1 somebody is always let in.
fn left_out<'a>(parts: impl Iterator<Item = (&'a ArmId, f64)>, v: f64) -> Vec<ArmId> {
    let (mut out, mut from) = (Vec::new(), 0.0);
    for (arm, part) in parts {
        let distance: f64 = v - from;
        if distance.rem_euclid(1.0) >= part {
            out.push(arm.clone());
        }
        from = (from + part).fract();
    }
    out
}
