//! The context of a run: the numbers a prompt is turned into, and the schema that names them. The
//! schema's version is a digest of the ordered names and of every parameter that changes their
//! meaning, so that statistics learned under one schema are never read under another.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::ids::ArmId;

/// The names and the meaning of a context's numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeatureSchema {
    /// Digest over names and parameters, 16 hex digits.
    pub version: String,
    /// One name a dimension; the intercept is first.
    pub names: Vec<String>,
    /// Which block a dimension belongs to, in the order of `names`: the prior's strength follows it.
    pub blocks: Vec<FeatureBlock>,
}

impl FeatureSchema {
    /// The number of dimensions `d`.
    #[must_use]
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Dimensions that all arms share: those before the signals about an arm itself.
    #[must_use]
    pub fn shared(&self) -> usize {
        self.blocks.iter().position(|block| *block == FeatureBlock::Signal).unwrap_or(self.blocks.len())
    }

    /// Whether the schema has no dimension.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
}

/// What a dimension stands for, as far as shrinkage is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeatureBlock {
    /// Always 1.
    Intercept,
    /// Size of the prompt.
    Length,
    /// One-hot intent.
    Intent,
    /// A projected embedding.
    Embedding,
    /// A signal about the arm itself.
    Signal,
}

/// A prompt as numbers: `d` finite values under `schema`.
#[derive(Clone, Debug, PartialEq)]
pub struct Context {
    /// Names and version.
    pub schema: Arc<FeatureSchema>,
    /// `d` values.
    pub x: Vec<f64>,
    /// The intent that was recognised.
    pub intent: Intent,
    /// Why slots of an embedding are at their mean, where they are: it came too late, it failed, or its scale
    /// is still being learned.
    pub degraded: Option<String>,
}

impl Context {
    /// What all arms share: without the signals about an arm itself, which follow it.
    #[must_use]
    pub fn shared(&self) -> &[f64] {
        &self.x[..self.schema.shared().min(self.x.len())]
    }

    /// The whole context of an arm with these `signals`; without them they count as 0.
    #[must_use]
    pub fn of(&self, signals: Option<&Vec<f64>>) -> Vec<f64> {
        signals.map_or_else(|| self.x.clone(), |own| [self.shared(), own].concat())
    }
}

/// A context as the arms of a run met it: what they share, and the last dimensions of each.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ArmContexts {
    x: Vec<f64>,
    own: BTreeMap<ArmId, Vec<f64>>,
}

impl ArmContexts {
    /// `x` of `d` values, of which the last are replaced by an arm's `own`; an arm that has none keeps `x`.
    #[must_use]
    pub const fn new(x: Vec<f64>, own: BTreeMap<ArmId, Vec<f64>>) -> Self {
        Self { x, own }
    }

    /// The context with the signals about arms as they are where there are none: `d` values.
    #[must_use]
    pub fn x(&self) -> &[f64] {
        &self.x
    }

    /// The last dimensions of `arm`.
    #[must_use]
    pub fn own(&self, arm: &ArmId) -> Option<&[f64]> {
        self.own.get(arm).map(Vec::as_slice)
    }

    /// The dimensions before those of `own`.
    #[must_use]
    pub fn before(&self, own: &[f64]) -> &[f64] {
        &self.x[..self.x.len().saturating_sub(own.len())]
    }

    /// The whole context of `arm`: `d` values.
    #[must_use]
    pub fn of(&self, arm: &ArmId) -> Cow<'_, [f64]> {
        match self.own(arm) {
            Some(own) => Cow::Owned([self.before(own), own].concat()),
            None => Cow::Borrowed(&self.x),
        }
    }
}

impl From<Vec<f64>> for ArmContexts {
    fn from(x: Vec<f64>) -> Self {
        Self::new(x, BTreeMap::new())
    }
}

/// How a projected embedding becomes slots of a context: (value − mean) ÷ sd, slot by slot. Fitted on the
/// first prompts and then frozen, so that nothing learned is lost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Normaliser {
    /// The schema that the slots belong to.
    pub feature_version: String,
    /// Numbers of the embedding before projection: another model has another count.
    pub inputs: u32,
    /// Prompts it was fitted on.
    pub prompts: u32,
    /// One a slot.
    pub mean: Vec<f64>,
    /// One a slot, above 0.
    pub sd: Vec<f64>,
}

impl Normaliser {
    /// What no prompt of the fit was far beyond; farther values are cut, so that one odd prompt cannot weigh
    /// more than all others.
    const WIDEST: f64 = 4.0;

    /// The slots for a projected embedding of as many values.
    #[must_use]
    pub fn apply(&self, projected: &[f64]) -> Vec<f64> {
        let scales = self.mean.iter().zip(&self.sd);
        let slot = |(value, (mean, sd)): (&f64, (&f64, &f64))| (value - mean) / sd;
        projected.iter().zip(scales).map(slot).map(|z| z.clamp(-Self::WIDEST, Self::WIDEST)).collect()
    }
}

/// What a prompt asks for. A column of the arms table and a block of the context.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Intent {
    /// Deduction, mathematics, planning.
    Reasoning,
    /// Writing, reading or mending code.
    Coding,
    /// Facts, or answers from supplied documents.
    Retrieval,
    /// Drafting and editing prose.
    Writing,
    /// None of these.
    #[default]
    Other,
}

impl Intent {
    /// All intents, in the order of the context's one-hot block.
    pub const ALL: [Self; 5] = [Self::Reasoning, Self::Coding, Self::Retrieval, Self::Writing, Self::Other];

    /// The name in files, metrics and on screen.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reasoning => "reasoning",
            Self::Coding => "coding",
            Self::Retrieval => "retrieval",
            Self::Writing => "writing",
            Self::Other => "other",
        }
    }
}
