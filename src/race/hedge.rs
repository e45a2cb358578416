//! Two answers beside each other: the rules by which a second one is started, and which of the two is the
//! clear winner. Pure decisions; what is done about them is in `pair.rs`.
//!
//! A second answer helps where the first is silent for long, which happens to long prompts. It costs
//! another prompt, so it is started only for them, only when the first has been silent for longer than it
//! is nearly ever (the p95 of its first tokens), and only within the share of traffic that retries and
//! hedges may take. (Dean & Barroso, *The tail at scale*, 2013.)
//!
//! One attempt's text is the answer, never two. The one that speaks first is shown; the other's text is
//! kept unseen. Where the other one wins after all, a new `AttemptStarted` voids what was shown, as it does
//! for a fallback.

use std::time::Duration;

/// When a second answer is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HedgeStart {
    /// After the p95 of the first arm's time to its first token, where none has come by then.
    P95,
    /// At once.
    Immediate,
    /// Never.
    Off,
}

/// When a second answer is started beside the first, and when one of them has won.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HedgeRules {
    /// When the second starts.
    pub start: HedgeStart,
    /// Characters of all turns from which a prompt is long.
    pub prompt_chars: usize,
    /// Tokens by which an answer must be ahead of the other to have won before it is complete.
    pub margin_tokens: u32,
}

impl Default for HedgeRules {
    fn default() -> Self {
        Self { start: HedgeStart::P95, prompt_chars: 4_000, margin_tokens: 48 }
    }
}

impl HedgeRules {
    /// After how long to start a second answer to a prompt of so many characters; `None`: never. `usual`:
    /// the first arm's p95 of first tokens, where that is known; `patience`: how long a first token is
    /// waited for at most, half of which stands for what is not known.
    pub(crate) fn delay(&self, prompt_chars: usize, usual: Option<Duration>, patience: Duration) -> Option<Duration> {
        if prompt_chars < self.prompt_chars {
            return None;
        }
        match self.start {
            HedgeStart::Off => None,
            HedgeStart::Immediate => Some(Duration::ZERO),
            HedgeStart::P95 => Some(usual.unwrap_or(patience / 2)).filter(|delay| *delay < patience),
        }
    }
}

/// How one of two answers stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stand {
    /// It is coming.
    Going {
        /// Tokens so far.
        tokens: u32,
        /// Whether anything is wrong with it so far.
        flagged: bool,
    },
    /// It is complete and can be served.
    Complete {
        /// Whether anything is wrong with it.
        flagged: bool,
    },
    /// It failed.
    Failed,
}

/// What that makes of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Wait.
    Open,
    /// The first, or the second, by its place.
    Won(usize),
    /// Both failed.
    Lost,
}

/// Who has won. An answer that is complete and in order has, the first in order before the second; so has
/// one that is ahead by more than `margin` tokens with nothing wrong so far, and one whose other failed once
/// it is complete. Of two complete answers with flags it is the first.
pub(crate) fn winner(stands: [Stand; 2], margin: u32) -> Outcome {
    use Stand::{Complete, Failed, Going};
    if let Some(clean) = stands.iter().position(|stand| matches!(stand, Complete { flagged: false })) {
        return Outcome::Won(clean);
    }
    match stands {
        [Failed, Failed] => Outcome::Lost,
        [Complete { .. }, Complete { .. } | Failed] => Outcome::Won(0),
        [Failed, Complete { .. }] => Outcome::Won(1),
        [Going { tokens: first, flagged }, Going { tokens: second, flagged: other }] => {
            if !flagged && first > second.saturating_add(margin) {
                Outcome::Won(0)
            } else if !other && second > first.saturating_add(margin) {
                Outcome::Won(1)
            } else {
                Outcome::Open
            }
        }
        _ => Outcome::Open,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn going(tokens: u32) -> Stand {
        Stand::Going { tokens, flagged: false }
    }

    #[test]
    fn the_clear_winner() {
        use Stand::{Complete, Failed};
        let flagged = Stand::Going { tokens: 500, flagged: true };
        let (clean, marked) = (Complete { flagged: false }, Complete { flagged: true });
        let rows = [
            ([going(0), going(0)], Outcome::Open),
            ([going(48), going(0)], Outcome::Open),
            ([going(49), going(0)], Outcome::Won(0)),
            ([going(10), going(59)], Outcome::Won(1)),
            ([flagged, going(0)], Outcome::Open),
            ([flagged, going(560)], Outcome::Won(1)),
            ([clean, going(900)], Outcome::Won(0)),
            ([going(900), clean], Outcome::Won(1)),
            ([clean, clean], Outcome::Won(0)),
            ([marked, clean], Outcome::Won(1)),
            ([marked, going(1)], Outcome::Open),
            ([marked, marked], Outcome::Won(0)),
            ([marked, Failed], Outcome::Won(0)),
            ([Failed, marked], Outcome::Won(1)),
            ([Failed, going(900)], Outcome::Open),
            ([going(0), Failed], Outcome::Open),
            ([Failed, Failed], Outcome::Lost),
        ];
        for (stands, judgement) in rows {
            assert_eq!(winner(stands, 48), judgement, "{stands:?}");
        }
    }

    #[test]
    fn a_second_answer_is_for_long_prompts_and_for_silence() {
        let seconds = Duration::from_secs;
        let rules = |start| HedgeRules { start, prompt_chars: 100, margin_tokens: 1 };
        let rows = [
            (HedgeStart::P95, 99, Some(seconds(2)), None),
            (HedgeStart::P95, 100, Some(seconds(2)), Some(seconds(2))),
            (HedgeStart::P95, 100, None, Some(seconds(5))),
            (HedgeStart::P95, 100, Some(seconds(20)), None),
            (HedgeStart::Immediate, 100, Some(seconds(2)), Some(Duration::ZERO)),
            (HedgeStart::Off, 1_000_000, None, None),
        ];
        for (start, chars, usual, delay) in rows {
            assert_eq!(rules(start).delay(chars, usual, seconds(10)), delay, "{start:?} {chars} {usual:?}");
        }
    }
}
