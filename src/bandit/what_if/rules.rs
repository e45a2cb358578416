//! How the runs of a forecast go: how many race, who may, by what chance, and what that costs beside the answers.
//! Made once for a side; the races themselves are run in `bench.rs`.

use super::{Outlays, Side};
use crate::bandit::beside::Correction;
use crate::bandit::bounds::{Bounds, Way};
use crate::bandit::state::RouterState;
use crate::domain::spec::{Lifecycle, RouterKind, Strategy};
use crate::domain::terms::Term;

/// See above. Arms are positions among the candidates.
pub(super) struct Rules {
    /// Arms that are asked in a run.
    pub(super) k: usize,
    /// Whether configured order chooses.
    pub(super) is_fixed: bool,
    pub(super) quality_weight: f64,
    /// Share of runs that explore uniformly.
    pub(super) explore: f64,
    /// Share of the others in which an arm on probation takes the last place.
    pub(super) probation: f64,
    /// Arms that are chosen among: those not on probation, where there are enough.
    pub(super) open: Vec<usize>,
    pub(super) guests: Vec<usize>,
    /// The ways of chance in runs that choose, and in runs that explore.
    pub(super) ways: [Vec<Way>; 2],
    /// How guesses are corrected, of arm j beside arm i, at i·n + j.
    pub(super) corrections: Vec<Correction>,
    /// Dollars of a preview of each arm; 0 where there are none.
    pub(super) preview_usd: Vec<f64>,
    /// Dollars of a run beside previews and answer.
    pub(super) beside_usd: f64,
}

impl Rules {
    pub(super) fn new(side: Side<'_>, arms: &[usize], outlays: &Outlays) -> Self {
        let Side { state, router, .. } = side;
        let strategy = state.mode().strategy.unwrap_or(side.strategy);
        let name = |at: &usize| &state.arms[arms[*at]].spec.name;
        let pinned = state.mode().pinned.as_ref().and_then(|pinned| (0..arms.len()).find(|at| name(at) == pinned));
        let races = arms.len() > 1
            && pinned.is_none()
            && (strategy == Strategy::Race || strategy == Strategy::Auto && outlays.race_share >= 0.5);
        let k = if races { side.k.clamp(1, arms.len()) } else { 1 };
        let is_fixed = pinned.is_some() || strategy == Strategy::Baseline || router == RouterKind::Baseline;
        let (open, guests) = if is_fixed { (Vec::new(), Vec::new()) } else { open_and_guests(state, arms, k) };
        let explore = if router == RouterKind::Uniform { 1.0 } else { state.explore_share.clamp(0.0, 1.0) };
        Self {
            k,
            is_fixed,
            quality_weight: state.weights.get(Term::Quality),
            explore: if is_fixed { 0.0 } else { explore },
            probation: if guests.is_empty() { 0.0 } else { state.config().probation_share.clamp(0.0, 1.0) },
            open: if is_fixed { pinned.map_or_else(|| (0..arms.len()).collect(), |at| vec![at]) } else { open },
            guests,
            ways: if is_fixed { [Way::all(&[], k), Vec::new()] } else { ways(side, arms, k) },
            corrections: corrections(state, arms),
            preview_usd: (0..arms.len()).map(|at| if races { outlays.preview(name(&at)) } else { 0.0 }).collect(),
            beside_usd: if races { outlays.beside_race_usd } else { outlays.beside_direct_usd },
        }
    }

    /// The arms that are open in a run that goes `way`, but the one that is put in; all of them where none is left.
    pub(super) fn open_in(&self, way: &Way, into: &mut Vec<usize>) {
        into.clear();
        into.extend(self.open.iter().filter(|at| !way.out.contains(at) && way.forced != Some(**at)));
        if into.is_empty() && way.forced.is_none() {
            into.extend_from_slice(&self.open);
        }
    }
}

/// Who is chosen among, and who is on probation beside them; everybody where too few are not.
fn open_and_guests(state: &RouterState, arms: &[usize], k: usize) -> (Vec<usize>, Vec<usize>) {
    let is_guest = |at: &usize| state.arms[arms[*at]].pool.lifecycle == Lifecycle::Probation;
    let (guests, active): (Vec<usize>, Vec<usize>) = (0..arms.len()).partition(is_guest);
    if active.len() < k { ((0..arms.len()).collect(), Vec::new()) } else { (active, guests) }
}

/// The ways of chance by position among `arms`, for runs that choose k and for runs that explore.
fn ways(side: Side<'_>, arms: &[usize], k: usize) -> [Vec<Way>; 2] {
    let bounds_of = |at: usize| {
        let view = side.state.arm(side.state.arms[arms[at]].spec.name.as_str())?;
        Some((at, view.bounds(side.now)?))
    };
    let (bounded, bounds): (Vec<usize>, Vec<Bounds>) = (0..arms.len()).filter_map(bounds_of).unzip();
    [Way::all(&bounds, k), Way::without_leasts(&bounds)].map(|ways| {
        let placed = |way: Way| Way {
            forced: way.forced.map(|i| bounded[i]),
            out: way.out.iter().map(|i| bounded[*i]).collect(),
            ..way
        };
        ways.into_iter().map(placed).collect()
    })
}

/// How guesses about pairs of these arms are corrected.
fn corrections(state: &RouterState, arms: &[usize]) -> Vec<Correction> {
    let usual = state.usual_beside();
    let pair = |i: usize, j: usize| {
        let (usually, left) = state.usually_beside(&usual, j);
        usual.of_pair(&state.arms[j].beside, left, i, usually)
    };
    arms.iter().flat_map(|&i| arms.iter().map(move |&j| pair(i, j))).collect()
}
