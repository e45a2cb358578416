//! Answers that read like answers.
use crate::domain::context::Intent;
use fastrand::Rng;

/// What to write.
pub(super) struct Brief<'a> {
    pub(super) prompt: &'a str,
    pub(super) intent: Intent,
    pub(super) quality: f64,
    pub(super) model: &'a str,
    pub(super) tokens: u32,
}

pub(super) fn compose(brief: &Brief<'_>, rng: &mut Rng) -> String {
    let _ = (brief.prompt, brief.intent, brief.quality, brief.model, brief.tokens);
    format!("On this question there is one answer: {}", rng.u32(..))
}
