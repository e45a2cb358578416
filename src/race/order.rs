//! In which order arms answer. First those that were judged, best verdict first, where verdicts too
//! close to call are decided by what was learned; then the arms that gave no preview, by what was
//! learned; last the arms whose preview failed in a way that may pass. What failed for a reason that
//! cannot pass within a run (a wrong key, no quota) is left out.

use std::cmp::Ordering;

use crate::domain::failure::FailureClass;
use crate::domain::ids::ArmId;
use crate::domain::judging::Verdict;
use crate::domain::record::PreviewRecord;

/// What was learned about one candidate, for this context.
#[derive(Clone, Debug)]
pub(crate) struct Expected {
    /// The arm.
    pub(crate) arm: ArmId,
    /// Expected reward times the share of recent calls that worked.
    pub(crate) worth: f64,
}

/// Every candidate that may answer, best first. `candidates` are in pool order, which decides what
/// nothing else does; `margin` is in units of the verdict's `overall`.
pub(crate) fn answering_order(
    verdict: Option<&Verdict>,
    previews: &[PreviewRecord],
    candidates: &[Expected],
    margin: f64,
) -> Vec<ArmId> {
    let mut order = judged(verdict, candidates, margin);
    let failure = |arm: &ArmId| previews.iter().find(|p| p.arm == *arm).and_then(|p| p.error.as_ref());
    let (failed, fresh): (Vec<&Expected>, Vec<&Expected>) =
        candidates.iter().filter(|c| !order.contains(&c.arm)).partition(|c| failure(&c.arm).is_some());
    order.extend(by_worth(fresh));
    let may_pass = |c: &&Expected| failure(&c.arm).is_some_and(|f| may_pass(f.class));
    order.extend(by_worth(failed.into_iter().filter(may_pass).collect()));
    order
}

/// Whether the same arm might do better at the next call of the same run.
const fn may_pass(class: FailureClass) -> bool {
    matches!(class, FailureClass::Transient | FailureClass::Content | FailureClass::Caller)
}

/// Descending; NaN, which no arm should have, goes last.
fn descending(a: f64, b: f64) -> Ordering {
    match (a.is_nan(), b.is_nan()) {
        (false, false) => b.total_cmp(&a),
        (a, b) => a.cmp(&b),
    }
}

fn by_worth(mut arms: Vec<&Expected>) -> Vec<ArmId> {
    arms.sort_by(|a, b| descending(a.worth, b.worth));
    arms.into_iter().map(|c| c.arm.clone()).collect()
}

/// Judged arms: each group of those within `margin` of the best left is a tie, decided by worth.
fn judged(verdict: Option<&Verdict>, candidates: &[Expected], margin: f64) -> Vec<ArmId> {
    let Some(verdict) = verdict else { return Vec::new() };
    let mut left: Vec<(&Expected, f64)> =
        candidates.iter().filter_map(|c| Some((c, verdict.scores.get(&c.arm)?.overall))).collect();
    left.sort_by(|a, b| descending(a.1, b.1));
    let mut order = Vec::with_capacity(left.len());
    let mut rest = left.as_slice();
    while let Some((_, best)) = rest.first() {
        let tied = rest.iter().take_while(|(_, overall)| best - overall <= margin).count().max(1);
        let (group, others) = rest.split_at(tied);
        order.extend(by_worth(group.iter().map(|(c, _)| *c).collect()));
        rest = others;
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::failure::Failure;
    use crate::domain::judging::Scores;

    fn candidates(worths: &[(&str, f64)]) -> Vec<Expected> {
        worths.iter().map(|(arm, worth)| Expected { arm: ArmId::new(arm), worth: *worth }).collect()
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
            text: String::new(),
            error: Some(Failure::new(class, "x", "")),
        }
    }

    fn names(order: &[ArmId]) -> String {
        order.iter().map(ArmId::as_str).collect::<Vec<_>>().join(" ")
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
    fn equal_worth_keeps_the_order_of_the_pool_and_nan_goes_last() {
        let pool = candidates(&[("a", f64::NAN), ("b", 0.5), ("c", 0.5)]);
        assert_eq!(names(&answering_order(None, &[], &pool, 0.02)), "b c a");
    }
}
