//! Whether a server that others share is worth asking: after a failure it is left alone for a growing while,
//! and what is said about it in the log is said at the turns, at most once a minute. It knows no server.

use std::time::Duration;

use tokio::time::Instant;

/// The first rest; each failure in a row doubles it.
const FIRST_REST: Duration = Duration::from_secs(1);
/// The longest rest.
const LAST_REST: Duration = Duration::from_secs(30);
/// The least time from one warning to the next.
const BETWEEN_WARNINGS: Duration = Duration::from_mins(1);

/// What a server did of late.
#[derive(Debug, Default)]
pub(super) struct Standing {
    /// In a row.
    failures: u32,
    rests_until: Option<Instant>,
    warned: Option<Instant>,
    /// A warning was given that it is gone, and nothing since.
    is_missed: bool,
}

/// What there is to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Nothing.
    None,
    /// It is gone.
    Lost,
    /// It is back.
    Back,
}

impl Standing {
    /// Whether it is not to be asked at `now`.
    pub(super) fn rests(&self, now: Instant) -> bool {
        self.rests_until.is_some_and(|until| now < until)
    }

    /// It answered.
    pub(super) fn answered(&mut self) -> Turn {
        (self.failures, self.rests_until) = (0, None);
        if std::mem::take(&mut self.is_missed) { Turn::Back } else { Turn::None }
    }

    /// It failed at `now`. Failures of questions that were asked side by side count once.
    pub(super) fn failed(&mut self, now: Instant) -> Turn {
        if self.rests(now) {
            return Turn::None;
        }
        let rest = FIRST_REST.saturating_mul(1 << self.failures.min(10)).min(LAST_REST);
        self.failures = self.failures.saturating_add(1);
        self.rests_until = Some(now + rest);
        if self.warned.is_some_and(|at| now.duration_since(at) < BETWEEN_WARNINGS) || self.is_missed {
            return Turn::None;
        }
        (self.warned, self.is_missed) = (Some(now), true);
        Turn::Lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_that_is_down_is_asked_ever_less_and_spoken_of_once() {
        let (start, mut standing) = (Instant::now(), Standing::default());
        let (mut asked, mut said) = (Vec::new(), Vec::new());
        for second in 0..120 {
            let now = start + Duration::from_secs(second);
            if !standing.rests(now) {
                asked.push(second);
                said.push(standing.failed(now));
                assert_eq!(standing.failed(now), Turn::None, "one that was asked at the same time");
            }
        }
        assert_eq!(asked, [0, 1, 3, 7, 15, 31, 61, 91]);
        assert_eq!(said.iter().filter(|turn| **turn == Turn::Lost).count(), 1);
        assert_eq!((standing.answered(), standing.answered()), (Turn::Back, Turn::None));
        assert!(!standing.rests(start + Duration::from_secs(91)));
    }

    #[tokio::test]
    async fn one_that_comes_and_goes_is_spoken_of_once_a_minute() {
        let (start, mut standing) = (Instant::now(), Standing::default());
        let mut lost = 0;
        for second in (0..600).step_by(2) {
            lost += u32::from(standing.failed(start + Duration::from_secs(second)) == Turn::Lost);
            standing.answered();
        }
        assert_eq!(lost, 10);
    }
}
