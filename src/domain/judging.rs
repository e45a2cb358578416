//! The judge's task and its verdict, in the form that travels. The task is the last user turn of an
//! ordinary chat request, a JSON object; candidates are JSON strings, so that no text of a candidate
//! can close its own quotes, and so do pages that answers were written with. The verdict is a JSON object too.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::ids::ArmId;

/// What the judge is given. Candidates are anonymous and in random order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JudgeTask {
    /// What was asked, cut to a bounded length.
    pub prompt: String,
    /// Two or more, or one.
    pub candidates: Vec<Candidate>,
    /// What a web search found that the candidates were written with, in its order; each cut to a bounded length.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub search_results: Vec<Evidence>,
}

/// One result of the web search.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// What a candidate cites it by, from 1.
    pub number: usize,
    /// The page's title.
    pub title: String,
    /// The page's address.
    pub url: String,
    /// What it says, as far as the search tells.
    pub snippet: String,
}

/// One anonymous candidate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// `A`, `B`, …
    pub id: String,
    /// The preview.
    pub text: String,
}

/// What the judge must return, as JSON: `{"scores": {"A": {…}, …}}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JudgeReply {
    /// Scores by candidate id.
    pub scores: BTreeMap<String, Scores>,
}

/// The rubric, each in [0, 1]; 1 is best but for `hallucination_risk`, where 0 is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// Does it address what was asked?
    pub relevance: f64,
    /// Does it cover all of it?
    pub coverage: f64,
    /// Is it consistent with what was given and with itself?
    pub faithfulness: f64,
    /// How likely are invented facts? 0 is best.
    pub hallucination_risk: f64,
    /// The judgement as a whole.
    pub overall: f64,
}

/// The verdict on one run's previews.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The judge: an arm's name, a model's name, or `local`.
    pub judge: String,
    /// True where the judge failed and the local fallback judge scored.
    pub local_fallback: bool,
    /// Scores by arm.
    pub scores: BTreeMap<ArmId, Scores>,
    /// Why the local judge had to score, where it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Verdict {
    /// The arm with the highest overall score; the first by name among equals.
    #[must_use]
    pub fn best(&self) -> Option<&ArmId> {
        let best = self.highest();
        self.scores.iter().find(|(_, s)| s.overall >= best).map(|(arm, _)| arm)
    }

    /// How far `arm` was judged below the best, in units of `overall`; `None` where it was not judged.
    #[must_use]
    pub fn behind_best(&self, arm: &ArmId) -> Option<f64> {
        self.scores.get(arm).map(|own| self.highest() - own.overall)
    }

    fn highest(&self) -> f64 {
        self.scores.values().map(|s| s.overall).fold(f64::NEG_INFINITY, f64::max)
    }
}
