//! SIGHUP, by which an operator asks for the certificate to be read again.
//!
//! Needed by row F35.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGHUP, each time.
pub(super) struct Hangups(Option<Signal>);

impl Hangups {
    /// From here on a SIGHUP does not end the process.
    pub(super) fn new() -> Self {
        let signal = signal(SignalKind::hangup());
        if let Err(error) = &signal {
            tracing::warn!(%error, "cannot listen for SIGHUP; certificates are looked at all the same");
        }
        Self(signal.ok())
    }

    pub(super) async fn next(&mut self) {
        if let Some(signal) = &mut self.0
            && signal.recv().await.is_some()
        {
            return;
        }
        std::future::pending().await
    }
}
