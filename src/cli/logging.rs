//! Where the log goes: to the Logs screen while the console has the terminal, to standard error
//! otherwise; never to standard output.

use std::io::IsTerminal;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// What is logged: ours at `level`, what libraries say only where they warn.
fn targets(level: LevelFilter) -> Targets {
    Targets::new().with_default(level.min(LevelFilter::WARN)).with_target("banditop", level)
}

fn level(configured: Option<&str>, otherwise: LevelFilter) -> LevelFilter {
    configured.and_then(|level| level.parse().ok()).unwrap_or(otherwise)
}

/// Logs to the console's Logs screen.
pub(super) fn to_console(configured: Option<&str>) {
    let filter = targets(level(configured, LevelFilter::INFO));
    _ = tracing_subscriber::registry().with(filter).with(crate::console::log_layer()).try_init();
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
