//! In which order arms answer. First those that were judged, best verdict first, where verdicts too
//! close to call are decided by what was learned, and those that tried to sway the judge come after all others; then the arms that gave no preview, by what was
//! learned; last the arms whose preview failed in a way that may pass. What failed for a reason that
//! cannot pass within a run (a wrong key, no quota) is left out.
//!
//! What was learned is an answer's worth: expected quality × probability that it can be served ÷ expected
//! seconds, in units of quality a second.

use std::cmp::Ordering;

use super::answers::AnswerOutlook;
use super::distrust::is_suspect;
use crate::domain::failure::FailureClass;
use crate::domain::ids::ArmId;
use crate::domain::judging::Verdict;
use crate::domain::record::{ArmWorth, PreviewRecord};

/// The tie margin of verdicts that the local judge gave in place of one that failed: it tells an answer
/// from a refusal or a blank, but not a right answer from a wrong one.
pub(crate) const STAND_IN_MARGIN: f64 = 0.3;
/// Below it no expectation of quality is believed, so that an arm is never worth nothing.
const LEAST_QUALITY: f64 = 0.01;

/// What an answer of `arm` is worth. `quality`: expected, cut to (0, 1].
pub(crate) fn worth(arm: ArmId, quality: f64, answer: AnswerOutlook) -> ArmWorth {
    let quality = quality.clamp(LEAST_QUALITY, 1.0);
    let AnswerOutlook { success, seconds } = answer;
    ArmWorth { arm, quality, success, seconds, worth: quality * success / seconds }
}

/// The order, and what decided it beside the verdict.
#[derive(Default)]
pub(crate) struct Ordered {
    /// Best first.
    pub(crate) order: Vec<ArmId>,
    /// The first two neighbours that were put in order by their worth.
    pub(crate) decided: Option<[ArmId; 2]>,
}

/// Every candidate that may answer, best first. `candidates` are in pool order, which decides what
/// nothing else does; `margin` is in units of the verdict's `overall`.
pub(crate) fn answering_order(
    verdict: Option<&Verdict>,
    previews: &[PreviewRecord],
    candidates: &[ArmWorth],
    margin: f64,
) -> Ordered {
    let mut ordered = Ordered::default();
    let is_suspect = |arm: &ArmId| previews.iter().any(|p| p.arm == *arm && is_suspect(p));
    let (suspect, plain): (Vec<&ArmWorth>, Vec<&ArmWorth>) = candidates.iter().partition(|c| is_suspect(&c.arm));
    for judged in [plain, suspect] {
        ordered.judged(verdict, &judged, margin);
    }
    let failure = |arm: &ArmId| previews.iter().find(|p| p.arm == *arm).and_then(|p| p.error.as_ref());
    let (failed, fresh): (Vec<&ArmWorth>, Vec<&ArmWorth>) =
        candidates.iter().filter(|c| !ordered.order.contains(&c.arm)).partition(|c| failure(&c.arm).is_some());
    ordered.by_worth(fresh);
    let may_pass = |c: &&ArmWorth| failure(&c.arm).is_some_and(|f| may_pass(f.class));
    ordered.by_worth(failed.into_iter().filter(may_pass).collect());
    ordered
}

impl Ordered {
    /// Judged arms: each group of those within `margin` of the best left is a tie, decided by worth.
    fn judged(&mut self, verdict: Option<&Verdict>, candidates: &[&ArmWorth], margin: f64) {
        let Some(verdict) = verdict else { return };
        let mut left: Vec<(&ArmWorth, f64)> =
            candidates.iter().filter_map(|c| Some((*c, verdict.scores.get(&c.arm)?.overall))).collect();
        left.sort_by(|a, b| descending(a.1, b.1));
        let mut rest = left.as_slice();
        while let Some((_, best)) = rest.first() {
            let tied = rest.iter().take_while(|(_, overall)| best - overall <= margin).count().max(1);
            let (group, others) = rest.split_at(tied);
            self.by_worth(group.iter().map(|(c, _)| *c).collect());
            rest = others;
        }
    }

    fn by_worth(&mut self, mut arms: Vec<&ArmWorth>) {
        arms.sort_by(|a, b| descending(a.worth, b.worth));
        if self.decided.is_none() {
            let is_decided = |pair: &&[&ArmWorth]| pair[0].worth > pair[1].worth;
            self.decided = arms.windows(2).find(is_decided).map(|pair| [pair[0].arm.clone(), pair[1].arm.clone()]);
        }
        self.order.extend(arms.into_iter().map(|c| c.arm.clone()));
    }
}

/// Whether the same arm might do better at the next call of the same run.
const fn may_pass(class: FailureClass) -> bool {
    matches!(class, FailureClass::Transient | FailureClass::Content | FailureClass::Caller | FailureClass::Budget)
}

/// Descending; NaN, which no arm should have, goes last.
fn descending(a: f64, b: f64) -> Ordering {
    match (a.is_nan(), b.is_nan()) {
        (false, false) => b.total_cmp(&a),
        (a, b) => a.cmp(&b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::handling::Handling;
    use proptest::prelude::*;

    use crate::domain::failure::Failure;
    use crate::domain::judging::Scores;

    fn candidates(worths: &[(&str, f64)]) -> Vec<ArmWorth> {
        let of = |(arm, worth): &(&str, f64)| ArmWorth {
            arm: ArmId::new(arm),
            quality: *worth,
            success: 1.0,
            seconds: 1.0,
            worth: *worth,
        };
        worths.iter().map(of).collect()
    }

    fn verdict(scores: &[(&str, f64)]) -> Verdict {
        let of =
            |overall| Scores { relevance: 0.5, coverage: 0.5, faithfulness: 0.5, hallucination_risk: 0.5, overall };
        let scores = scores.iter().map(|(arm, overall)| (ArmId::new(arm), of(*overall))).collect();
        Verdict { judge: "j".to_owned(), local_fallback: false, scores, reason: None }
    }

    fn failed(arm: &str, class: FailureClass) -> PreviewRecord {
        PreviewRecord {
            arm: ArmId::new(arm),
            latency_s: 0.1,
            ttft_s: None,
            tokens: 0,
            tokens_in: 0,
            estimated: true,
            cost_usd: None,
            cached: false,
            flags: Vec::new(),
            text: String::new(),
            error: Some(Failure::new(class, "x", "")),
            handling: Handling::default(),
        }
    }

    fn names(ordered: &Ordered) -> String {
        ordered.order.iter().map(ArmId::as_str).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_verdict_decides_and_what_was_learned_breaks_ties() {
        let pool = candidates(&[("a", 0.1), ("b", 0.9), ("c", 0.5), ("d", 0.7)]);
        let clear = verdict(&[("a", 0.9), ("b", 0.2), ("c", 0.5)]);
        assert_eq!(names(&answering_order(Some(&clear), &[], &pool, 0.02)), "a c b d");
        let close = verdict(&[("a", 0.90), ("b", 0.89), ("c", 0.87)]);
        assert_eq!(names(&answering_order(Some(&close), &[], &pool, 0.02)), "b a c d");
    }

    #[test]
    fn who_tried_to_sway_the_judge_answers_after_all_others_however_close() {
        let pool = candidates(&[("a", 0.9), ("b", 0.1), ("c", 0.2), ("d", 0.5)]);
        let mut sways = failed("a", FailureClass::Transient);
        (sways.error, sways.flags) = (None, vec![crate::domain::flag::Flag::Influence]);
        let none = verdict(&[("a", 0.0), ("b", 0.0), ("c", 0.01)]);
        assert_eq!(names(&answering_order(Some(&none), &[sways], &pool, 0.02)), "c b a d");
    }

    #[test]
    fn arms_whose_preview_failed_come_last_or_not_at_all() {
        let pool = candidates(&[("a", 0.9), ("b", 0.8), ("c", 0.1), ("d", 0.95)]);
        let previews = [failed("a", FailureClass::Transient), failed("d", FailureClass::Configuration)];
        let one = verdict(&[("b", 0.3)]);
        assert_eq!(names(&answering_order(Some(&one), &previews, &pool, 0.02)), "b c a");
    }

    #[test]
    fn where_all_previews_failed_the_others_answer_first() {
        let pool = candidates(&[("a", 0.9), ("b", 0.1), ("c", 0.2)]);
        let previews = [failed("a", FailureClass::Content)];
        assert_eq!(names(&answering_order(None, &previews, &pool, 0.02)), "c b a");
    }

    #[test]
    fn what_worth_decided_is_told() {
        let pool = candidates(&[("a", 0.1), ("b", 0.9), ("c", 0.5), ("d", 0.7)]);
        let decided = |verdict: Option<&Verdict>, pool: &[ArmWorth]| {
            answering_order(verdict, &[], pool, 0.02).decided.map(|pair| pair.map(|arm| arm.to_string()).join(" "))
        };
        assert_eq!(decided(None, &pool).as_deref(), Some("b d"));
        let close = verdict(&[("a", 0.9), ("b", 0.5), ("c", 0.49)]);
        assert_eq!(decided(Some(&close), &pool).as_deref(), Some("b c"), "the tie");
        let clear = verdict(&[("a", 0.9), ("b", 0.5), ("c", 0.3), ("d", 0.1)]);
        assert_eq!(decided(Some(&clear), &pool), None, "verdicts decided all");
        assert_eq!(decided(None, &candidates(&[("a", 0.5), ("b", 0.5)])), None, "the pool's order decided");
    }

    #[test]
    fn an_answer_is_worth_its_quality_for_its_chance_and_time() {
        let known = worth(ArmId::new("a"), 0.8, AnswerOutlook { success: 0.5, seconds: 2.0 });
        assert!((known.worth - 0.2).abs() < 1e-12);
        let hopeless = worth(ArmId::new("a"), -0.3, AnswerOutlook { success: 0.5, seconds: 2.0 });
        assert!(hopeless.worth > 0.0 && hopeless.worth < known.worth);
    }

    proptest! {
        /// A better, surer or faster arm never loses a place by it.
        #[test]
        fn what_is_better_is_never_asked_later(
            arms in proptest::collection::vec((-0.2..1.2_f64, 0.01..1.0_f64, 0.001..100.0_f64), 1..8),
            (which, quality, success, faster) in (0_usize..8, 0.0..0.5_f64, 0.0..1.0_f64, 0.01..=1.0_f64),
        ) {
            let which = which % arms.len();
            let place = |arms: &[(f64, f64, f64)]| {
                let of = |(i, (quality, success, seconds)): (usize, &(f64, f64, f64))| {
                    let answer = AnswerOutlook { success: *success, seconds: *seconds };
                    worth(ArmId::new(&i.to_string()), *quality, answer)
                };
                let pool: Vec<ArmWorth> = arms.iter().enumerate().map(of).collect();
                let order = answering_order(None, &[], &pool, 0.02).order;
                order.iter().position(|arm| arm.as_str() == which.to_string()).unwrap()
            };
            let mut better = arms.clone();
            let (old_quality, old_success, old_seconds) = arms[which];
            better[which] = (old_quality + quality, (old_success + success).min(1.0), old_seconds * faster);
            prop_assert!(place(&better) <= place(&arms));
        }
    }

    #[test]
    fn equal_worth_keeps_the_order_of_the_pool_and_nan_goes_last() {
        let pool = candidates(&[("a", f64::NAN), ("b", 0.5), ("c", 0.5)]);
        assert_eq!(names(&answering_order(None, &[], &pool, 0.02)), "b c a");
    }
}
