//! The Runs screen: what is read, what is opened, and how a run that is shown is looked into.

use std::sync::Arc;

use super::super::message::Effect;
use super::super::model::race::OwnRun;
use super::super::model::runs::Older;
use super::super::model::status::Tone;
use super::super::model::{Model, Screen};
use super::super::views;
use crate::domain::ids::RunId;
use crate::domain::record::RunRecord;
use crate::domain::snapshot::RunSummary;

/// The screen is opened.
pub(super) fn enter(model: &mut Model) -> Vec<Effect> {
    model.screen = Screen::Runs;
    model.follow();
    want_older(model)
}

/// Reads on where the cursor comes near to the end.
pub(super) fn want_older(model: &mut Model) -> Vec<Effect> {
    model.runs.wants_older().map(Effect::OlderRuns).into_iter().collect()
}

/// A page is there.
pub(super) fn older(model: &mut Model, answer: Result<Vec<RunSummary>, String>) -> Vec<Effect> {
    match answer {
        Ok(page) => {
            model.runs.add_older(page);
            want_older(model)
        }
        Err(reason) => {
            model.runs.older = Older::Failed(reason);
            Vec::new()
        }
    }
}

/// Opens the run under the cursor.
pub(super) fn open(model: &mut Model) -> Vec<Effect> {
    let Some(run) = model.runs.selected().filter(|_| model.runs.opened.is_none()) else { return Vec::new() };
    model.runs.opening = Some(run);
    vec![Effect::ReadRun(run)]
}

/// Back to the list.
pub(super) fn close(model: &mut Model) {
    if !unzoom(model) && model.runs.opened.take().is_none() {
        model.statuses.dismiss();
    }
    model.runs.opening = None;
}

/// A record is there: of a run that is to be opened, or of one that is shown and was judged or rated meanwhile.
/// Whether the screen shows it.
pub(super) fn read(model: &mut Model, run: RunId, answer: Result<Option<Arc<RunRecord>>, String>) -> bool {
    let is_asked = model.runs.opening == Some(run);
    match answer {
        Ok(Some(record)) => {
            let shown = [model.conversation.own.as_mut(), model.runs.opened.as_mut()];
            let mut is_shown = false;
            for own in shown.into_iter().flatten().filter(|own| own.run == Some(run)) {
                own.refresh(Arc::clone(&record));
                is_shown = true;
            }
            if is_asked {
                model.runs.opening = None;
                model.runs.opened = Some(OwnRun::of_record(record));
            }
            return is_shown || is_asked;
        }
        Ok(None) if is_asked => {
            model.statuses.say(Tone::Bad, "the record of that run is no longer kept (store.retain_runs)", model.now);
        }
        Err(reason) if is_asked => {
            model.statuses.say(Tone::Bad, format!("the run could not be read: {reason}"), model.now);
        }
        Ok(None) | Err(_) => return false,
    }
    model.runs.opening = None;
    true
}

/// Shows all the reasons of the run in view, or goes back.
pub(super) fn zoom(model: &mut Model) {
    if unzoom(model) {
        return;
    }
    match model.run_in_view_mut() {
        Some(own) => own.zoom = Some(0),
        None => model.statuses.say(Tone::Info, "no run is shown yet: there is nothing to look into", model.now),
    }
}

/// Goes back from all the reasons; whether they were shown.
pub(super) fn unzoom(model: &mut Model) -> bool {
    model.run_in_view_mut().is_some_and(|own| own.zoom.take().is_some())
}

/// Scrolls what the run in view shows; whether there is one.
pub(super) fn scroll(model: &mut Model, rows: i32) -> bool {
    let Some(own) = model.run_in_view() else { return false };
    let step = u16::try_from(rows.unsigned_abs()).unwrap_or(u16::MAX);
    let by = |at: u16, is_less: bool| if is_less { at.saturating_sub(step) } else { at.saturating_add(step) };
    let is_up = rows < 0;
    let (zoom, scroll) = match own.zoom {
        Some(at) => (Some(by(at, is_up).min(views::farthest_reason(model, own))), own.scroll),
        // Counted from the end, so that an answer that still grows is followed when it is at 0.
        None => (None, by(own.scroll, !is_up).min(views::farthest_line(model, own))),
    };
    if let Some(own) = model.run_in_view_mut() {
        (own.zoom, own.scroll) = (zoom, scroll);
    }
    true
}
