//! With which probability each arm was *seen* on each row of a log of runs.
//!
//! An arm is seen where it was selected and something came of it that could be judged. The log says with which
//! probability p it was selected, and who was; that a call failed in passing is nothing that the arm's
//! quality did (an outage must not poison what is known of quality), and happens to a share of its selections:
//!
//! ```text
//! P(a is seen on row i) = p_i(a) · ρ(a),    ρ(a) = selections of a that were judged ÷ selections of a
//! ```
//!
//! Without ρ every weight of an arm that sometimes fails would be too small, and its worth with it. Content
//! that failed is no loss: it is an outcome, of quality 0. An arm that answered in another's stead (a fallback) was
//! not selected: whatever it was judged at is not seen here, and the selected one is lost.
//!
//! Of a race of k the p sum to k. Where limits on the shares of arms decide by chance how many race, they sum to the
//! mean of that, which the row states (`expected_raced`): each is still that arm's own chance, which is all that a weight
//! needs. Where they sum to neither (older exports say nothing of limits; somebody may have changed the file), no
//! weight made of them means anything: the row is *uneven* and left out.

use crate::domain::ids::ArmId;

use super::records::{Records, Row};

/// A sum of probabilities that is nearer to a whole number than this is that number of selected arms.
const WHOLE: f64 = 2e-3;

/// Rows that are enough to learn from.
const ENOUGH: f64 = 1_000.0;

/// How often an arm was selected, and nothing came of it that could be judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Selections {
    /// Rows on which it was selected.
    pub selected: u64,
    /// Those of them on which it was not judged.
    pub lost: u64,
}

impl Selections {
    /// Whether so much was lost that what is left need not be like the rest.
    #[must_use]
    pub const fn is_mostly_lost(self) -> bool {
        2 * self.lost > self.selected
    }

    fn seen_share(self) -> f64 {
        if self.selected == 0 { 1.0 } else { (self.selected - self.lost) as f64 / self.selected as f64 }
    }
}

/// See above; empty where records are no log.
#[derive(Clone, Debug, Default)]
pub(super) struct Chances {
    width: usize,
    /// By row and arm; `None` where it was no candidate.
    seen: Vec<Option<f64>>,
    /// By arm.
    selections: Vec<Selections>,
    /// Rows on which somebody was lost and the log does not say who.
    unnamed: Vec<usize>,
    /// Rows whose propensities sum to no number of arms.
    uneven: Vec<usize>,
    /// See [`common_chance`] and [`worth`].
    replayed: (f64, f64),
}

impl Chances {
    /// Of the arms at these places of `records`. They are a log where every row has propensities and not every arm
    /// was seen.
    pub(super) fn of(records: &Records, places: &[Option<usize>]) -> Self {
        let rows = records.rows();
        if !rows.iter().all(Row::has_chances) || records.is_full_information() {
            return Self::default();
        }
        let selections: Vec<Selections> =
            places.iter().map(|place| place.map_or_else(Selections::default, |arm| counted(rows, arm))).collect();
        let mut seen = Vec::with_capacity(rows.len() * places.len());
        for row in rows {
            seen.extend(places.iter().zip(&selections).map(|(place, selections)| {
                let selected = row.propensity.get((*place)?).copied().flatten()?;
                Some(selected * selections.seen_share())
            }));
        }
        let unnamed = (0..rows.len()).filter(|at| hides_a_loss(&rows[*at])).collect();
        let uneven: Vec<usize> = (0..rows.len()).filter(|at| !is_sound(&rows[*at])).collect();
        let least = least_chances(&seen, places.len(), &uneven);
        let replayed = (common_chance(&least), worth(&least));
        Self { width: places.len(), seen, selections, unnamed, uneven, replayed }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.seen.is_empty()
    }

    /// By arm the probability with which it was seen on that row.
    pub(super) fn row(&self, row: usize) -> &[Option<f64>] {
        self.seen.get(row * self.width..(row + 1) * self.width).unwrap_or_default()
    }

    /// The chance with which a replay takes a row, at most: see `replay.rs`.
    pub(super) const fn common(&self) -> f64 {
        self.replayed.0
    }

    /// As many rows of equal weight as a replay is worth in the mean.
    pub(super) const fn worth(&self) -> f64 {
        self.replayed.1
    }

    /// By arm.
    pub(super) fn selections(&self) -> &[Selections] {
        &self.selections
    }

    /// Rows on which somebody was lost and the log does not say who.
    pub(super) fn unnamed(&self) -> &[usize] {
        &self.unnamed
    }

    /// Rows whose propensities sum to no number of arms, in order.
    pub(super) fn uneven(&self) -> &[usize] {
        &self.uneven
    }
}

/// The chance with which rows of these least chances are taken: their least one, or where that leaves fewer than
/// `ENOUGH`, the least with which so many are left.
fn common_chance(ascending: &[f64]) -> f64 {
    let mut taken_below = 0.0;
    for (at, chance) in ascending.iter().enumerate() {
        let above = (ascending.len() - at) as f64;
        if taken_below + above * chance >= ENOUGH {
            // Between the chance before and this one.
            let first = ascending.first().copied().unwrap_or(0.0);
            return ((ENOUGH - taken_below) / above).clamp(first, *chance);
        }
        taken_below += chance;
    }
    ascending.last().copied().unwrap_or(0.0)
}

/// What a replay is worth in the mean: `N² ÷ Σ 1/m` for N rows that are taken with the chances m.
fn worth(ascending: &[f64]) -> f64 {
    let common = common_chance(ascending);
    let sum: f64 = ascending.iter().map(|chance| 1.0 / chance.min(common)).sum();
    let n = ascending.len() as f64;
    if n > 0.0 { n * n / sum } else { 0.0 }
}

/// Of each row the least chance of any candidate, ascending; uneven rows and those without support left out.
fn least_chances(seen: &[Option<f64>], width: usize, uneven: &[usize]) -> Vec<f64> {
    let least = |(_, row): (usize, &[Option<f64>])| row.iter().flatten().copied().reduce(f64::min);
    let rows = seen.chunks_exact(width.max(1)).enumerate().filter(|(at, _)| uneven.binary_search(at).is_err());
    let mut chances: Vec<f64> = rows.filter_map(least).filter(|chance| *chance > 0.0).collect();
    chances.sort_by(f64::total_cmp);
    chances
}

fn is_seen(row: &Row, arm: usize) -> bool {
    row.judged(arm).is_some()
}

fn counted(rows: &[Row], arm: usize) -> Selections {
    let is_selected = |row: &&Row| row.selected.as_ref().is_some_and(|selected| selected.contains(&arm));
    let selected = rows.iter().filter(|row| is_selected(row) || is_seen(row, arm)).count() as u64;
    let lost = rows.iter().filter(|row| is_selected(row) && !is_seen(row, arm)).count() as u64;
    Selections { selected, lost }
}

/// Of a race of k the probabilities sum to k. Where fewer were judged and nobody says who was selected, somebody was
/// lost.
fn hides_a_loss(row: &Row) -> bool {
    let seen = row.quality.iter().flatten().count() as f64;
    row.selected.is_none() && is_even(sum(row)) && seen + 0.5 < sum(row)
}

fn sum(row: &Row) -> f64 {
    row.propensity.iter().flatten().sum()
}

/// Whether its propensities sum to what they should.
fn is_sound(row: &Row) -> bool {
    let sum = sum(row);
    row.expected_raced.map_or_else(|| is_even(sum), |stated| (sum - stated).abs() < WHOLE)
}

fn is_even(sum: f64) -> bool {
    sum > 0.5 && (sum - sum.round()).abs() < WHOLE
}

/// An arm that lost selections, for people and JSON.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[expect(clippy::struct_field_names, reason = "as in the JSON")]
pub struct Lost {
    /// The arm.
    pub arm: ArmId,
    /// Rows on which it was selected.
    pub selected: u64,
    /// Those of them on which it was not judged.
    pub lost: u64,
}
