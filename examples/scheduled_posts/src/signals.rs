//! The signals that ask the process to stop.

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use serving::Lines;

/// Resolves on the first SIGTERM or SIGINT. The second one ends the process at once, after writing
/// the last lines of `log`.
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
