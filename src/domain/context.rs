//! The context of a run: the numbers a prompt is turned into, and the schema that names them. The
//! schema's version is a digest of the ordered names and of every parameter that changes their
//! meaning, so that statistics learned under one schema are never read under another.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

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
