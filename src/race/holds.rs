//! What runs under way are expected to cost under the ceiling of dollars per request. A run begins before what
//! was learned is read for it, is decided later, and ends when what it cost is in what others read: in
//! between it holds its expected dollars, so that many runs at once spend no more than one after the other.
//!
//! Decisions under a ceiling are made one at a time, each seeing what those before it hold. A run that ended
//! while another had begun and not decided yet still counts for that one: what that one reads may be older.
//! Held in memory alone: what dies with this process are the runs, too.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::bandit::InFlight;

/// What all runs of a race hold.
#[derive(Clone, Debug, Default)]
pub struct Holds(Arc<Mutex<Books>>);

#[derive(Debug, Default)]
struct Books {
    next: u64,
    /// In the order in which they began.
    runs: BTreeMap<u64, Phase>,
}

#[derive(Debug)]
enum Phase {
    /// With what runs held that ended since it began.
    Begun(InFlight),
    /// With the dollars that it holds; none where it was decided without a ceiling.
    Decided(Option<f64>),
}

/// One run's, until it is dropped.
#[derive(Debug)]
pub struct Hold {
    of: Holds,
    id: u64,
}

impl Holds {
    /// A run begins: before what was learned is read for it.
    #[must_use]
    pub fn begin(&self) -> Hold {
        let mut books = self.books();
        let id = books.next;
        books.next += 1;
        books.runs.insert(id, Phase::Begun(InFlight::NONE));
        drop(books);
        Hold { of: self.clone(), id }
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hold {
    /// Decides: `decide` is given what others hold, and says what this run is expected to cost, if there is a ceiling.
    pub fn decide<T>(&self, decide: impl FnOnce(InFlight) -> (T, Option<f64>)) -> T {
        let mut books = self.of.books();
        let ended = match books.runs.get(&self.id) {
            Some(Phase::Begun(ended)) => *ended,
            _ => InFlight::NONE,
        };
        let others = books.runs.iter().filter(|(id, _)| **id != self.id);
        let held = others.filter_map(|(_, phase)| phase.dollars()).fold(ended, InFlight::and);
        let (decided, dollars) = decide(held);
        books.runs.insert(self.id, Phase::Decided(dollars));
        decided
    }

    /// More is known now: it is expected to cost `dollars`.
    pub fn expect(&self, dollars: f64) {
        if let Some(Phase::Decided(Some(held))) = self.of.books().runs.get_mut(&self.id) {
            *held = dollars;
        }
    }
}

impl Phase {
    const fn dollars(&self) -> Option<f64> {
        match self {
            Self::Begun(_) => None,
            Self::Decided(dollars) => *dollars,
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut books = self.of.books();
        let Some(dollars) = books.runs.remove(&self.id).and_then(|phase| phase.dollars()) else { return };
        for phase in books.runs.values_mut() {
            if let Phase::Begun(ended) = phase {
                *ended = ended.and(dollars);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(hold: &Hold, dollars: f64) -> InFlight {
        hold.decide(|held| (held, Some(dollars)))
    }

    #[test]
    fn a_run_holds_from_its_decision_to_its_end() {
        let holds = Holds::default();
        let [first, second, third] = [holds.begin(), holds.begin(), holds.begin()];
        assert_eq!(seen(&first, 2.0), InFlight::NONE);
        assert_eq!(seen(&second, 3.0), InFlight { runs: 1, dollars: 2.0 });
        second.expect(1.0);
        drop(first);
        // What it reads may be from before the first one's end.
        assert_eq!(seen(&third, 0.5), InFlight { runs: 2, dollars: 3.0 });
        // Who begins after it reads what it cost.
        assert_eq!(seen(&holds.begin(), 0.0), InFlight { runs: 2, dollars: 1.5 });
        drop((second, third));
        assert_eq!(seen(&holds.begin(), 0.0), InFlight::NONE);
    }

    #[test]
    fn a_run_without_a_ceiling_holds_nothing() {
        let holds = Holds::default();
        let (free, next) = (holds.begin(), holds.begin());
        free.decide(|_| ((), None));
        free.expect(9.0);
        drop(free);
        assert_eq!(seen(&next, 1.0), InFlight::NONE);
    }
}
