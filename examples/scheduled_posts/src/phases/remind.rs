//! The warning that users are not verified: at the start and every hour.

use std::time::Duration;

use crate::config::AuthPhase;
use serving::keep_running;

/// Starts the warnings, which end with the runtime.
pub(crate) fn start(phase: AuthPhase) {
    keep_running("the reminder of AUTH_PHASE", move || remind(HOUR, move || warn(phase)));
}

fn warn(phase: AuthPhase) {
    tracing::warn!(
        "AUTH_PHASE is {}: a client that names a user_id acts as that user, verified or not. \
         auth_phase_3_verdicts_total in /metrics (METRICS_ADDR) counts the requests that phase 3 \
         would refuse; set AUTH_PHASE to 3 when there are no more of them",
        phase.number()
    );
}

async fn remind(pause: Duration, mut tell: impl FnMut()) {
    let mut ticks = tokio::time::interval(pause);
    loop {
        ticks.tick().await;
        tell();
    }
}

const HOUR: Duration = Duration::from_secs(3600);

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_operator_is_warned_at_the_start_and_once_an_hour() {
        let told = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&told);
        let forever = remind(HOUR, move || _ = count.fetch_add(1, Ordering::Relaxed));
        // The clock is paused, so the test takes no hour.
        let day = Duration::from_secs(24 * 3600 - 1);
        assert!(tokio::time::timeout(day, forever).await.is_err());
        assert_eq!(told.load(Ordering::Relaxed), 24);
    }
}
