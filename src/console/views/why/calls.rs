//! What became of the calls of a run, as far as it needs a word: made again, failed, beaten beside another,
//! flagged, from the cache.

use super::super::super::widgets::number::{money, seconds};
use super::Scene;
use super::part::Part;
use crate::domain::handling::Retried;
use crate::domain::record::{AttemptRecord, PreviewRecord};
use crate::domain::tally::Phase;

impl Scene<'_> {
    /// Calls that were made again, in one line.
    pub(super) fn retries(&self) -> Option<Part> {
        if self.own.retries.is_empty() {
            return None;
        }
        let one = |(phase, name, retried): &(Phase, String, Retried)| {
            format!("{name} {} {} after {} s", phase.name(), retried.kind, seconds(retried.waited_s))
        };
        let parts: Vec<String> = self.own.retries.iter().map(one).collect();
        Some(Part::text(&format!("tried again: {}", parts.join(", ")), self.width, self.theme.warn(), 70))
    }

    /// Full answers that failed; then what has to be said about those that did not, and about previews.
    pub(super) fn failures(&self) -> Vec<Part> {
        let (theme, width) = (self.theme, self.width);
        let failed = self.own.attempts.iter().filter(|attempt| !attempt.ok && !attempt.lost);
        let failed = failed.map(|attempt| {
            let why = attempt.error.as_ref().map_or_else(|| "failed".to_owned(), ToString::to_string);
            let flags = flags(attempt.flags.iter().map(|flag| flag.name()));
            Part::text(&format!("{} {}: {why}{flags}", theme.glyphs.outcome[1], attempt.arm), width, theme.bad(), 95)
        });
        let notes = self.own.attempts.iter().flat_map(notes).map(|note| Part::text(&note, width, theme.warn(), 78));
        let previews = self.own.record.iter().flat_map(|record| &record.previews).filter_map(preview_note);
        let previews = previews.map(|note| Part::text(&note, width, theme.dim(), 30));
        failed.chain(notes).chain(previews).collect()
    }
}

fn flags<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    if names.is_empty() { String::new() } else { format!(" (flagged: {})", names.join(", ")) }
}

/// What a preview that was not simply made has to be said about.
fn preview_note(preview: &PreviewRecord) -> Option<String> {
    let names: Vec<&str> = preview.flags.iter().map(|flag| flag.name()).collect();
    let flagged = (!names.is_empty()).then(|| format!("{} preview flagged: {}", preview.arm, names.join(", ")));
    flagged.or_else(|| preview.handling.miscounted.then(|| miscounted(preview.arm.as_str())))
}

fn miscounted(arm: &str) -> String {
    format!("{arm} counted more tokens than can be: an estimate stands")
}

/// What an attempt that did not fail has to be said about: how two beside each other ended, what is wrong with
/// its text, what it wasted.
fn notes(attempt: &AttemptRecord) -> Vec<String> {
    let arm = &attempt.arm;
    if attempt.lost {
        let about = if attempt.estimated { "~" } else { "" };
        let tokens = u64::from(attempt.tokens_in) + u64::from(attempt.tokens_out);
        let dollars = attempt.cost_usd.map(|dollars| format!(", {}", money(dollars))).unwrap_or_default();
        return vec![format!("{arm} lost beside the winner: {about}{tokens} tok{dollars} wasted")];
    }
    let mut notes = Vec::new();
    if attempt.hedge && attempt.ok {
        let later = attempt.started_s.filter(|at| *at >= 0.05);
        let later = later.map_or_else(|| " at once".to_owned(), |at| format!(" {} s later", seconds(at)));
        notes.push(format!("{arm} won, started{later}"));
    }
    if let Some(reason) = &attempt.handling.unhedged {
        notes.push(format!("{arm} had no second answer beside it: {reason}"));
    }
    if let Some(reason) = &attempt.handling.unretried {
        notes.push(format!("{arm} was not asked again: {reason}"));
    }
    if attempt.handling.miscounted {
        notes.push(miscounted(arm.as_str()));
    }
    let names: Vec<&str> = attempt.flags.iter().map(|flag| flag.name()).collect();
    if attempt.ok && !names.is_empty() {
        notes.push(format!("{arm} flagged: {}", names.join(", ")));
    }
    notes
}
