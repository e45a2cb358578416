//! The arms table's own state: order, selection, marks. Rows keep their place: the order is looked at
//! again only every few seconds and then changes only where two neighbours have clearly swapped. The
//! selection follows the arm, not the row.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::time::Duration;

use crate::domain::clock::Timestamp;
use crate::domain::ids::ArmId;
use crate::domain::snapshot::ArmRow;

/// What the table is sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum SortKey {
    /// Traffic share, most first.
    #[default]
    Share,
    /// Expected reward, best first.
    Mean,
    /// Preview p95, fastest first.
    P95,
    /// Errors, worst first.
    Errors,
    /// Dollars a run, most first.
    Cost,
    /// Trials, most first.
    Trials,
    /// As configured.
    Configured,
}

impl SortKey {
    const ALL: [Self; 7] =
        [Self::Share, Self::Mean, Self::P95, Self::Errors, Self::Cost, Self::Trials, Self::Configured];

    /// The one after it.
    pub(crate) fn next(self) -> Self {
        let at = Self::ALL.iter().position(|key| *key == self).unwrap_or(0);
        Self::ALL[(at + 1) % Self::ALL.len()]
    }

    /// The word in the table's title.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Share => "share",
            Self::Mean => "mean",
            Self::P95 => "p95",
            Self::Errors => "errors",
            Self::Cost => "$/run",
            Self::Trials => "trials",
            Self::Configured => "configured order",
        }
    }

    /// Higher comes first; no data comes last.
    fn value(self, row: &ArmRow) -> f64 {
        let value = match self {
            Self::Share => row.share.map(crate::domain::ratio::Ratio::get),
            Self::Mean => row.mean,
            Self::P95 => row.p95_preview_s.map(|s| -s),
            Self::Errors => row.error_rate.map(crate::domain::ratio::Ratio::get),
            Self::Cost => row.cost_usd_per_run,
            Self::Trials => Some(row.trials as f64),
            Self::Configured => Some(0.0),
        };
        value.filter(|v| v.is_finite()).unwrap_or(f64::NEG_INFINITY)
    }

    /// How far a row must be ahead of its neighbour to pass it.
    fn margin(self, a: f64, b: f64) -> f64 {
        match self {
            Self::Share => 0.02,
            Self::Mean | Self::Errors => 0.01,
            _ => 0.05 * a.abs().min(b.abs()),
        }
    }
}

/// The table's state.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    /// The arm under the cursor.
    pub(crate) selected: Option<ArmId>,
    /// Arms that the next action is for.
    pub(crate) marked: BTreeSet<ArmId>,
    /// What it is sorted by.
    pub(crate) sort: SortKey,
    /// Rows from above.
    pub(crate) order: Vec<ArmId>,
    sorted_at: Option<Timestamp>,
}

impl Table {
    const PATIENCE: Duration = Duration::from_secs(3);

    /// Follows the pool: new arms are added below, gone ones leave, marks and selection with them.
    pub(crate) fn follow(&mut self, arms: &[ArmRow], now: Timestamp) {
        let known = |arm: &ArmId| arms.iter().any(|row| row.arm == *arm);
        self.order.retain(|arm| known(arm));
        self.marked.retain(|arm| known(arm));
        let is_first = self.order.is_empty();
        for row in arms {
            if !self.order.contains(&row.arm) {
                self.order.push(row.arm.clone());
            }
        }
        if is_first {
            self.sort_now(arms, now);
        } else if self.sorted_at.is_none_or(|at| now.since(at) >= Self::PATIENCE) {
            self.settle(arms);
            self.sorted_at = Some(now);
        }
        if self.selected.as_ref().is_none_or(|arm| !known(arm)) {
            self.selected = self.order.first().cloned();
        }
    }

    /// Sorts by the next key, at once.
    pub(crate) fn sort_by_next(&mut self, arms: &[ArmRow], now: Timestamp) {
        self.sort = self.sort.next();
        self.sort_now(arms, now);
    }

    fn sort_now(&mut self, arms: &[ArmRow], now: Timestamp) {
        let mut rows: Vec<&ArmRow> = arms.iter().collect();
        rows.sort_by(|a, b| self.sort.value(b).partial_cmp(&self.sort.value(a)).unwrap_or(Ordering::Equal));
        self.order = rows.into_iter().map(|row| row.arm.clone()).collect();
        self.sorted_at = Some(now);
    }

    /// Lets rows pass neighbours that they are clearly ahead of.
    fn settle(&mut self, arms: &[ArmRow]) {
        let value =
            |arm: &ArmId| arms.iter().find(|row| row.arm == *arm).map_or(f64::NEG_INFINITY, |row| self.sort.value(row));
        let mut order: Vec<(ArmId, f64)> = self.order.iter().map(|arm| (arm.clone(), value(arm))).collect();
        for end in 1..order.len() {
            let mut at = end;
            while at > 0 {
                let (above, below) = (order[at - 1].1, order[at].1);
                let margin = if above.is_finite() { self.sort.margin(above, below) } else { 0.0 };
                if below <= above + margin {
                    break;
                }
                order.swap(at - 1, at);
                at -= 1;
            }
        }
        self.order = order.into_iter().map(|(arm, _)| arm).collect();
    }

    /// Moves the selection by `rows`.
    pub(crate) fn move_by(&mut self, rows: i32) {
        let at = self.selected.as_ref().and_then(|arm| self.order.iter().position(|a| a == arm)).unwrap_or(0);
        let last = self.order.len().saturating_sub(1);
        let step = usize::try_from(rows.unsigned_abs()).unwrap_or(0);
        let to = if rows < 0 { at.saturating_sub(step) } else { at.saturating_add(step).min(last) };
        self.selected = self.order.get(to).cloned();
    }

    /// Marks or unmarks the selected arm and goes on to the next.
    pub(crate) fn mark(&mut self) {
        if let Some(arm) = self.selected.clone() {
            if !self.marked.remove(&arm) {
                self.marked.insert(arm);
            }
            self.move_by(1);
        }
    }

    /// The marked arms, or the selected one.
    pub(crate) fn targets(&self) -> Vec<ArmId> {
        if self.marked.is_empty() {
            self.selected.iter().cloned().collect()
        } else {
            self.order.iter().filter(|arm| self.marked.contains(*arm)).cloned().collect()
        }
    }
}
