//! Reading a judge's reply. Models wrap JSON in prose and code fences, add keys, and go a hair over 1;
//! all of that is read. What is not a verdict is refused with the reason, which the retry quotes: a
//! candidate left out or scored twice, a score that is no number in [0, 1], two verdicts that differ (as when a
//! judge quotes a candidate that brings a verdict of its own). Nothing is taken for being the last.

use super::json::{Json, Table};
use crate::domain::judging::Scores;

/// How far outside [0, 1] a score may lie and is clamped.
const SLACK: f64 = 0.05;
/// Objects in one reply that are looked at.
const MOST_OBJECTS: usize = 64;

/// Why a reply is no verdict.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(crate) enum VerdictFault {
    /// Prose, or broken JSON.
    #[error("the reply holds no JSON object with scores")]
    NoScores,
    /// Two that differ.
    #[error("the reply holds several verdicts that differ")]
    Ambiguous,
    /// Two tables of scores in one object.
    #[error("the reply holds `scores` twice")]
    TwoTables,
    /// A candidate with two sets of scores.
    #[error("candidate {candidate} is scored twice")]
    ScoredTwice {
        /// Its label.
        candidate: String,
    },
    /// A score that is there twice.
    #[error("{field} of candidate {candidate} is given twice")]
    GivenTwice {
        /// The candidate's label.
        candidate: String,
        /// The name of the score.
        field: &'static str,
    },
    /// A candidate without scores.
    #[error("candidate {candidate} has no scores")]
    Missing {
        /// Its label.
        candidate: String,
    },
    /// A score that is none.
    #[error("{field} of candidate {candidate} is {found}: expected a number from 0 to 1")]
    NotAScore {
        /// The candidate's label.
        candidate: String,
        /// The name of the score.
        field: &'static str,
        /// What was there, cut.
        found: String,
    },
}

/// The scores of every candidate in `labels`, in their order.
///
/// # Errors
/// [`VerdictFault`], in words that a model understands as well as a person.
pub(crate) fn read_verdict(reply: &str, labels: &[String]) -> Result<Vec<Scores>, VerdictFault> {
    let mut verdict: Option<Vec<Scores>> = None;
    let mut fault = VerdictFault::NoScores;
    for object in objects(reply) {
        let Some(table) = score_table(&object, labels)? else { continue };
        match scores_of_all(table, labels) {
            Ok(scores) if verdict.as_ref().is_some_and(|v| *v != scores) => return Err(VerdictFault::Ambiguous),
            Ok(scores) => verdict = Some(scores),
            Err(found) if found.is_double() => return Err(found),
            Err(found) => fault = found,
        }
    }
    verdict.ok_or(fault)
}

impl VerdictFault {
    /// Whether nobody can say which of two is meant, whatever follows.
    const fn is_double(&self) -> bool {
        matches!(self, Self::ScoredTwice { .. } | Self::GivenTwice { .. })
    }
}

/// Outermost JSON objects in a text, in order.
fn objects(text: &str) -> Vec<Table> {
    let mut found = Vec::new();
    let mut rest = text;
    for _ in 0..MOST_OBJECTS {
        let Some(start) = rest.find('{') else { break };
        rest = &rest[start..];
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<Json>();
        let skip = match values.next() {
            Some(Ok(Json::Table(object))) => {
                found.push(object);
                values.byte_offset()
            }
            _ => 1,
        };
        rest = &rest[skip..];
    }
    found
}

/// The object that scores are in: under `scores`, or the whole where it names a candidate.
fn score_table<'a>(object: &'a Table, labels: &[String]) -> Result<Option<&'a Table>, VerdictFault> {
    match object.only("scores").map_err(|_| VerdictFault::TwoTables)? {
        Some(Json::Table(scores)) => Ok(Some(scores)),
        _ => Ok(labels.iter().any(|label| object.holds(label)).then_some(object)),
    }
}

fn scores_of_all(table: &Table, labels: &[String]) -> Result<Vec<Scores>, VerdictFault> {
    let candidate = |label: &String| label.clone();
    labels
        .iter()
        .map(|label| match table.only(label) {
            Ok(Some(Json::Table(scores))) => scores_of(scores, label),
            Ok(_) => Err(VerdictFault::Missing { candidate: candidate(label) }),
            Err(_) => Err(VerdictFault::ScoredTwice { candidate: candidate(label) }),
        })
        .collect()
}

fn scores_of(scores: &Table, label: &str) -> Result<Scores, VerdictFault> {
    let candidate = || label.to_owned();
    let get = |field: &'static str| {
        let value = scores.only(field).map_err(|_| VerdictFault::GivenTwice { candidate: candidate(), field })?;
        let number = value.and_then(Json::number);
        let inside = number.filter(|n| (-SLACK..=1.0 + SLACK).contains(n)).map(|n| n.clamp(0.0, 1.0));
        let found = || value.map_or_else(|| "null".to_owned(), Json::shown).chars().take(40).collect();
        inside.ok_or_else(|| VerdictFault::NotAScore { candidate: candidate(), field, found: found() })
    };
    Ok(Scores {
        relevance: get("relevance")?,
        coverage: get("coverage")?,
        faithfulness: get("faithfulness")?,
        hallucination_risk: get("hallucination_risk")?,
        overall: get("overall")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels() -> Vec<String> {
        vec!["A".to_owned(), "B".to_owned()]
    }

    fn one(overall: &str) -> String {
        format!(
            r#"{{"relevance": 0.5, "coverage": 0.5, "faithfulness": 0.5, "hallucination_risk": 0.1, "overall": {overall}, "note": "fine"}}"#
        )
    }

    fn reply(a: &str, b: &str) -> String {
        format!(r#"{{"scores": {{"A": {}, "B": {}}}}}"#, one(a), one(b))
    }

    /// The same with scores of one candidate more, under a label as it is written.
    fn twice(label: &str, overall: &str) -> String {
        let whole = reply("0.9", "0.2");
        format!("{}, \"{label}\": {}}}}}", whole.strip_suffix("}}").unwrap(), one(overall))
    }

    fn two_tables() -> String {
        format!("{}, {}", reply("0.9", "0.2").strip_suffix('}').unwrap(), &reply("0.1", "0.8")[1..])
    }

    #[test]
    fn what_models_put_around_a_verdict_is_read_past() {
        let plain = reply("0.9", "0.2");
        let bare = plain.trim_start_matches(r#"{"scores": "#).strip_suffix('}').unwrap().to_owned();
        let rows = [
            plain.clone(),
            format!("```json\n{plain}\n```"),
            format!("Let me think. {{A}} is better {{than}} B.\n{plain}\nThat is all."),
            reply("\"0.9\"", "0.2"),
            format!("{plain}\n{plain}"),
            bare,
        ];
        for text in rows {
            let scores = read_verdict(&text, &labels()).unwrap_or_else(|e| panic!("{e}: {text}"));
            assert!((scores[0].overall - 0.9).abs() < 1e-12 && (scores[1].overall - 0.2).abs() < 1e-12);
        }
    }

    #[test]
    fn a_hair_outside_is_clamped() {
        let scores = read_verdict(&reply("1.03", "-0.01"), &labels()).unwrap();
        assert_eq!((scores[0].overall, scores[1].overall), (1.0, 0.0));
    }

    #[test]
    fn what_is_no_verdict_is_refused_with_the_reason() {
        let only_a = format!(r#"{{"scores": {{"A": {}}}}}"#, one("0.9"));
        let rows = [
            ("A is better.".to_owned(), "no JSON object"),
            (r#"{"scores": [1, 2]}"#.to_owned(), "no JSON object"),
            (reply("0.9", "0.2").replace('}', ""), "no JSON object"),
            (only_a, "candidate B has no scores"),
            (reply("9", "0.2"), "overall of candidate A is 9"),
            (reply("null", "0.2"), "overall of candidate A is null"),
            (reply("\"NaN\"", "0.2"), "overall of candidate A"),
            (format!("{} {}", reply("0.9", "0.2"), reply("0.1", "0.8")), "several verdicts"),
            (reply("0.9", "0.2").replace("\"B\"", "\"A\""), "candidate A is scored twice"),
            (twice("A", "0.9"), "candidate A is scored twice"),
            (format!("{} {}", twice("A", "0.1"), reply("0.9", "0.2")), "candidate A is scored twice"),
            (twice("\\u0041", "0.9"), "candidate A is scored twice"),
            (reply("0.9, \"overall\": 0.1", "0.2"), "overall of candidate A is given twice"),
            (two_tables(), "holds `scores` twice"),
        ];
        for (text, part) in rows {
            let fault = read_verdict(&text, &labels()).unwrap_err().to_string();
            assert!(fault.contains(part), "{fault:?} for {text}");
        }
    }

    #[test]
    fn a_reply_of_braces_is_read_in_bounded_time() {
        assert_eq!(read_verdict(&"{".repeat(1_000_000), &labels()), Err(VerdictFault::NoScores));
        assert_eq!(read_verdict(&"{\"a\":".repeat(100_000), &labels()), Err(VerdictFault::NoScores));
    }
}
