//! What a run's record keeps of the policies that stand beside the router: what was remembered, compared,
//! held on to, looked up. Each is absent where it is off.

use serde::{Deserialize, Serialize};

use super::embedding::EmbeddingRecord;
use super::ids::ArmId;
use super::search::SearchRecord;
use super::spec::Strategy;

/// What policies beside the router had a part in a run; each absent where it is off.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Policies {
    /// The preview cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<CacheRecord>,
    /// The experiment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub experiment: Option<ExperimentRecord>,
    /// The conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionRecord>,
    /// The web search.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<SearchRecord>,
    /// The embedding of the prompt, where it had to be asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub embedding: Option<EmbeddingRecord>,
    /// The verdict that came after the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub afterwards: Option<AfterwardsRecord>,
}

/// That the served answer was judged afterwards, beside everything else.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AfterwardsRecord {
    /// The probability with which the run was drawn for it, in (0, 1].
    pub share: f64,
    /// Seconds that it took; the run's own times are without them.
    pub seconds: f64,
    /// Whether it taught the router the answer's quality: not where the judge failed, where a person had rated the
    /// answer by then, or where the lesson was discarded.
    pub taught: bool,
}

/// The strategy that a run was assigned to at random.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExperimentRecord {
    /// Which; what the run did may differ, where nothing was to be raced.
    pub strategy: Strategy,
    /// The probability with which it was, in [0, 1].
    pub share: f64,
}

/// The conversation that a run continued or began.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionRecord {
    /// A digest of its id.
    pub id: String,
    /// Who answered it before; absent at its beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<ArmId>,
    /// Whether the same arm answered again.
    pub kept: bool,
    /// What leaving it was expected to gain, in units of the reward; absent where nothing was compared: at the
    /// beginning, where it could not be asked, where something else chose the arms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gain: Option<f64>,
    /// How far below the best its preview was judged, in units of `overall`; absent where it was not judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behind: Option<f64>,
    /// Up to which gain, expected or judged, the conversation stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub margin: Option<f64>,
}

impl SessionRecord {
    /// The beginning of its id, which tells conversations of one screen apart.
    #[must_use]
    pub fn short_id(&self) -> &str {
        self.id.get(..6).unwrap_or(&self.id)
    }

    /// One line: whether it kept its arm, and by what margin.
    #[must_use]
    pub fn summary(&self) -> String {
        let id = self.short_id();
        let Some(before) = &self.before else { return format!("conversation {id} begins") };
        let verb = if self.kept { "kept" } else { "left" };
        format!("conversation {id} {verb} {before}: {}", self.why())
    }

    /// Why it kept or left its arm.
    fn why(&self) -> String {
        let (Some(gain), Some(margin)) = (self.gain, self.margin) else {
            let chosen = if self.kept { "it was chosen again" } else { "it could not be asked, or another was set" };
            return chosen.to_owned();
        };
        let judged = self.behind.filter(|behind| *behind > 0.0);
        match judged {
            _ if !self.kept && gain > margin => format!("gain {gain:.3}, margin {margin:.3}"),
            Some(behind) if !self.kept && behind > margin => {
                format!("judged {behind:.3} below the best, margin {margin:.3}")
            }
            _ if !self.kept => format!("it gave no answer (gain {gain:.3}, margin {margin:.3})"),
            Some(behind) if gain <= margin => {
                format!("gain {gain:.3}, judged {behind:.3} below the best, margin {margin:.3}")
            }
            _ if gain <= margin => format!("gain {gain:.3}, margin {margin:.3}"),
            _ => format!("free to leave (gain {gain:.3}, margin {margin:.3}), and chosen again"),
        }
    }
}

/// What the preview cache was asked and gave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheRecord {
    /// Previews that came from it.
    pub hits: u32,
    /// Previews that it did not have.
    pub misses: u32,
}

impl Policies {
    /// Whether none had.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conversation_says_what_became_of_its_arm_and_by_what_margin() {
        let record = |kept, gain, behind| SessionRecord {
            id: "1f3a92bc00000000".to_owned(),
            before: Some(ArmId::new("a")),
            kept,
            gain,
            behind,
            margin: Some(0.05),
        };
        let cases = [
            (record(true, Some(0.012), None), "conversation 1f3a92 kept a: gain 0.012, margin 0.050"),
            (
                record(true, Some(0.012), Some(0.02)),
                "conversation 1f3a92 kept a: gain 0.012, judged 0.020 below the best, margin 0.050",
            ),
            (record(false, Some(0.12), None), "conversation 1f3a92 left a: gain 0.120, margin 0.050"),
            (
                record(false, Some(0.01), Some(0.2)),
                "conversation 1f3a92 left a: judged 0.200 below the best, margin 0.050",
            ),
            (
                record(false, Some(0.01), None),
                "conversation 1f3a92 left a: it gave no answer (gain 0.010, margin 0.050)",
            ),
            (record(false, None, None), "conversation 1f3a92 left a: it could not be asked, or another was set"),
            (
                record(true, Some(0.2), Some(0.0)),
                "conversation 1f3a92 kept a: free to leave (gain 0.200, margin 0.050), and chosen again",
            ),
        ];
        for (record, expected) in cases {
            assert_eq!(record.summary(), expected);
        }
        let begun = SessionRecord { before: None, ..record(false, None, None) };
        assert_eq!(begun.summary(), "conversation 1f3a92 begins");
        let older: SessionRecord = serde_json::from_str(r#"{"id":"x","kept":true}"#).unwrap();
        assert_eq!((older.gain, older.margin), (None, None));
    }
}
