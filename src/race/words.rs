//! What a person is told when no arm could answer: per arm what went wrong, and what to do about it.

use std::collections::BTreeMap;

use super::models::ModelRegistry;
use crate::bandit::RouterState;
use crate::domain::failure::{Failure, FailureClass};
use crate::domain::ids::ArmId;
use crate::domain::record::{AttemptRecord, PreviewRecord};

/// Why nobody answered: one line for the whole, then one per arm, in pool order.
pub(crate) fn nobody_answered(
    state: &RouterState,
    models: &ModelRegistry,
    previews: &[PreviewRecord],
    attempts: &[AttemptRecord],
) -> String {
    let mut failures: BTreeMap<&ArmId, &Failure> = BTreeMap::new();
    let of_previews = previews.iter().filter_map(|p| Some((&p.arm, p.error.as_ref()?)));
    // The failure of a full answer is newer than that of its preview, and replaces it.
    failures.extend(of_previews.chain(attempts.iter().filter_map(|a| Some((&a.arm, a.error.as_ref()?)))));
    let whole = if failures.is_empty() { "no arm can be asked" } else { "no arm could answer" };
    let ceiling = failures.values().find_map(|failure| ceiling(failure));
    let mut lines = vec![ceiling.map_or_else(|| whole.to_owned(), |key| format!("`{key}`: {whole}"))];
    for view in state.arms() {
        let arm = &view.spec.name;
        if let Some(failure) = failures.get(arm) {
            lines.push(format!("{arm}: {failure}; {}", advice(failure)));
        } else if !view.lifecycle.is_candidate() {
            let state = view.lifecycle.shown(view.reason);
            let state = match view.reason {
                // The reason of a cool-down begins with what it is.
                Some(reason) if reason.starts_with(state) => reason.to_owned(),
                Some(reason) => format!("{state} ({reason})"),
                None => state.to_owned(),
            };
            let remedy = match view.until {
                Some(until) => format!("it is asked again at {} UTC", until.clock_text()),
                None => "reactivate it to use it".to_owned(),
            };
            lines.push(format!("{arm}: {state}; {remedy}"));
        } else if let Err(failure) = models.model(arm) {
            lines.push(format!("{arm}: {failure}"));
        } else {
            lines.push(format!("{arm}: was not asked"));
        }
    }
    if lines.len() == 1 {
        lines.push("the pool is empty: add an arm to the configuration, or with `state add-arm`".to_owned());
    }
    lines.join("\n")
}

/// The key of the ceiling of ours that stopped it, where one did: it goes first, as lists cut what they show.
fn ceiling(failure: &Failure) -> Option<&str> {
    let key = failure.message.split('`').nth(1);
    key.filter(|_| failure.class == FailureClass::Budget)
}

/// What to do about a failure.
fn advice(failure: &Failure) -> &'static str {
    match failure.class {
        FailureClass::Budget if failure.kind == "phase_tokens" => "raise the ceiling, or ask for less",
        FailureClass::Transient => "try again; if it stays, look at the endpoint or raise the timeouts",
        FailureClass::Quota => "top up the account, or switch the arm off",
        FailureClass::Content => "rephrase the prompt, or ask another arm",
        FailureClass::Caller => "change the request: the endpoint does not take it as it is",
        FailureClass::Configuration => "mend the arm's settings (`base_url`, `model`, `api_key_env`)",
        FailureClass::Budget => "raise the ceiling, or ask a cheaper arm",
        FailureClass::Cancelled => "it was stopped",
    }
}
