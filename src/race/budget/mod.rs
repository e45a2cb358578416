//! What a run may spend: tokens by phase, dollars of the whole run, dollars of a day over all runs.
//!
//! Checked before every call (previews, judge, attempts, hedges, and each retry of them) with the price of
//! the arm that it goes to, and after every chunk with what has come so far: tokens that the endpoint has
//! not counted yet are estimated. What is over a ceiling stops at once, with everything else under the same
//! ceiling; so no ceiling is exceeded by more than one chunk. A call that is complete by then is kept. What
//! has no known price counts as nothing, and an arm that costs nothing is never refused for dollars.
//!
//! Of a call that is running, what it took so far is on the account; at its end that is put right by what
//! the endpoint says it took.

mod day;

use std::future::pending;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

pub use day::{DayAccount, DayFull, Reservation};

use crate::domain::failure::{Failure, FailureClass};
use crate::domain::money::{Price, Usage};
use crate::domain::tally::Phase;

/// The ceilings; absent ones are none.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BudgetRules {
    /// Tokens of all calls of a phase together, prompts included, in the order of [`Phase::ALL`].
    pub tokens: [Option<u64>; 3],
    /// Dollars of one run.
    pub run_usd: Option<f64>,
    /// Dollars of one day (UTC): of all runs that began on it, and of what is done beside them.
    pub day_usd: Option<f64>,
}

/// Which ceiling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ceiling {
    Phase(Phase),
    Run,
    Day,
}

/// What one run has spent, and may.
#[derive(Debug)]
pub(crate) struct Purse {
    rules: BudgetRules,
    day: Option<Reservation>,
    books: Mutex<Books>,
    /// By phase; all are cancelled by the run's, which is cancelled by the day's.
    over: [CancellationToken; 3],
    over_run: CancellationToken,
}

#[derive(Debug, Default)]
struct Books {
    usd: f64,
    tokens: [u64; 3],
}

/// What one call takes from a purse.
#[derive(Debug)]
pub(crate) struct Meter<'a> {
    purse: &'a Purse,
    phase: Phase,
    price: Option<Price>,
    input_tokens: u32,
    taken: Usage,
}

impl Purse {
    /// A full purse; `day`: what was reserved of the day's ceiling, where there is one.
    pub(crate) fn new(rules: BudgetRules, day: Option<Reservation>) -> Self {
        let over_run = day.as_ref().map_or_else(CancellationToken::new, |day| day.over().child_token());
        let over = [(); 3].map(|()| over_run.child_token());
        Self { rules, day, books: Mutex::default(), over, over_run }
    }

    /// A purse out of which `usd` of the run's own ceiling is gone; the day has them already.
    pub(crate) fn with_spent(rules: BudgetRules, day: Option<Reservation>, usd: f64) -> Self {
        let purse = Self::new(rules, day);
        purse.books().usd = usd;
        purse
    }

    /// Opens a call with a prompt of `input_tokens`: what it takes at the very least must be there.
    ///
    /// # Errors
    /// A failure of the class *budget* that names the ceiling. Nothing was taken.
    pub(crate) fn open(&self, phase: Phase, price: Option<Price>, input_tokens: u32) -> Result<Meter<'_>, Failure> {
        self.check(phase, price, input_tokens)?;
        let mut meter = Meter { purse: self, phase, price, input_tokens, taken: Usage::default() };
        meter.move_to(&Usage { input_tokens, output_tokens: 0, estimated: true, ..Usage::default() });
        Ok(meter)
    }

    /// Whether such a call could be opened now.
    ///
    /// # Errors
    /// As [`Purse::open`].
    pub(crate) fn check(&self, phase: Phase, price: Option<Price>, input_tokens: u32) -> Result<(), Failure> {
        if self.is_over(phase) {
            return Err(self.failure(self.reached(phase)));
        }
        let least = Usage { input_tokens, output_tokens: 1, estimated: true, ..Usage::default() };
        let dollars = price.map_or(0.0, |price| price.cost(&least));
        self.too_much(phase, dollars, tokens(&least)).map_or(Ok(()), |ceiling| Err(self.failure(ceiling)))
    }

    /// Whether there are `dollars` for what is no call of a model.
    ///
    /// # Errors
    /// A failure of the class *budget* that names the ceiling.
    pub(crate) fn affords(&self, phase: Phase, dollars: f64) -> Result<(), Failure> {
        self.too_much(phase, dollars, 0).map_or(Ok(()), |ceiling| Err(self.failure(ceiling)))
    }

    /// Takes `dollars` for what was no call of a model, even where that is over a ceiling by now.
    pub(crate) fn pay(&self, phase: Phase, dollars: f64) {
        self.charge(phase, dollars, 0, 0);
    }

    /// Whether that phase is at an end for want of money: no further call of it can be made.
    pub(crate) fn is_over(&self, phase: Phase) -> bool {
        self.over[phase as usize].is_cancelled()
    }

    /// Resolves when the phase is over.
    async fn exhausted(&self, phase: Phase) -> Failure {
        let is_bounded =
            self.day.is_some() || self.rules.run_usd.is_some() || self.rules.tokens[phase as usize].is_some();
        if !is_bounded {
            // The common case costs nothing at every chunk.
            return pending().await;
        }
        self.over[phase as usize].cancelled().await;
        self.failure(self.reached(phase))
    }

    /// The ceiling that `dollars` and `tokens` more would exceed.
    fn too_much(&self, phase: Phase, dollars: f64, tokens: u64) -> Option<Ceiling> {
        let books = self.books();
        let is_over = |ceiling: Option<f64>| ceiling.is_some_and(|most| books.usd + dollars > most);
        if self.rules.tokens[phase as usize].is_some_and(|most| books.tokens[phase as usize] + tokens > most) {
            Some(Ceiling::Phase(phase))
        } else if dollars > 0.0 && is_over(self.rules.run_usd) {
            Some(Ceiling::Run)
        } else if dollars > 0.0 && self.day.as_ref().is_some_and(|day| !day.has_room(dollars)) {
            Some(Ceiling::Day)
        } else {
            None
        }
    }

    /// Why the phase is over.
    fn reached(&self, phase: Phase) -> Ceiling {
        if !self.over_run.is_cancelled() {
            Ceiling::Phase(phase)
        } else if self.day.as_ref().is_some_and(|day| day.over().is_cancelled()) {
            Ceiling::Day
        } else {
            Ceiling::Run
        }
    }

    /// Puts on the account that a call took `dollars` more (or less) than before, and tokens; ends what is
    /// over a ceiling by then.
    fn charge(&self, phase: Phase, dollars: f64, more: u64, less: u64) {
        let (run, phase_tokens) = {
            let mut books = self.books();
            books.usd += dollars;
            let count = &mut books.tokens[phase as usize];
            *count = (*count + more).saturating_sub(less);
            let count = *count;
            (books.usd, count)
        };
        if let Some(day) = &self.day {
            day.charge(dollars);
        }
        if self.rules.run_usd.is_some_and(|most| run > most) {
            self.over_run.cancel();
        }
        if self.rules.tokens[phase as usize].is_some_and(|most| phase_tokens > most) {
            self.over[phase as usize].cancel();
        }
    }

    fn failure(&self, ceiling: Ceiling) -> Failure {
        let spent = self.books().usd;
        let (kind, message) = match ceiling {
            Ceiling::Phase(phase) => {
                let most = self.rules.tokens[phase as usize].unwrap_or_default();
                let name = phase.name();
                ("phase_tokens", format!("`budget.{name}_tokens` allows {most} tokens of {name} calls in one run"))
            }
            Ceiling::Run => {
                let most = self.rules.run_usd.unwrap_or_default();
                ("run_ceiling", format!("`budget.per_run_usd` allows ${most} for one run, and ${spent:.6} is spent"))
            }
            Ceiling::Day => {
                let full = self.day.as_ref().map(Reservation::full);
                ("day_ceiling", full.map_or_else(String::new, |full| full.to_string()))
            }
        };
        Failure::new(FailureClass::Budget, kind, message)
    }

    /// Never held across a wait.
    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Meter<'_> {
    /// The call has taken `usage` so far. Where that is over a ceiling, why it must stop.
    pub(crate) fn note(&mut self, usage: &Usage) -> Option<Failure> {
        self.move_to(usage);
        self.purse.is_over(self.phase).then(|| self.purse.failure(self.purse.reached(self.phase)))
    }

    /// Tokens of its prompt, estimated.
    pub(crate) const fn input_tokens(&self) -> u32 {
        self.input_tokens
    }

    /// The call has ended and took `usage`: what it is billed for.
    pub(crate) fn settle(mut self, usage: &Usage) {
        self.move_to(usage);
    }

    /// Resolves when a ceiling is reached by whatever runs beside this call.
    pub(crate) async fn exhausted(&self) -> Failure {
        self.purse.exhausted(self.phase).await
    }

    fn move_to(&mut self, usage: &Usage) {
        let cost = |usage: &Usage| self.price.map_or(0.0, |price| price.cost(usage));
        let (before, now) = (tokens(&self.taken), tokens(usage));
        self.purse.charge(
            self.phase,
            cost(usage) - cost(&self.taken),
            now.saturating_sub(before),
            before.saturating_sub(now),
        );
        self.taken = *usage;
    }
}

fn tokens(usage: &Usage) -> u64 {
    u64::from(usage.input_tokens) + u64::from(usage.output_tokens)
}

#[cfg(test)]
mod tests;
