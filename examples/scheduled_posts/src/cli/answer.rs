//! What a subcommand was asked for, on standard output; and whether anybody reads it.

use std::io::{Error, ErrorKind, Write as _, stdout};

use crate::cli::failure::Failure;

/// Prints an answer, whole.
///
/// # Errors
///
/// [`Failure::Unread`] where the reader has gone, which needs no words: it wanted no more. Otherwise
/// what keeps standard output from being written.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    write(text).map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => Failure::Unread,
        _ => Failure::Start(format!("standard output cannot be written: {error}")),
    })
}

/// Prints what is good to know and not what the command is for: where it cannot be written, the log
/// says so.
pub(super) fn announce(text: &str) {
    if let Err(error) = write(text) {
        tracing::warn!(%error, "standard output cannot be written; this was to be said there:\n{text}");
    }
}

fn write(text: &str) -> Result<(), Error> {
    let mut out = stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}
