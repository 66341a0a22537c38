//! Log lines: to standard error, filtered and formatted as configured.

use std::io::{IsTerminal as _, stderr};

use tracing_subscriber::EnvFilter;

use crate::config::{Common, LogFormat};

/// Starts logging. The filter was checked when the configuration was read.
pub(super) fn start(common: &Common) {
    let filter = EnvFilter::new(&common.log_filter);
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(stderr)
        .with_ansi(stderr().is_terminal());
    match common.log_format {
        LogFormat::Json => builder.json().init(),
        LogFormat::Pretty => builder.init(),
    }
}
