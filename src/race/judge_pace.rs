//! How long the judge takes, folded over what asking it took: to its first token, between two tokens and for a whole
//! verdict. What deadlines make of that is said in `timeouts.rs`, by the same rules as for arms.
//!
//! A deadline that ran out counts as having taken that time, and makes the next one longer at once: of arms there are
//! others, but while the one judge is not heard out nothing is learned about quality. A verdict that was asked for again says nothing, since
//! its times are of all askings, and neither does a judge that failed otherwise: a fast failure is not a fast judge.
//! Another judge starts afresh, over a restart too: records say who was asked.

use std::sync::Arc;

use super::timeouts::{Newest, Pace};
use crate::domain::record::JudgingRecord;

/// p99 of seconds of one judge, each where enough was seen.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct JudgePaces {
    /// Whose they are.
    pub(super) name: Arc<str>,
    /// To the first token.
    pub(super) first_token: Pace,
    /// The longest time between two tokens of a reply.
    pub(super) between_tokens: Pace,
    /// Of a verdict.
    pub(super) whole: Pace,
}

/// Folds what judging took into [`JudgePaces`].
#[derive(Clone, Debug, Default)]
pub(super) struct JudgeFold {
    first_token: Newest,
    between_tokens: Newest,
    whole: Newest,
    paces: JudgePaces,
}

impl JudgeFold {
    /// Takes in what asking for one verdict took, `seconds` in all.
    pub(super) fn absorb(&mut self, judging: &JudgingRecord, seconds: f64) {
        if *self.paces.name != *judging.judge {
            *self = Self::default();
            self.paces.name = judging.judge.as_str().into();
        }
        let deadlines = judging.handling.deadlines;
        match judging.error.as_ref().map(|failure| failure.kind.as_ref()) {
            None if judging.calls == 1 => {
                self.whole.push(seconds);
                self.first_token.push(judging.ttft_s.unwrap_or(seconds));
                judging.handling.longest_gap_s.into_iter().for_each(|gap| self.between_tokens.push(gap));
            }
            Some("first_token_timeout") => {
                if let Some(deadlines) = deadlines {
                    self.first_token.push_late(deadlines.first_token_s);
                }
            }
            Some("stall") => deadlines.into_iter().for_each(|d| self.between_tokens.push_late(d.between_tokens_s)),
            Some("phase_timeout") => deadlines.into_iter().for_each(|d| self.whole.push_late(d.whole_s)),
            _ => return,
        }
        self.paces.first_token = self.first_token.pace();
        self.paces.between_tokens = self.between_tokens.pace();
        self.paces.whole = self.whole.pace();
    }

    pub(super) fn paces(&self) -> JudgePaces {
        self.paces.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::failure::{Failure, FailureClass};
    use crate::domain::handling::{Deadlines, Handling};
    use crate::race::PhaseTimeouts;
    use crate::race::signals::Signals;
    use crate::race::timeouts::{Timers, Times};

    fn verdict(ttft_s: f64) -> JudgingRecord {
        let handling = Handling { longest_gap_s: Some(0.1), ..Handling::default() };
        JudgingRecord { judge: "j".to_owned(), calls: 1, ttft_s: Some(ttft_s), handling, ..JudgingRecord::default() }
    }

    fn failed(kind: &'static str, deadlines: [f64; 3]) -> JudgingRecord {
        let [first_token_s, between_tokens_s, whole_s] = deadlines;
        let deadlines = Some(Deadlines { first_token_s, between_tokens_s, whole_s, learned: true });
        let error = Some(Failure::new(FailureClass::Transient, kind, ""));
        JudgingRecord { error, ttft_s: None, handling: Handling { deadlines, ..Handling::default() }, ..verdict(0.0) }
    }

    fn times(fold: &JudgeFold, rules: &PhaseTimeouts, name: &str) -> Times {
        let signals = Signals::judged_at(fold.paces());
        Timers { rules, signals: &signals, length: 0.0 }.judge(name)
    }

    fn seen(verdicts: usize) -> JudgeFold {
        let mut fold = JudgeFold::default();
        (0..verdicts).for_each(|_| fold.absorb(&verdict(1.5), 5.0));
        fold
    }

    #[test]
    fn every_deadline_follows_the_judge_once_enough_was_seen_of_it() {
        let (rules, mut fold) = (PhaseTimeouts::default(), seen(19));
        fold.absorb(&JudgingRecord { calls: 2, ..verdict(9.0) }, 60.0);
        let start = times(&fold, &rules, "j");
        let expected = (rules.first_token, rules.between_tokens, rules.judge, false);
        assert_eq!(
            (start.first_token, start.between_tokens, start.whole, start.learned),
            expected,
            "asked twice: nothing"
        );
        fold.absorb(&verdict(1.5), 5.0);
        let own = times(&fold, &rules, "j");
        let expected = (Duration::from_millis(4_500), rules.follow.floor, Duration::from_secs(15), true);
        assert_eq!((own.first_token, own.between_tokens, own.whole, own.learned), expected);
        assert_eq!(times(&fold, &rules, "k"), start, "what was seen is of that judge alone");
        fold.absorb(&JudgingRecord { judge: "k".to_owned(), ..verdict(0.5) }, 0.6);
        assert_eq!((times(&fold, &rules, "j"), times(&fold, &rules, "k")), (start, start), "another starts afresh");
    }

    #[test]
    fn a_deadline_that_ran_out_makes_it_longer_and_another_failure_changes_nothing() {
        let (rules, mut fold) = (PhaseTimeouts::default(), seen(20));
        let known = fold.paces();
        (0..50).for_each(|_| fold.absorb(&failed("connect", [1.0, 1.0, 1.0]), 0.01));
        assert_eq!(fold.paces(), known);
        fold.absorb(&failed("first_token_timeout", [4.5, 2.0, 15.0]), 4.5);
        assert_eq!(times(&fold, &rules, "j").first_token, Duration::from_millis(13_500));
        fold.absorb(&failed("first_token_timeout", [13.5, 2.0, 15.0]), 13.5);
        assert_eq!(times(&fold, &rules, "j").first_token, rules.follow.ceiling, "it is heard out");
        fold.absorb(&failed("stall", [4.5, 2.0, 15.0]), 3.0);
        assert_eq!(times(&fold, &rules, "j").between_tokens, Duration::from_secs(6));
        fold.absorb(&failed("phase_timeout", [4.5, 2.0, 20.0]), 0.1);
        assert_eq!(times(&fold, &rules, "j").whole, rules.judge * 2, "it took the twenty seconds that it had");
    }

    #[test]
    fn before_enough_was_seen_what_ran_out_makes_it_longer_and_nothing_makes_it_shorter() {
        let (rules, mut fold) = (PhaseTimeouts::default(), seen(3));
        fold.absorb(&failed("first_token_timeout", [10.0, 10.0, 20.0]), 10.0);
        let own = times(&fold, &rules, "j");
        let expected = (rules.follow.ceiling, rules.between_tokens, rules.judge, true);
        assert_eq!((own.first_token, own.between_tokens, own.whole, own.learned), expected);
        let mut fold = seen(3);
        fold.absorb(&failed("stall", [10.0, 0.5, 20.0]), 1.0);
        assert_eq!(times(&fold, &rules, "j").between_tokens, rules.between_tokens, "not below the start");
    }

    #[test]
    fn what_a_person_set_holds() {
        let (mut rules, fold) = (PhaseTimeouts::default(), seen(40));
        rules.follow.fixed = [true; 5];
        let set = times(&fold, &rules, "j");
        let expected = (rules.first_token, rules.between_tokens, rules.judge, false);
        assert_eq!((set.first_token, set.between_tokens, set.whole, set.learned), expected);
    }
}
