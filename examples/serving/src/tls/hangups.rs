//! SIGHUP, with which an operator asks the server to read the certificate again.
//!
//! Needed by row F35.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// A stream of SIGHUP signals.
pub(super) struct Hangups(Option<Signal>);

impl Hangups {
    /// Starts listening; from then on SIGHUP does not end the process.
    pub(super) fn new() -> Self {
        let signal = signal(SignalKind::hangup());
        if let Err(error) = &signal {
            tracing::warn!(%error, "cannot listen for SIGHUP; the certificate is still read every minute");
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
