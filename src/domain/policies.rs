//! What a run's record keeps of the policies that stand beside the router: what was remembered, compared,
//! held on to, looked up. Each is absent where it is off.

use serde::{Deserialize, Serialize};

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
