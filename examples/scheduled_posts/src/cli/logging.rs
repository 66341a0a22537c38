//! Log lines and last words: on standard error, and never in the way of anything else.

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

/// What a subcommand has to say beside its answer.
pub(super) struct Log {
    lines: Lines,
    bar: Arc<OnceLock<ProgressBar>>,
}

impl Log {
    /// Returns the way to standard error.
    ///
    /// # Errors
    ///
    /// The system gives this process no more threads.
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
            // It would say so on standard error, and panic where that is not possible.
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
            // It may be the end of the process.
            lines.flush(LAST_WORDS);
        }));
    }

    /// From here on this bar steps aside for each line.
    pub(super) fn stand_beside(&self, bar: &ProgressBar) {
        // There is one bar in a process.
        let _ = self.bar.set(bar.clone());
    }

    /// Writes a line for whoever started the command.
    pub(super) fn say(&self, text: &str) {
        self.lines.push(format!("{text}\n"));
    }

    /// Waits until everything is written, if somebody reads it.
    pub(super) fn flush(&self) {
        self.lines.flush(LAST_WORDS);
    }

    pub(super) fn lines(&self) -> &Lines {
        &self.lines
    }
}

/// The standard library's own hook would wait for a reader of standard error that stalls.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let thread = thread::current();
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    tracing::error!(
        target: "panic",
        thread = thread.name().unwrap_or("unnamed"),
        place,
        message = panic.payload_as_str().unwrap_or("a payload that is no text"),
    );
    // With RUST_BACKTRACE set.
    let backtrace = Backtrace::capture();
    if backtrace.status() == BacktraceStatus::Captured {
        tracing::error!(target: "panic", "the panic's backtrace:\n{backtrace}");
    }
}

/// Returns the configured filter; panics pass whatever it says.
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

/// Less than what is left of the ten seconds after which container engines kill.
const LAST_WORDS: Duration = Duration::from_millis(200);
