//! Log lines and final messages on standard error, which never block the program.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{IsTerminal as _, Result, Write, stderr};
use std::panic::{self, PanicHookInfo};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use indicatif::ProgressBar;
use tracing_subscriber::EnvFilter;

use crate::config::{Common, LogFormat};
use serving::Lines;

/// The messages of a subcommand beside its answer.
pub(super) struct Log {
    lines: Lines,
    bar: Arc<OnceLock<ProgressBar>>,
}

impl Log {
    /// Starts writing to standard error.
    ///
    /// # Errors
    ///
    /// Fails when the system starts no more threads.
    pub(super) fn new() -> Result<Self> {
        let bar = Arc::<OnceLock<ProgressBar>>::default();
        let lines = Lines::start(StandardError { bar: Arc::clone(&bar) })?;
        Ok(Self { lines, bar })
    }

    /// Starts logging, panics included. The filter was checked when the configuration was read.
    pub(super) fn start(&self, common: &Common) {
        let builder = tracing_subscriber::fmt()
            .with_env_filter(filter(&common.log_filter))
            .with_writer(self.lines.clone())
            // They would be written to standard error, with a panic when that fails.
            .log_internal_errors(false)
            .with_ansi(stderr().is_terminal());
        match common.log_format {
            LogFormat::Json => {
                self.lines.speak_json();
                builder.json().init();
            }
            LogFormat::Pretty => builder.init(),
        }
        let lines = self.lines.clone();
        panic::set_hook(Box::new(move |panic| {
            log_panic(panic);
            // The process may end.
            lines.flush(LAST_WORDS);
        }));
    }

    /// Sets a progress bar, which is hidden while a line is written.
    pub(super) fn stand_beside(&self, bar: &ProgressBar) {
        // There is one bar in a process.
        let _ = self.bar.set(bar.clone());
    }

    /// Writes a line for the user of the command.
    pub(super) fn say(&self, text: &str) {
        self.lines.push(format!("{text}\n"));
    }

    /// Waits until everything is written, but not long for a reader that stalls.
    pub(super) fn flush(&self) {
        self.lines.flush(LAST_WORDS);
    }

    pub(super) fn lines(&self) -> &Lines {
        &self.lines
    }
}

/// Logs a panic. The standard library's hook would wait for a stalled reader of standard error.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let thread = thread::current();
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    tracing::error!(
        target: "panic",
        thread = thread.name().unwrap_or("unnamed"),
        place,
        message = panic.payload_as_str().unwrap_or("a payload that is no text"),
    );
    // Captured if RUST_BACKTRACE is set.
    let backtrace = Backtrace::capture();
    if backtrace.status() == BacktraceStatus::Captured {
        tracing::error!(target: "panic", "the panic's backtrace:\n{backtrace}");
    }
}

/// Returns the configured filter, which always lets panics pass.
fn filter(configured: &str) -> EnvFilter {
    let filter = EnvFilter::new(configured);
    match "panic=error".parse() {
        Ok(panics) => filter.add_directive(panics),
        Err(_) => filter,
    }
}

struct StandardError {
    bar: Arc<OnceLock<ProgressBar>>,
}

impl Write for StandardError {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        match self.bar.get() {
            Some(bar) => bar.suspend(|| stderr().write(bytes)),
            None => stderr().write(bytes),
        }
    }

    fn flush(&mut self) -> Result<()> {
        stderr().flush()
    }
}

/// The time for the last lines: less than is left of the ten seconds after which container engines
/// kill.
const LAST_WORDS: Duration = Duration::from_millis(200);
