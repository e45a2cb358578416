//! Dollars of one day over all runs, under a ceiling. A day is a day of UTC, and what a run spends counts
//! for the day on which it began. A run reserves what runs cost on average before it starts, so that many
//! at once do not all count on the same last dollar; as it spends, spending takes the place of what it
//! reserved, and what is left is released when it ends.
//!
//! Nothing is stored here: who holds the account says at the start what was spent today.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::domain::clock::Timestamp;

/// The account of a day.
#[derive(Debug)]
pub struct DayAccount {
    ceiling_usd: f64,
    books: Mutex<Books>,
}

#[derive(Debug, Default)]
struct Books {
    /// Days since the epoch.
    day: u64,
    spent: f64,
    reserved: f64,
    /// Cancelled when the day's ceiling is exceeded.
    over: CancellationToken,
}

/// What a run holds of a day's ceiling until it is dropped.
#[derive(Debug)]
pub struct Reservation {
    account: Arc<DayAccount>,
    day: u64,
    over: CancellationToken,
    left: Mutex<f64>,
}

/// The day's ceiling leaves no room for another run.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[expect(clippy::struct_field_names, reason = "the unit of each")]
pub struct DayFull {
    /// Dollars spent.
    pub spent_usd: f64,
    /// Dollars that runs in flight are expected to spend yet.
    pub reserved_usd: f64,
    /// The ceiling.
    pub ceiling_usd: f64,
}

impl fmt::Display for DayFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { spent_usd, reserved_usd, ceiling_usd } = self;
        write!(f, "`budget.per_day_usd` allows ${ceiling_usd} a day (UTC): ${spent_usd:.6} is spent")?;
        if *reserved_usd > 0.0 {
            write!(f, " and ${reserved_usd:.6} is reserved by runs under way")?;
        }
        Ok(())
    }
}

impl DayAccount {
    /// An account without spending, under a ceiling in dollars.
    #[must_use]
    pub fn new(ceiling_usd: f64) -> Self {
        Self { ceiling_usd, books: Mutex::default() }
    }

    /// The ceiling in dollars.
    #[must_use]
    pub const fn ceiling_usd(&self) -> f64 {
        self.ceiling_usd
    }

    /// On the day of `now`, `spent_usd` was spent before this process began.
    pub fn restore(&self, now: Timestamp, spent_usd: f64) {
        let mut books = self.books();
        *books = Books { day: now.day(), spent: spent_usd, ..Books::default() };
        if spent_usd > self.ceiling_usd {
            books.over.cancel();
        }
    }

    /// Reserves `expected_usd` for a run that begins at `now`.
    ///
    /// # Errors
    /// [`DayFull`] where the ceiling leaves no room for that.
    pub fn reserve(self: &Arc<Self>, now: Timestamp, expected_usd: f64) -> Result<Reservation, DayFull> {
        let mut books = self.books();
        books.turn_to(now.day());
        let is_full = books.spent >= self.ceiling_usd || books.spent + books.reserved + expected_usd > self.ceiling_usd;
        if is_full {
            return Err(self.full(&books));
        }
        books.reserved += expected_usd;
        let (day, over) = (books.day, books.over.clone());
        drop(books);
        Ok(Reservation { account: Arc::clone(self), day, over, left: Mutex::new(expected_usd) })
    }

    /// Dollars spent on the day of `now`, and those reserved.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> (f64, f64) {
        let mut books = self.books();
        books.turn_to(now.day());
        (books.spent, books.reserved)
    }

    /// What is spent on the day of `now`, where that leaves no room for a run of `expected_usd` even once those under
    /// way have ended: runs are refused until the day is over.
    #[must_use]
    pub fn exhausted(&self, now: Timestamp, expected_usd: f64) -> Option<f64> {
        let (spent, _) = self.state(now);
        (spent >= self.ceiling_usd || spent + expected_usd > self.ceiling_usd).then_some(spent)
    }

    fn full(&self, books: &Books) -> DayFull {
        DayFull { spent_usd: books.spent, reserved_usd: books.reserved, ceiling_usd: self.ceiling_usd }
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Books {
    /// A clock that was put back turns no page.
    fn turn_to(&mut self, day: u64) {
        if day > self.day {
            *self = Self { day, ..Self::default() };
        }
    }
}

impl Reservation {
    /// Cancelled when the day's ceiling is exceeded.
    pub(super) const fn over(&self) -> &CancellationToken {
        &self.over
    }

    /// Spends `usd` (or gets it back), out of what is reserved as far as that goes.
    pub(super) fn charge(&self, usd: f64) {
        let mut left = self.left();
        let from_reserve = usd.clamp(0.0, *left);
        *left -= from_reserve;
        let mut books = self.account.books();
        if books.day != self.day {
            return;
        }
        books.reserved = (books.reserved - from_reserve).max(0.0);
        books.spent = (books.spent + usd).max(0.0);
        if books.spent > self.account.ceiling_usd {
            self.over.cancel();
        }
    }

    /// Whether `usd` more would stay under the ceiling, with what others have reserved.
    pub(super) fn has_room(&self, usd: f64) -> bool {
        let own = *self.left();
        let books = self.account.books();
        books.day != self.day || books.spent + usd + (books.reserved - own).max(0.0) <= self.account.ceiling_usd
    }

    /// The account in words.
    pub(super) fn full(&self) -> DayFull {
        self.account.full(&self.account.books())
    }

    /// Always taken before the books.
    fn left(&self) -> MutexGuard<'_, f64> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let left = *self.left();
        let mut books = self.account.books();
        if books.day == self.day {
            books.reserved = (books.reserved - left).max(0.0);
        }
    }
}
