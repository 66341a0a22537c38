//! Log lines: to standard error, filtered and formatted as configured.

use std::io::{IsTerminal as _, Result, Stderr, Write, stderr};

use indicatif::ProgressBar;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::config::{Common, LogFormat};

/// Starts logging. The filter was checked when the configuration was read.
pub(super) fn start(common: &Common) {
    start_with(common, stderr);
}

/// Starts logging beside a bar, which steps aside for each line.
pub(super) fn start_beside(common: &Common, bar: &ProgressBar) {
    let bar = bar.clone();
    start_with(common, move || Beside { bar: bar.clone(), stderr: stderr() });
}

fn start_with(common: &Common, writer: impl for<'a> MakeWriter<'a> + Send + Sync + 'static) {
    let filter = EnvFilter::new(&common.log_filter);
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer)
        .with_ansi(stderr().is_terminal());
    match common.log_format {
        LogFormat::Json => builder.json().init(),
        LogFormat::Pretty => builder.init(),
    }
}

struct Beside {
    bar: ProgressBar,
    stderr: Stderr,
}

impl Write for Beside {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        self.bar.suspend(|| self.stderr.write(bytes))
    }

    fn flush(&mut self) -> Result<()> {
        self.stderr.flush()
    }
}
