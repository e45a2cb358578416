//! Guardrail signals of one answer: pure functions of what was asked, what came and how it ended. What
//! follows from a flag is said in `domain/flag.rs`.
//!
//! A flag that is wrong costs more than one that is missing: it takes an answer away from a reader and
//! teaches that a good arm is bad. So each rule looks for what is unmistakable and stays silent where it is
//! in doubt: prompts that ask for a refusal, for a translation, about judging or for the same line a hundred times,
//! long answers that decline one part, tables and rules of dashes.

mod format;
mod influence;
mod language;
mod phrases;
mod refusal;
mod repetition;

use super::call::CallReport;
use crate::domain::answer::FinishReason;
use crate::domain::chat::ChatRequest;
use crate::domain::failure::{Failure, FailureClass};
use crate::domain::flag::Flag;
use crate::domain::text::cut;

/// Bytes of a prompt, and of an answer's prose, that are looked at.
const MOST: usize = 16 << 10;

/// How much of an answer is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// The beginning: a preview, or an answer that is still coming.
    Beginning,
    /// All of it.
    Whole,
}

/// Flags of `text` as an answer to `request`, each once, in the order of [`Flag::ALL`]. Neither an empty
/// text nor one of tool calls is any business of this function: see [`inspect`].
pub(crate) fn flags(request: &ChatRequest, text: &str, finish: Option<FinishReason>, extent: Extent) -> Vec<Flag> {
    let is_whole = extent == Extent::Whole;
    let is_cut = is_whole && (finish == Some(FinishReason::Length) || format::has_open_fence(text));
    let prompt = request.prompt();
    let prompt = excerpt(&prompt, MOST);
    let seen = [
        (Flag::Refusal, refusal::is_refusal(prompt, text, is_whole || finish == Some(FinishReason::Stop))),
        (Flag::Repetition, repetition::is_loop(prompt, text)),
        // What is cut cannot be whole: that is said once, by the cut.
        (Flag::BrokenFormat, format::is_broken(request, prompt, text, is_whole && !is_cut)),
        (Flag::WrongLanguage, language::is_wrong(request, text)),
        (Flag::CutOff, is_cut),
        (Flag::Influence, influence::is_influence(prompt, text)),
    ];
    seen.into_iter().filter_map(|(flag, is_set)| is_set.then_some(flag)).collect()
}

/// The first `most` bytes.
fn excerpt(text: &str, most: usize) -> &str {
    cut(text, most).0
}

/// The flags of what a call brought; where one of them is a failure, the report becomes that failure.
pub(crate) fn inspect(request: &ChatRequest, report: &mut CallReport, extent: Extent) -> Vec<Flag> {
    if let Some(failure) = &report.failure {
        return match failure.kind.as_ref() {
            "empty" | "reasoning_only" => vec![Flag::Empty],
            "content_filter" => vec![Flag::Refusal],
            _ => Vec::new(),
        };
    }
    if report.is_tool_call {
        return Vec::new();
    }
    let found = flags(request, &report.text, report.finish, extent);
    report.failure = found.iter().copied().find(|flag| flag.is_failure()).map(failure);
    found
}

fn failure(flag: Flag) -> Failure {
    let message = match flag {
        Flag::Refusal => "the arm declined to answer",
        Flag::BrokenFormat => "JSON was asked for, and the answer is none of that form",
        _ => "the answer cannot be served",
    };
    Failure::new(FailureClass::Content, flag.name(), message)
}

#[cfg(test)]
mod tests;
