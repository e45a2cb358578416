//! What a judge says of a text that tries to sway it is not believed: such a preview is not shown to the judge
//! beside others, so that it can neither raise its own score nor lower theirs, and scores at most half of the lowest of
//! them; however close that is, it answers after them.
//! Where every preview tries, the judge is asked about all, and none of its scores counts for more than neutral.
//! Which text it is that tries is the guardrail's to say (`flags/influence.rs`).

use crate::domain::flag::Flag;
use crate::domain::judging::{Scores, Verdict};
use crate::domain::record::PreviewRecord;

/// What says nothing for or against a text.
const NEUTRAL: f64 = 0.5;

/// Whether a preview tries to sway its judge.
pub(super) fn is_suspect(preview: &PreviewRecord) -> bool {
    preview.flags.contains(&Flag::Influence)
}

/// The previews that a judge is shown.
pub(super) fn shown<'a>(previews: &[&'a PreviewRecord]) -> Vec<&'a PreviewRecord> {
    let plain: Vec<&PreviewRecord> = previews.iter().copied().filter(|preview| !is_suspect(preview)).collect();
    if plain.is_empty() { previews.to_vec() } else { plain }
}

/// The verdict on all of `previews`, given the one on those that were shown: a suspect's `overall` is at most half
/// of the lowest of the others, and at most [`NEUTRAL`]; it is not faithful, as the rubric has it.
pub(super) fn distrusting(mut verdict: Verdict, previews: &[&PreviewRecord]) -> Verdict {
    let plain = previews.iter().filter(|preview| !is_suspect(preview));
    let scores = plain.filter_map(|preview| verdict.scores.get(&preview.arm));
    let lowest = scores.map(|scores| scores.overall).reduce(f64::min);
    let most = lowest.map_or(NEUTRAL, |lowest| (lowest / 2.0).min(NEUTRAL));
    for suspect in previews.iter().filter(|preview| is_suspect(preview)) {
        let said = verdict.scores.get(&suspect.arm).copied();
        let said = said.unwrap_or(Scores {
            relevance: most,
            coverage: most,
            faithfulness: 0.0,
            hallucination_risk: NEUTRAL,
            overall: most,
        });
        let scores = Scores { faithfulness: 0.0, overall: said.overall.min(most), ..said };
        verdict.scores.insert(suspect.arm.clone(), scores);
    }
    verdict
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::ArmId;

    fn preview(arm: &str, flags: &[Flag]) -> PreviewRecord {
        let value = serde_json::json!({
            "arm": arm, "latency_s": 0.1, "ttft_s": null, "tokens": 9, "cached": false, "text": arm, "error": null,
            "flags": flags,
        });
        serde_json::from_value(value).unwrap()
    }

    fn verdict(table: &[(&str, f64)]) -> Verdict {
        let scores = |overall| Scores {
            relevance: overall,
            coverage: overall,
            faithfulness: 1.0,
            hallucination_risk: 0.0,
            overall,
        };
        Verdict {
            judge: String::from("j"),
            local_fallback: false,
            scores: table.iter().map(|(arm, overall)| (ArmId::new(arm), scores(*overall))).collect(),
            reason: None,
        }
    }

    #[test]
    #[expect(clippy::float_cmp, reason = "halves of what was said are exact")]
    fn a_suspect_is_not_shown_and_not_believed() {
        let [evil, good, fair] = [preview("evil", &[Flag::Influence]), preview("good", &[]), preview("fair", &[])];
        let all = [&evil, &good, &fair];
        let names = |shown: Vec<&PreviewRecord>| shown.iter().map(|p| p.arm.to_string()).collect::<Vec<_>>();
        assert_eq!(names(shown(&all)), ["good", "fair"]);
        assert_eq!(names(shown(&[&evil])), ["evil"], "alone it is judged");
        let of = |said: &Verdict, arm: &str| said.scores[&ArmId::new(arm)];
        let said = distrusting(verdict(&[("good", 0.9), ("fair", 0.6)]), &all);
        assert_eq!([of(&said, "evil").overall, of(&said, "good").overall, of(&said, "fair").overall], [0.3, 0.9, 0.6]);
        assert_eq!(of(&said, "evil").faithfulness, 0.0);
        // A judge that was swayed all the same, alone or beside others, and one that was not.
        assert_eq!(of(&distrusting(verdict(&[("evil", 1.0)]), &[&evil]), "evil").overall, 0.5);
        assert_eq!(of(&distrusting(verdict(&[("evil", 0.1)]), &[&evil]), "evil").overall, 0.1);
        let local = distrusting(verdict(&[("evil", 1.0), ("good", 0.4)]), &[&evil, &good]);
        assert_eq!([of(&local, "evil").overall, of(&local, "good").overall], [0.2, 0.4]);
        let plain = verdict(&[("good", 0.4), ("fair", 0.1)]);
        assert_eq!(distrusting(plain.clone(), &[&good, &fair]), plain);
    }
}
