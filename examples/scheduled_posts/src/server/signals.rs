//! What the operator says to the process by signals.

use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::server::Lines;

/// Resolves on the first SIGTERM or SIGINT. The second ends the process at once, and waits for no
/// more than the last lines of `log`.
pub(crate) async fn stop_signal(log: &Lines) {
    first_signal().await;
    let log = log.clone();
    tokio::spawn(async move {
        first_signal().await;
        tracing::warn!("second signal: exiting at once");
        log.flush(LAST_WORDS);
        std::process::exit(1);
    });
}

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

async fn first_signal() {
    let (Ok(mut term), Ok(mut int)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        tracing::error!("cannot listen for signals; only SIGKILL will end this process");
        return std::future::pending().await;
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
}

const LAST_WORDS: Duration = Duration::from_millis(200);
