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
use crate::bandit::Selection;
use crate::domain::ids::ArmId;
use crate::domain::record::ArmScore;
use crate::domain::spec::RouterKind;

/// One arm's bounds at this moment.
struct Bounds {
    arm: ArmId,
    least: f64,
    most: f64,
}

/// One way that chance may go, with its probability: by position in the bounds, whom it puts in and whom it leaves out.
#[derive(Clone, Debug)]
struct Way {
    probability: f64,
    forced: Option<usize>,
    out: Vec<usize>,
}

/// How arms are chosen of those that are open, beside the one that is put in.
type Choose<'a> = dyn Fn(&[ArmId], Option<&ArmId>, &mut dyn FnMut() -> f64) -> Selection + 'a;

impl GateInput<'_> {
    fn bounds(&self) -> Vec<Bounds> {
        let of = |arm: &ArmId| {
            let (limits, since) = self.state.arm(arm.as_str())?.share_limits?;
            let (least, most) = limits.after(self.now.since(since));
            Some(Bounds { arm: arm.clone(), least, most })
        };
        self.candidates.iter().filter_map(of).collect()
    }

    /// Whether any candidate's share is bounded.
    pub(super) fn has_bounds(&self) -> bool {
        !self.bounds().is_empty()
    }

    /// k arms drawn uniformly, of those that their most lets into this run.
    pub(super) fn spread_within_shares(&self, kind: RouterKind, k: usize, draw: &mut dyn FnMut() -> f64) -> Selection {
        let choose = |open: &[ArmId], _: Option<&ArmId>, draw: &mut dyn FnMut() -> f64| {
            self.spread(self.select(kind, open, k, draw), k, draw)
        };
        let bounds = self.bounds();
        if bounds.is_empty() {
            return choose(self.candidates, None, draw);
        }
        let ways = ways_among(None, 1.0, bounds.iter().map(|bound| bound.most));
        self.by_chance(kind, &bounds, &ways, &choose, draw).0
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
        let choose = |open: &[ArmId], forced: Option<&ArmId>, draw: &mut dyn FnMut() -> f64| match forced {
            Some(arm) => self.select_beside(arm, open, k, draw),
            None => self.select(kind, open, k, draw),
        };
        self.by_chance(kind, &bounds, &ways(&bounds, k), &choose, draw)
    }

    /// Lets chance go one of its ways, and states every arm's propensity over all of them.
    fn by_chance(
        &self,
        kind: RouterKind,
        bounds: &[Bounds],
        ways: &[Way],
        choose: &Choose<'_>,
        draw: &mut dyn FnMut() -> f64,
    ) -> (Selection, Option<String>) {
        let taken = drawn(ways, draw());
        let (mut selection, mut note) = (Selection::default(), None);
        let mut propensity = vec![0.0; self.candidates.len()];
        for (at, way) in ways.iter().enumerate() {
            let forced = way.forced.map(|i| &bounds[i].arm);
            let is_out = |arm: &ArmId| way.out.iter().any(|i| bounds[*i].arm == *arm);
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
                let out: Vec<&str> = way.out.iter().map(|i| bounds[*i].arm.as_str()).collect();
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

/// Every way that chance may go where leasts put arms in and mosts leave arms out, for a choice of k.
fn ways(bounds: &[Bounds], k: usize) -> Vec<Way> {
    let sum: f64 = bounds.iter().map(|bound| bound.least).sum();
    // In the runs that the arm's own least share does not take, the most is what is left of it.
    let free = |bound: &Bounds| if k == 1 { 1.0 - sum } else { 1.0 - bound.least };
    let entry = |bound: &Bounds| ((bound.most - bound.least) / free(bound).max(1e-12)).clamp(0.0, 1.0);
    let forced = bounds.iter().enumerate().map(|(i, bound)| (Some(i), bound.least));
    forced
        .chain([(None, 1.0 - sum)])
        .filter(|(_, probability)| *probability > 0.0)
        .flat_map(|(forced, probability)| ways_among(forced, probability, bounds.iter().map(entry)))
        .collect()
}

/// The ways in which arms may be left out, each with the probability that its part leaves, by one uniform for all:
/// each arm's part begins where the last one's ends, round and round, so that as long as the parts sum to 1 somebody
/// is always let in. All of them together have `probability`.
fn ways_among(forced: Option<usize>, probability: f64, parts: impl Iterator<Item = f64>) -> Vec<Way> {
    let (mut cuts, mut begins, mut from) = (vec![0.0, 1.0], Vec::new(), 0.0);
    for part in parts {
        begins.push((from, part));
        from = (from + part).fract();
        cuts.push(from);
    }
    cuts.sort_by(f64::total_cmp);
    let mut ways: Vec<Way> = Vec::new();
    for cut in cuts.windows(2).filter(|cut| cut[1] > cut[0]) {
        let middle = f64::midpoint(cut[0], cut[1]);
        let is_out = |(begin, part): (f64, f64)| (middle - begin).rem_euclid(1.0) >= part;
        let out: Vec<usize> = (0..begins.len()).filter(|i| is_out(begins[*i])).collect();
        let weight = probability * (cut[1] - cut[0]);
        match ways.iter_mut().find(|way| way.out == out) {
            Some(way) => way.probability += weight,
            None => ways.push(Way { probability: weight, forced, out }),
        }
    }
    ways
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
