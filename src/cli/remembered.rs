//! Which configuration a state was last run with. `banditop state` typed in another directory must not
//! mistake the configuration that happens to lie there for an edit of the pool: unless one is named, it
//! uses the one that the state was last run with, and says so where that is another.

use std::path::{Path, PathBuf};

use super::context::Context;
use super::output::say;
use crate::domain::store::{LogBatch, StateStore};
use crate::settings::ConfigText;

/// The value's name in the store: a path, or nothing for the built-in configuration.
const VALUE: &str = "config.source";

/// The context to use for a command on the state in `store`, where that is not `context`.
pub(super) async fn context_of_state(context: &Context, store: &dyn StateStore) -> Option<Context> {
    if context.is_config_named() {
        return None;
    }
    let remembered = PathBuf::from(String::from_utf8(store.value(VALUE).await.ok()??).ok()?);
    if Some(&remembered) == source(context).as_ref() {
        return None;
    }
    let (name, config) = if remembered.as_os_str().is_empty() {
        ("the built-in configuration".to_owned(), Ok(ConfigText::default()))
    } else {
        (remembered.display().to_string(), ConfigText::find(Some(&remembered), Path::new(""), None))
    };
    let other = config.map_err(|error| error.to_string()).and_then(|config| context.with_config(config));
    let here = context.config_name();
    match other {
        Ok(other) => {
            say(&format!(
                "note: the state was last run with {name}, which is used; --config {here} would apply that one"
            ));
            Some(other)
        }
        Err(reason) => {
            say(&format!(
                "note: the state was last run with {name}, which cannot be used ({reason}); {here} is applied"
            ));
            None
        }
    }
}

/// Notes which configuration is applied to the state.
pub(super) async fn remember(context: &Context, store: &dyn StateStore) {
    let Some(source) = source(context).and_then(|path| path.into_os_string().into_string().ok()) else { return };
    match store.value(VALUE).await {
        Ok(Some(known)) if known == source.as_bytes() => return,
        Ok(Some(known)) => {
            let last = String::from_utf8_lossy(&known);
            let last = if last.is_empty() { "the built-in configuration" } else { &last };
            tracing::warn!("the state was last run with {last}; {} is applied now", context.config_name());
        }
        _ => {}
    }
    let batch = LogBatch { values: vec![(VALUE.to_owned(), source.into_bytes())], ..LogBatch::default() };
    if let Err(error) = store.append(batch, false).await {
        tracing::warn!(%error, "the configuration's place could not be noted");
    }
}

/// The configuration's absolute path; empty for the built-in one, `None` where it has none.
fn source(context: &Context) -> Option<PathBuf> {
    match context.config_path() {
        Some(path) => path.canonicalize().ok(),
        None => Some(PathBuf::new()),
    }
}
