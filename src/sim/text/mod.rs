//! Answers that read like answers. There is no model behind them: an answer is put together from
//! sentences for its intent, filled with the words, figures and sentences of the prompt. Quality shows:
//! a good answer stays with the topic, goes on to the end and concludes; a poor one hedges, wanders off
//! and breaks off. Each model has habits of its own (how it opens, whether it lists or tells).

mod bank;
mod coding;
mod retrieval;
mod topic;
mod writer;

use fastrand::Rng;

use crate::domain::context::Intent;

use self::topic::Topic;
use self::writer::Writer;

/// What to write.
pub(super) struct Brief<'a> {
    /// The text to answer.
    pub(super) prompt: &'a str,
    /// What it asks for.
    pub(super) intent: Intent,
    /// How good the answer is to be, in [0, 1].
    pub(super) quality: f64,
    /// Who writes.
    pub(super) model: &'a str,
    /// About how long.
    pub(super) tokens: u32,
}

/// An answer; never empty. The same brief and the same generator give the same text.
pub(super) fn compose(brief: &Brief<'_>, rng: &mut Rng) -> String {
    let topic = Topic::of(brief.prompt);
    let mut writer = Writer::new(brief, &topic, rng);
    match brief.intent {
        Intent::Reasoning => reasoning(&mut writer),
        Intent::Coding => coding::write(&mut writer, brief.prompt),
        Intent::Retrieval => retrieval::write(&mut writer, brief.prompt),
        Intent::Writing => writing(&mut writer),
        Intent::Other => other(&mut writer),
    }
    writer.finish()
}

fn reasoning(writer: &mut Writer<'_>) {
    writer.opening(bank::REASONING_OPENINGS);
    writer.paragraph();
    if writer.is_good() {
        writer.figures();
    }
    writer.list(bank::REASONING_STEPS);
    writer.conclusion(bank::REASONING_ENDS);
}

fn writing(writer: &mut Writer<'_>) {
    writer.opening(bank::WRITING_OPENINGS);
    writer.paragraph();
    while !writer.is_long_enough(0.85) && writer.prose(bank::WRITING, 3) {
        writer.paragraph();
    }
    writer.conclusion(bank::WRITING_ENDS);
}

fn other(writer: &mut Writer<'_>) {
    writer.opening(bank::OTHER_OPENINGS);
    if writer.lists() {
        writer.paragraph();
        writer.list(bank::OTHER);
    } else {
        while !writer.is_long_enough(0.85) && writer.prose(bank::OTHER, 3) {
            writer.paragraph();
        }
    }
    writer.conclusion(bank::OTHER_ENDS);
}

#[cfg(test)]
mod tests;
