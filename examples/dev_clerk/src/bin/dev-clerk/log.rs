//! The log, which includes panics.

use std::io::{IsTerminal as _, stderr};
use std::panic::{self, PanicHookInfo};

use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::lines::Lines;

/// Starts logging.
pub(crate) fn start(lines: &Lines, filter: Targets) {
    let format = tracing_subscriber::fmt::layer()
        .with_writer(lines.clone())
        // They would be written to standard error, with a panic when that fails.
        .log_internal_errors(false)
        .with_ansi(stderr().is_terminal());
    tracing_subscriber::registry().with(filter).with(format).init();
    panic::set_hook(Box::new(log_panic));
}

/// Logs a panic. The standard library's hook would wait for a stalled reader of standard error.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let message = panic.payload_as_str().unwrap_or("a payload that is no text");
    tracing::error!(place, "panic: {message}");
}
