//! Background tasks that run for as long as the process does.
//!
//! Needed by fault C14.

use std::time::Duration;

/// Runs a task in the background and restarts it when it panics; `what` names it in the log.
///
/// It ends when the task returns, or with the runtime.
pub fn keep_running<F>(what: &'static str, mut start: impl FnMut() -> F + Send + 'static)
where
    F: Future<Output = ()> + Send + 'static,
{
    tokio::spawn(async move {
        while let Err(ended) = tokio::spawn(start()).await {
            // Otherwise the runtime is ending.
            if !ended.is_panic() {
                return;
            }
            tracing::error!("{what} ended with a panic and restarts in {PAUSE:?}");
            tokio::time::sleep(PAUSE).await;
        }
    });
}

/// The pause before a restart, so that a task that always panics costs next to nothing.
const PAUSE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn fault_c14_a_task_that_panics_is_started_again() {
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        let mut starts = 0;
        keep_running("the test", move || {
            starts += 1;
            let (tell, count) = (tell.clone(), starts);
            async move {
                tell.send(count).unwrap();
                assert!(count == 3, "not yet");
            }
        });
        for count in 1..=3 {
            assert_eq!(told.recv().await, Some(count));
        }
        // The task returned, so no message follows.
        assert_eq!(told.recv().await, None);
    }
}
