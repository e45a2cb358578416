//! The ways in which chance may go where arms' shares are bounded: whom a run takes by an arm's least share, whom it
//! leaves out by another's most, and how probable that is. Pure probability over positions; who the arms are and
//! how the others are chosen is the caller's matter.

use super::state::ArmView;
use crate::domain::clock::Timestamp;

/// How much of all runs an arm takes part in, each in [0, 1], `least` not above `most`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    /// It is taken with this probability, whatever the scores say.
    pub least: f64,
    /// It may be chosen with this probability.
    pub most: f64,
}

impl ArmView<'_> {
    /// The bounds of its share at `now`, where it has any.
    #[must_use]
    pub fn bounds(&self, now: Timestamp) -> Option<Bounds> {
        let (limits, since) = self.share_limits?;
        let (least, most) = limits.after(now.since(since));
        Some(Bounds { least, most })
    }
}

/// One way that chance may go, with its probability: by position in the bounds, whom it puts in and whom it leaves out.
#[derive(Clone, Debug, PartialEq)]
pub struct Way {
    /// In [0, 1]; over all ways it sums to 1.
    pub probability: f64,
    /// Who takes part by its least share.
    pub forced: Option<usize>,
    /// Who does not by its most.
    pub out: Vec<usize>,
}

impl Way {
    /// Every way where leasts put arms in and mosts leave arms out, for a choice of k.
    #[must_use]
    pub fn all(bounds: &[Bounds], k: usize) -> Vec<Self> {
        let sum: f64 = bounds.iter().map(|bound| bound.least).sum();
        // In the runs that the arm's own least share does not take, the most is what is left of it.
        let free = |bound: &Bounds| if k == 1 { 1.0 - sum } else { 1.0 - bound.least };
        let entry = |bound: &Bounds| ((bound.most - bound.least) / free(bound).max(1e-12)).clamp(0.0, 1.0);
        let forced = bounds.iter().enumerate().map(|(i, bound)| (Some(i), bound.least));
        forced
            .chain([(None, 1.0 - sum)])
            .filter(|(_, probability)| *probability > 0.0)
            .flat_map(|(forced, probability)| among(forced, probability, bounds.iter().map(entry)))
            .collect()
    }

    /// Every way where nobody is put in and mosts leave arms out.
    #[must_use]
    pub fn without_leasts(bounds: &[Bounds]) -> Vec<Self> {
        among(None, 1.0, bounds.iter().map(|bound| bound.most))
    }
}

/// The ways in which arms may be left out, each with the probability that its part leaves, by one uniform for all:
/// each arm's part begins where the last one's ends, round and round, so that as long as the parts sum to 1 somebody
/// is always let in. All of them together have `probability`.
fn among(forced: Option<usize>, probability: f64, parts: impl Iterator<Item = f64>) -> Vec<Way> {
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
