//! A sliding window over the steps of the log: what was observed longer ago than that is taken out.
//!
//! The data parts are also kept in pieces, each of the steps between two multiples of a *hop* (a twentieth of
//! the window, at least one step). When the window has moved by a hop, the oldest piece is dropped and the
//! data parts are summed anew from the pieces that stay: nothing is subtracted, so no digits are lost, and
//! what is kept does not grow with the window. Right after a hop the statistics hold the last W steps
//! exactly, and up to W + hop − 1 before the next. Pieces are over the same factor as the data parts, so
//! forgetting and decay need not touch them; another level and late feedback change them with the whole. The
//! base belongs to the prior and is in no piece. It is no forgetting by weight: see `forget_until`.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::super::kernels::{axpy, scale};
use super::{Base, Prior, Regression, Scratch};

/// Hops that a window is moved by.
const HOPS: u64 = 20;

/// How far back statistics reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    steps: u64,
    hop: u64,
}

impl Window {
    /// The last `steps` steps; 0 is no window.
    pub(crate) fn of(steps: u64) -> Option<Self> {
        (steps > 0).then(|| Self { steps, hop: (steps / HOPS).max(1) })
    }

    /// The last step of the piece of `step`.
    pub(crate) const fn piece(self, step: u64) -> u64 {
        step.div_ceil(self.hop).saturating_mul(self.hop)
    }

    /// Whether a piece that ends at `until` is out of the window at `now`.
    pub(crate) const fn is_past(self, until: u64, now: u64) -> bool {
        until.saturating_add(self.steps) <= now
    }
}

/// The data parts of some steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Piece {
    /// Its last step.
    until: u64,
    /// Over the regression's factor, as is its weight.
    pub(super) parts: Base,
}

impl Piece {
    /// That of the responses `columns` alone.
    pub(super) fn part(&self, d: usize, columns: std::ops::Range<usize>) -> Self {
        let mut part = self.clone();
        part.parts.keep_columns(d, columns);
        part
    }
}

impl Regression {
    /// Whether the window has left anything behind.
    pub(crate) fn has_past(&self, window: Window, step: u64) -> bool {
        self.pieces.first().is_some_and(|piece| window.is_past(piece.until, step))
    }

    /// Takes out what the window has left behind.
    pub(crate) fn move_window(&mut self, prior: &Prior, step: u64, scratch: &mut Scratch) {
        let Some(window) = prior.window.filter(|window| self.has_past(*window, step)) else { return };
        self.forget_until(prior, step);
        self.pieces.retain(|piece| !window.is_past(piece.until, step));
        self.sum_pieces();
        self.refresh(prior, scratch);
    }

    /// Fits what was learned under another window, or none, to that of `prior`: data that are in no piece
    /// count as observed at `step`.
    pub(crate) fn adopt_window(&mut self, prior: &Prior, step: u64) {
        let Some(window) = prior.window else { return self.pieces.clear() };
        if self.pieces.is_empty() && self.n > 0.0 {
            let (data, sums, moments) = (self.data.clone(), self.sums.clone(), self.moments.clone());
            let parts = Base { data, sums, moments, n: self.n / self.factor };
            self.pieces.push(Arc::new(Piece { until: window.piece(step), parts }));
        }
    }

    /// The piece of `step`, for what is observed of it now.
    pub(super) fn piece_of(&mut self, window: Window, step: u64) -> Option<&mut Base> {
        let until = window.piece(step);
        let at = self.pieces.partition_point(|piece| piece.until < until);
        if self.pieces.get(at).is_none_or(|piece| piece.until != until) {
            let zeros = |values: &[f64]| vec![0.0; values.len()];
            let (data, sums, moments) = (zeros(&self.data), zeros(&self.sums), zeros(&self.moments));
            self.pieces.insert(at, Arc::new(Piece { until, parts: Base { data, sums, moments, n: 0.0 } }));
        }
        self.pieces.get_mut(at).map(|piece| &mut Arc::make_mut(piece).parts)
    }

    /// The piece that holds what was observed at `step`: its own, or one that took in the steps around it.
    pub(super) fn holder_of(&mut self, step: u64) -> Option<&mut Base> {
        let at = self.pieces.partition_point(|piece| piece.until < step);
        self.pieces.get_mut(at).map(|piece| &mut Arc::make_mut(piece).parts)
    }

    fn sum_pieces(&mut self) {
        let mut n = 0.0;
        for part in [&mut self.data, &mut self.sums, &mut self.moments] {
            part.fill(0.0);
        }
        for piece in &self.pieces {
            axpy(&mut self.data, 1.0, &piece.parts.data);
            axpy(&mut self.sums, 1.0, &piece.parts.sums);
            axpy(&mut self.moments, 1.0, &piece.parts.moments);
            n += piece.parts.n;
        }
        if self.pieces.is_empty() {
            self.factor = 1.0;
        }
        self.n = n * self.factor;
    }

    /// Multiplies the pieces out, where the data parts are.
    pub(super) fn scale_pieces(&mut self, factor: f64) {
        for piece in &mut self.pieces {
            let Base { data, sums, moments, n } = &mut Arc::make_mut(piece).parts;
            for values in [data, sums, moments] {
                scale(values, factor);
            }
            *n *= factor;
        }
    }

    /// Whether the pieces fit and are in order.
    pub(super) fn pieces_are_sound(&self) -> bool {
        self.pieces.is_sorted_by(|a, b| a.until < b.until)
            && self.pieces.iter().all(|piece| piece.parts.is_sound(self.d, self.m))
    }

    /// The bits of the pieces, in a fixed order.
    pub(super) fn piece_bits(&self) -> impl Iterator<Item = u64> + '_ {
        self.pieces.iter().flat_map(|piece| {
            let Base { data, sums, moments, n } = &piece.parts;
            let values = data.iter().chain(sums).chain(moments).chain([n]).map(|v| v.to_bits());
            values.chain([piece.until])
        })
    }
}
