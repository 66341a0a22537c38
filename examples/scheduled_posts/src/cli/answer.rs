//! The output of a subcommand on standard output, whose reader may be gone.

use std::io::{Error, ErrorKind, Write as _, stdout};

use crate::cli::failure::Failure;

/// Prints a whole answer.
///
/// # Errors
///
/// Returns [`Failure::Unread`] when the reader is gone, which needs no message. Otherwise returns
/// the reason why standard output cannot be written.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    write(text).map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => Failure::Unread,
        _ => Failure::Start(format!("standard output cannot be written: {error}")),
    })
}

/// Prints additional information. If it cannot be written, it is logged instead.
pub(super) fn announce(text: &str) {
    if let Err(error) = write(text) {
        tracing::warn!(%error, "standard output cannot be written; its text is:\n{text}");
    }
}

fn write(text: &str) -> Result<(), Error> {
    let mut out = stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}
