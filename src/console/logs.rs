//! The log as the console keeps it. tui-logger buffers what `tracing` says from the moment the layer is
//! installed, so that what happened before the screen was taken is there too. Its own thread, which
//! would wake a hundred times a second, is not started: the loop moves what has come.

use tracing_subscriber::Layer;
use tracing_subscriber::registry::LookupSpan;

/// Messages between two looks of the loop that are kept.
const HOT_MESSAGES: usize = 4_000;

/// The layer to install into the subscriber: it feeds the Logs screen and prints nothing.
pub fn log_layer<S>() -> impl Layer<S>
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a>,
{
    tui_logger::set_default_level(tui_logger::LevelFilter::Debug);
    tui_logger::set_hot_buffer_depth(HOT_MESSAGES);
    tui_logger::TuiTracingSubscriberLayer
}
