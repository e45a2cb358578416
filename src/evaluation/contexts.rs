//! Where the contexts of recorded outcomes come from: the prompts' text, through our own features, or `x` as it
//! was recorded. What an outcome is worth is no matter of theirs.

use std::sync::Arc;

use super::problem::ProblemFault;
use super::records::Records;
use crate::domain::chat::ChatRequest;
use crate::domain::context::{FeatureBlock, FeatureSchema};
use crate::features::{FeatureExtractor, version_digest};

/// Where contexts come from.
#[derive(Clone, Copy)]
pub enum ContextSource<'a> {
    /// From the prompt's text alone.
    Features(&'a dyn FeatureExtractor),
    /// As recorded (`x`). A dimension that is 1 on every row is the intercept and comes first; where there
    /// is none, one is put first.
    Recorded,
}

/// A schema, and one context a row, one after the other.
pub(super) type Contexts = (Arc<FeatureSchema>, Vec<f64>);

pub(super) fn computed(records: &Records, extractor: &dyn FeatureExtractor) -> Result<Contexts, ProblemFault> {
    let mut contexts = Vec::with_capacity(records.rows().len() * extractor.schema().len());
    for row in records.rows() {
        if row.prompt.is_empty() && !row.x.is_empty() {
            return Err(ProblemFault::NoPrompt { id: row.id.clone() });
        }
        contexts.extend(extractor.compute(&ChatRequest::from_prompt(&row.prompt)).x);
    }
    Ok((Arc::clone(extractor.schema()), contexts))
}

pub(super) fn recorded(records: &Records) -> Result<Contexts, ProblemFault> {
    let d = records.recorded_dimensions().ok_or(ProblemFault::NoRecordedContext)?;
    #[expect(clippy::float_cmp, reason = "an intercept is exactly 1")]
    let is_one = |i: &usize| records.rows().iter().all(|row| row.x[*i] == 1.0);
    let intercept = (0..d).find(is_one);
    let mut contexts = Vec::with_capacity(records.rows().len() * (d + 1));
    for row in records.rows() {
        contexts.push(1.0);
        contexts.extend(row.x.iter().enumerate().filter(|(i, _)| Some(*i) != intercept).map(|(_, v)| *v));
    }
    let others = d - usize::from(intercept.is_some());
    let mut features = vec![("bias".to_owned(), FeatureBlock::Intercept)];
    features.extend((0..others).map(|i| (format!("x{i}"), FeatureBlock::Embedding)));
    let version = version_digest("recorded", &features, &[]);
    let (names, blocks) = features.into_iter().unzip();
    Ok((Arc::new(FeatureSchema { version, names, blocks }), contexts))
}
