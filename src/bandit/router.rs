//! The `Router` trait: choosing arms by what a state knows, and learning by the fold. What its learning
//! implementations share is in `desk.rs`.

use super::desk::Desk;
use super::pacer::InFlight;
use super::policies::{Baseline, LinTs, LinUcb, Uniform};
use super::state::RouterState;
use crate::domain::command::LogEntry;
use crate::domain::ids::ArmId;
use crate::domain::record::ArmScore;
use crate::domain::spec::RouterKind;

/// What a router chose for one run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Selection {
    /// Every known candidate: the selected ones first, in the order in which they were taken, then the
    /// rest by score.
    pub scores: Vec<ArmScore>,
    /// Whether this was a uniform draw.
    pub explored: bool,
}

/// The contexts of one decision: what all candidates share and, where the schema ends in per-arm signals,
/// each candidate's own; and what is under way while it is made.
#[derive(Clone, Copy, Debug)]
pub struct Contexts<'a> {
    pub(super) x: &'a [f64],
    pub(super) signals: &'a [f64],
    pub(super) in_flight: InFlight,
}

impl<'a> Contexts<'a> {
    /// The same `x` (`d` values) for every candidate.
    #[must_use]
    pub const fn same(x: &'a [f64]) -> Self {
        Self::with_signals(x, &[])
    }

    /// `x` shared by all, then the last `d − x.len()` dimensions of each candidate, one candidate after the
    /// other in the order in which they are given to the router. What is missing counts as 0.
    #[must_use]
    pub const fn with_signals(x: &'a [f64], signals: &'a [f64]) -> Self {
        Self { x, signals, in_flight: InFlight::NONE }
    }

    /// The same beside runs that were decided and are not in the account of a ceiling yet.
    #[must_use]
    pub const fn beside(self, in_flight: InFlight) -> Self {
        Self { in_flight, ..self }
    }

    /// The signals of the candidate at `place`, in a context of `d` dimensions.
    pub(super) fn signals_of(&self, place: usize, d: usize) -> &'a [f64] {
        let width = d.saturating_sub(self.x.len());
        let rest = self.signals.get(place * width..).unwrap_or_default();
        &rest[..width.min(rest.len())]
    }
}

/// Chooses arms by what a state knows, and learns by the fold.
///
/// Every implementation scores each known candidate exactly once, selects exactly min(k, n) of them,
/// gives finite numbers, propensities in [0, 1] that sum to min(k, n), and the same selection for the
/// same state, contexts and draws, whatever the desk was used for before. An empty list of candidates
/// gives an empty selection.
pub trait Router: Send + Sync {
    /// Which it is.
    fn kind(&self) -> RouterKind;

    /// Chooses `k` of `candidates`; the selection is left on the `desk`. `draw` gives uniforms in [0, 1).
    /// On a desk that has been used before, nothing is allocated.
    fn select_on(
        &self,
        desk: &mut Desk,
        state: &RouterState,
        contexts: Contexts<'_>,
        candidates: &[ArmId],
        k: usize,
        draw: &mut dyn FnMut() -> f64,
    );

    /// As [`Router::select_on`], for one context `x` (`d` values) of all candidates and a single decision.
    fn select(
        &self,
        state: &RouterState,
        x: &[f64],
        candidates: &[ArmId],
        k: usize,
        draw: &mut dyn FnMut() -> f64,
    ) -> Selection {
        let mut desk = Desk::default();
        self.select_on(&mut desk, state, Contexts::same(x), candidates, k, draw);
        desk.selection
    }

    /// Learns what a run taught: one step of the fold.
    fn bulk_update(&self, state: &mut RouterState, entry: &LogEntry) {
        state.apply(entry);
    }
}

/// The router of that kind.
#[must_use]
pub fn router(kind: RouterKind) -> Box<dyn Router> {
    match kind {
        RouterKind::Linucb => Box::new(LinUcb),
        RouterKind::Lints => Box::new(LinTs),
        RouterKind::Baseline => Box::new(Baseline),
        RouterKind::Uniform => Box::new(Uniform),
    }
}
