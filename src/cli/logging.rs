//! Where the log goes: to the Logs screen and a file while the console has the terminal, to standard error
//! otherwise; never to standard output.

use std::io::IsTerminal;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use crate::settings::LogSettings;
use crate::telemetry::RotatingFile;

/// What is logged: ours at `level`, what libraries say only where they warn.
fn targets(level: LevelFilter) -> Targets {
    Targets::new().with_default(level.min(LevelFilter::WARN)).with_target("banditop", level)
}

fn level(configured: Option<&str>, otherwise: LevelFilter) -> LevelFilter {
    configured.and_then(|level| level.parse().ok()).unwrap_or(otherwise)
}

/// Logs to the console's Logs screen, and to `file`.
pub(super) fn to_console(settings: &LogSettings, file: Option<RotatingFile>) {
    let filter = targets(level(settings.level.as_deref(), LevelFilter::INFO));
    let to_file = file.map(|file| {
        let layer = tracing_subscriber::fmt::layer().with_ansi(false).log_internal_errors(false);
        let layer = layer.with_writer(move || file.clone());
        if settings.json { layer.json().flatten_event(true).with_span_list(false).boxed() } else { layer.boxed() }
    });
    let registry = tracing_subscriber::registry().with(to_file).with(filter);
    _ = registry.with(crate::console::log_layer()).try_init();
}

/// Logs to standard error, warnings and worse unless more is asked for.
pub(super) fn to_stderr(configured: Option<&str>) {
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let layer = tracing_subscriber::fmt::layer()
        .with_ansi(colours)
        .without_time()
        .with_writer(std::io::stderr)
        .log_internal_errors(false)
        .with_target(false);
    let filter = targets(level(configured, LevelFilter::WARN));
    // An error means that a test has set a subscriber already.
    _ = tracing_subscriber::registry().with(filter).with(layer).try_init();
}
