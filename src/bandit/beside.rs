//! What an arm adds beside another, as races showed it.
//!
//! Beside an arm i that is raced anyway, arm j is worth E[(qⱼ − qᵢ)⁺]. Independent normals with the arms' own
//! means and scatter give a first guess of it, and a poor one: prompts that are hard for one arm are hard for
//! others too, or just not for this one. Races show the truth, since both arms were judged on one prompt, and
//! each shows it twice. What both did against what was expected of them *for that prompt* says how far apart
//! they move:
//!
//! ```text
//! share(i, j) = Σ ((qⱼ − q̂ⱼ) − (qᵢ − q̂ᵢ))² / Σ (vᵢ + vⱼ)       1 − correlation, where both scatter alike
//! guess(i, j) = E[(qⱼ − qᵢ)⁺] of normals whose difference has variance share·(vᵢ + vⱼ)
//! ```
//!
//! so twins (share 0) add nothing beside each other but the difference of their means, and an arm that is right
//! where the other fails (share up to 2) adds more than independent ones would. Every race says something about
//! that, so a belief is worth ten of them. What is left are qualities that are no normals, piling up at the top:
//! per ordered pair the table sums what j did add and what the guess was *before* that race was learned from,
//! and their ratio corrects the guess, which still brings in the context. A pair that raced seldom is read
//! through what j did beside everybody, and that through the pool (shares likewise):
//!
//! ```text
//! ratio(pool) = (Σ gain + ½·2) / (Σ expected + 2)
//! ratio(j)    = (Σ gain + w) / (Σ expected + w / ratio(pool))       over all i
//! ratio(i, j) = (Σ gain + w) / (Σ expected + w / ratio(j))          w = 10·Σ gain² / Σ gain
//! ```
//!
//! Gains come in events (a right answer beside a wrong one); Σ gain² / Σ gain is the size of one (over the
//! pool), so a belief is worth ten of them on any scale of quality: the posterior mean of a Gamma prior
//! under Poisson events. Quality alone: no weight of the reward is in here. It learns from verdicts of races
//! when they come; a rating that comes later is one arm's, and amends nothing here. Since each guess is made
//! with what was known then, the order of races matters a little.

use serde::{Deserialize, Serialize};

use super::lens::Standing;
use super::normal::both;
use super::regression::{Window, discount};

/// Events that a belief is worth.
const EVENTS: f64 = 10.0;
/// Races that a belief about how far apart arms move is worth.
const RACES: f64 = 10.0;
/// The scatter of two arms together, until it is known.
const SCATTER: f64 = 0.3;

/// Sums over races of two arms (or, for one arm, over all that it raced with).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Added {
    /// Σ (qⱼ − qᵢ)⁺.
    gain: f64,
    /// Σ of its squares.
    squares: f64,
    /// Σ of what was expected of it.
    expected: f64,
    /// Σ of squares of how far apart the two surprised.
    #[serde(default)]
    apart: f64,
    /// Σ (vᵢ + vⱼ).
    #[serde(default)]
    scatter: f64,
    /// How many races these two are of.
    #[serde(default)]
    races: f64,
}

impl Added {
    /// One race: what arm j did beside arm i, each with how it stood before, when guesses were corrected so.
    pub(crate) fn in_race((i, other): (&Standing, f64), (j, own): (&Standing, f64), read: Correction) -> Self {
        let gain = (own - other).max(0.0);
        let apart = (own - j.quality) - (other - i.quality);
        Self {
            gain,
            squares: gain * gain,
            expected: guess(i, j, read.share).0,
            apart: apart * apart,
            scatter: i.quality_variance + j.quality_variance,
            races: 1.0,
        }
    }

    fn add(&mut self, other: &Self) {
        let Self { gain, squares, expected, apart, scatter, races } = self;
        for (sum, value) in [gain, squares, expected, apart, scatter, races].into_iter().zip(other.values()) {
            *sum += value;
        }
    }

    fn kept(&self, share: f64) -> Self {
        let [gain, squares, expected, apart, scatter, races] = self.values().map(|sum| sum * share);
        Self { gain, squares, expected, apart, scatter, races }
    }

    /// What it says, read through what was believed before.
    fn after(&self, usual: &Usual, before: Correction) -> Correction {
        let scatter = RACES * usual.scatter;
        Correction {
            ratio: (self.gain + usual.worth) / (self.expected + usual.worth / before.ratio),
            share: (self.apart + scatter * before.share) / (self.scatter + scatter),
        }
    }

    const fn values(&self) -> [f64; 6] {
        [self.gain, self.squares, self.expected, self.apart, self.scatter, self.races]
    }
}

/// What one arm added beside each arm of the pool.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Beside {
    /// By the other's position in the pool; shorter where it raced with none of the last.
    others: Vec<Added>,
    /// The sum of them.
    all: Added,
    /// The step that the sums are discounted to.
    as_of: u64,
    /// The rows by the last step of the piece they are of, oldest first; none without a window.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pieces: Vec<(u64, Vec<Added>)>,
}

impl Beside {
    /// Learns one race with the arm at `other`, as of `step`.
    pub(crate) fn learn(&mut self, forgetting: f64, step: u64, other: usize, seen: &Added) {
        let share = discount(forgetting, step.saturating_sub(self.as_of));
        if share < 1.0 {
            self.keep(share);
        }
        self.as_of = self.as_of.max(step);
        add_at(&mut self.others, other, seen);
        self.all.add(seen);
    }

    /// Keeps one race that was learned in its piece of the window too.
    pub(crate) fn remember(&mut self, window: Window, step: u64, other: usize, seen: &Added) {
        let until = window.piece(step);
        if self.pieces.last().is_none_or(|(last, _)| *last != until) {
            self.pieces.push((until, Vec::new()));
        }
        if let Some((_, row)) = self.pieces.last_mut() {
            add_at(row, other, seen);
        }
    }

    /// Whether the window has left anything behind.
    pub(crate) fn has_past(&self, window: Window, step: u64) -> bool {
        self.pieces.first().is_some_and(|(until, _)| window.is_past(*until, step))
    }

    /// Takes out what the window has left behind.
    pub(crate) fn move_window(&mut self, window: Window, step: u64) {
        if self.has_past(window, step) {
            self.pieces.retain(|(until, _)| !window.is_past(*until, step));
            self.others.clear();
            for (_, row) in &self.pieces {
                for (other, added) in row.iter().enumerate() {
                    add_at(&mut self.others, other, added);
                }
            }
            self.sum_up();
        }
    }

    /// Fits what was learned under another window, or none: races that are in no piece count as of `step`.
    pub(crate) fn adopt_window(&mut self, window: Option<Window>, step: u64) {
        match window {
            None => self.pieces.clear(),
            Some(window) if self.pieces.is_empty() && !self.others.is_empty() => {
                self.pieces.push((window.piece(step), self.others.clone()));
            }
            Some(_) => {}
        }
    }

    /// Keeps `share` of everything.
    pub(crate) fn keep(&mut self, share: f64) {
        let pieces = self.pieces.iter_mut().flat_map(|(_, row)| row);
        for added in self.others.iter_mut().chain([&mut self.all]).chain(pieces) {
            *added = added.kept(share);
        }
    }

    /// Keeps `share` of what was seen beside the arm at `other`.
    pub(crate) fn keep_beside(&mut self, other: usize, share: f64) {
        if let Some(added) = self.others.get_mut(other) {
            *added = added.kept(share);
            for added in self.pieces.iter_mut().filter_map(|(_, row)| row.get_mut(other)) {
                *added = added.kept(share);
            }
            self.sum_up();
        }
    }

    /// The arm at `other` is gone, and those after it moved up.
    pub(crate) fn leave_out(&mut self, other: usize) {
        if other < self.others.len() {
            self.others.remove(other);
            for (_, row) in self.pieces.iter_mut().filter(|(_, row)| other < row.len()) {
                row.remove(other);
            }
            self.sum_up();
        }
    }

    /// Whether anything was seen beside the arm at `other`.
    pub(crate) fn knows(&self, other: usize) -> bool {
        self.others.get(other).is_some_and(|added| *added != Added::default())
    }

    /// What is left of its sums at `step`, as a share.
    pub(crate) fn share_left(&self, forgetting: f64, step: u64) -> f64 {
        discount(forgetting, step.saturating_sub(self.as_of))
    }

    /// Whether it fits a pool of `arms`.
    pub(crate) fn is_sound(&self, arms: usize) -> bool {
        let is_sum = |added: &Added| added.values().iter().all(|v| v.is_finite() && *v >= 0.0);
        self.others.len() <= arms
            && self.others.iter().chain([&self.all]).all(is_sum)
            && self.pieces.iter().all(|(_, row)| row.len() <= arms && row.iter().all(is_sum))
    }

    /// Its bits, in a fixed order.
    pub(crate) fn bits(&self) -> impl Iterator<Item = u64> + '_ {
        let sums = self.others.iter().chain([&self.all]).flat_map(Added::values);
        let pieces = self.pieces.iter().flat_map(|(_, row)| row).flat_map(Added::values);
        sums.chain(pieces).map(f64::to_bits).chain([self.as_of])
    }

    fn sum_up(&mut self) {
        self.all = Added::default();
        for added in &self.others {
            self.all.add(added);
        }
    }
}

fn add_at(row: &mut Vec<Added>, other: usize, seen: &Added) {
    if row.len() <= other {
        row.resize(other + 1, Added::default());
    }
    row[other].add(seen);
}

/// How the guess about one arm beside another is to be made and corrected.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Correction {
    /// What the guess is to be multiplied by.
    pub ratio: f64,
    /// What of the two arms' scatter their difference has.
    pub share: f64,
}

impl Default for Correction {
    /// That of independent normals, as it is.
    fn default() -> Self {
        Self { ratio: 1.0, share: 1.0 }
    }
}

/// What is usual in a pool, by which single arms and pairs are read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Usual {
    /// Gain that a belief is worth.
    worth: f64,
    /// The scatter of two arms together.
    scatter: f64,
    read: Correction,
}

impl Default for Usual {
    fn default() -> Self {
        Self::of(std::iter::empty())
    }
}

impl Usual {
    /// Of rows, each with the share of it that is left.
    pub(crate) fn of<'a>(rows: impl Iterator<Item = (&'a Beside, f64)>) -> Self {
        let mut all = Added::default();
        for (row, left) in rows {
            all.add(&row.all.kept(left));
        }
        // Half a gain of half its size, until there are others.
        let size = (all.squares + 0.25) / (all.gain + 0.5);
        let scatter = (all.scatter + SCATTER) / (all.races + 1.0);
        // Independent, until races say otherwise; each counts twice here, once for either arm.
        let before = 0.5 * RACES * scatter;
        let share = (all.apart + before) / (all.scatter + before);
        let read = Correction { ratio: (all.gain + 1.0) / (all.expected + 2.0), share };
        Self { worth: EVENTS * size, scatter, read }
    }

    /// How guesses about an arm are corrected, whoever it races with.
    pub(crate) fn of_arm(&self, row: &Beside, left: f64) -> Correction {
        row.all.kept(left).after(self, self.read)
    }

    /// How an arm's guess beside the arm at `other` is corrected; `usually` is [`Self::of_arm`].
    pub(crate) fn of_pair(&self, row: &Beside, left: f64, other: usize, usually: Correction) -> Correction {
        match row.others.get(other) {
            Some(added) => added.kept(left).after(self, usually),
            None => usually,
        }
    }
}

/// E[(qⱼ − qᵢ)⁺] and P(qⱼ > qᵢ) of normals, for `j` beside `i`, when their difference has that share of the scatter
/// of both.
pub(crate) fn guess(i: &Standing, j: &Standing, share: f64) -> (f64, f64) {
    let spread = (share * (i.quality_variance + j.quality_variance)).sqrt().max(1e-9);
    let ahead = j.quality - i.quality;
    let (wins, bell) = both(ahead / spread);
    ((ahead * wins + spread * bell).max(0.0), wins)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(gain: f64, expected: f64, apart: f64) -> Added {
        Added { gain, squares: gain * gain, expected, apart, scatter: 0.2, races: 1.0 }
    }

    fn learned(races: usize, gain: f64, expected: f64) -> Beside {
        let mut row = Beside::default();
        (1..=races).for_each(|step| row.learn(1.0, step as u64, 1, &seen(gain, expected, 0.2)));
        row
    }

    fn at(quality: f64, sd: f64) -> Standing {
        Standing { quality, quality_variance: sd * sd, ..Standing::default() }
    }

    #[test]
    fn the_guess_is_the_known_closed_form() {
        let (gain, wins) = guess(&at(0.5, 0.3), &at(0.5, 0.4), 1.0);
        assert!((gain - 0.5 * 0.398_942_280_401_432_7).abs() < 1e-12 && (wins - 0.5).abs() < 1e-12);
        let (gain, wins) = guess(&at(0.9, 0.0), &at(0.2, 0.0), 1.0);
        assert!(gain.abs() < 1e-12 && wins < 1e-12);
        let (gain, wins) = guess(&at(0.2, 0.0), &at(0.9, 0.0), 1.0);
        assert!((gain - 0.7).abs() < 1e-12 && wins > 1.0 - 1e-12);
        // Opposites: their difference has twice the scatter; twins: none, and what is left is the difference in means.
        let (gain, _) = guess(&at(0.5, 0.3), &at(0.5, 0.3), 2.0);
        assert!((gain - 0.6 * 0.398_942_280_401_432_7).abs() < 1e-12);
        assert!((guess(&at(0.5, 0.3), &at(0.6, 0.3), 0.0).0 - 0.1).abs() < 1e-12);
    }

    #[test]
    fn arms_that_move_together_or_against_each_other_are_soon_known() {
        let race =
            |own: f64, other: f64| Added::in_race((&at(0.5, 0.3), other), (&at(0.5, 0.3), own), Correction::default());
        let mut row = Beside::default();
        for step in 0..15 {
            let by = if step % 3 == 0 { 0.4 } else { -0.2 };
            row.learn(1.0, step, 1, &race(0.5 + by, 0.5 + by));
            row.learn(1.0, step, 2, &race(0.5 + by, 0.5 - by));
        }
        let usual = Usual::of([(&row, 1.0)].into_iter());
        let share = |other| usual.of_pair(&row, 1.0, other, usual.of_arm(&row, 1.0)).share;
        assert!(share(1) < 0.5 && share(2) > 1.3, "{} {}", share(1), share(2));
        // Beside one that it never met, it is read through all that it did meet.
        assert!(share(1) < share(3) && share(3) < share(2));
    }

    #[test]
    fn without_races_every_pair_is_as_usual_and_with_many_as_seen() {
        let none = Beside::default();
        let usual = Usual::default();
        let before = usual.of_arm(&none, 1.0);
        assert!((before.ratio - 0.5).abs() < 1e-12 && (before.share - 1.0).abs() < 1e-12);
        let other = Correction { ratio: 0.4, share: 0.3 };
        assert_eq!(usual.of_pair(&none, 1.0, 3, other), other);
        let rival = learned(4_000, 0.01, 0.1);
        let specialist = learned(4_000, 0.3, 0.1);
        let usual = Usual::of([(&rival, 1.0), (&specialist, 1.0)].into_iter());
        let ratio = |row: &Beside| usual.of_pair(row, 1.0, 1, usual.of_arm(row, 1.0)).ratio;
        assert!((ratio(&rival) - 0.1).abs() < 0.02, "{}", ratio(&rival));
        assert!((ratio(&specialist) - 3.0).abs() < 0.1, "{}", ratio(&specialist));
        // Beside an arm that it never met, a specialist is believed to be one.
        assert!(usual.of_pair(&specialist, 1.0, 7, usual.of_arm(&specialist, 1.0)).ratio > 2.0);
    }

    #[test]
    fn what_is_forgotten_step_by_step_is_what_is_forgotten_at_once() {
        let mut row = learned(10, 0.2, 0.1);
        let left = row.share_left(0.9, 15);
        let at_once = row.all.kept(left);
        row.learn(0.9, 15, 0, &seen(0.0, 0.0, 0.0));
        assert!((row.all.gain - at_once.gain).abs() < 1e-12 && (left - 0.9_f64.powi(5)).abs() < 1e-12);
        row.keep_beside(1, 0.5);
        assert!((row.all.gain - 0.5 * at_once.gain).abs() < 1e-12);
        row.leave_out(0);
        assert!(row.knows(0) && !row.knows(1) && row.is_sound(1) && !row.is_sound(0));
    }
}
