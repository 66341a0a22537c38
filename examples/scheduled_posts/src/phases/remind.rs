//! The warning that nobody is verified: at the start, and again and again.

use std::time::Duration;

use crate::config::AuthPhase;
use serving::keep_running;

/// Begins at once and goes on for as long as the runtime lives.
pub(crate) fn start(phase: AuthPhase) {
    keep_running("the reminder of AUTH_PHASE", move || remind(HOUR, move || warn(phase)));
}

fn warn(phase: AuthPhase) {
    tracing::warn!(
        "AUTH_PHASE is {}: anybody who names a user_id is taken for that user, verified or not. \
         auth_phase_3_verdicts_total in /metrics (METRICS_ADDR) shows whom phase 3 would refuse; \
         set AUTH_PHASE to 3 when it shows nobody any more",
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
        // The clock is paused: no hour passes here.
        let day = Duration::from_secs(24 * 3600 - 1);
        assert!(tokio::time::timeout(day, forever).await.is_err());
        assert_eq!(told.load(Ordering::Relaxed), 24);
    }
}
