//! The task that fetches: an attempt, a pause, an attempt. Decides nothing.

use std::sync::{Arc, MutexGuard, Weak};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::time::{sleep, timeout};

use super::super::jwk::KeySet;
use super::fetch::{Fetch, FetchError, Fetched};
use super::shared::{FetchedKeys, Shared};
use super::state::{FetchState, Reason};
use crate::trace::{event, in_fetch_span};

/// Starts a task that makes an attempt now and replaces the previous task. Returns false if there
/// is no current runtime; the previous task's runtime is not used, since it may have ended.
///
/// Takes the guard by value and drops it before `spawn`. A runtime that is shutting down drops the
/// spawned future at once, and `Running::drop` takes the same lock.
pub(super) fn start(
    shared: &Arc<Shared>,
    mut state: MutexGuard<'_, FetchState>,
    now: Instant,
    reason: Reason,
) -> bool {
    let Ok(runtime) = Handle::try_current() else {
        drop(state);
        shared.task_cannot_start(now);
        event!(error, "session keys cannot be fetched: no tokio runtime is running here");
        return false;
    };
    let number = shared.register_task(&mut state, now, reason);
    drop(state);
    let task = runtime.spawn(keep_fresh(Running { shared: Arc::downgrade(shared), number }));
    shared.keep_task(number, task.abort_handle());
    true
}

/// Fetches, pauses and fetches again until the source is gone. Holds no reference to what is shared
/// while it waits.
async fn keep_fresh(running: Running) {
    loop {
        let Some((fetch, limit)) = running.begin_attempt() else { return };
        let outcome = in_fetch_span(attempt(&*fetch, limit)).await;
        drop(fetch);
        let Some(pause) = running.end_attempt(outcome) else { return };
        sleep(pause).await;
    }
}

/// A running task's hold on what is shared. Dropping it wakes the waiters, however the task ends.
struct Running {
    shared: Weak<Shared>,
    number: u64,
}

impl Running {
    fn begin_attempt(&self) -> Option<(Arc<dyn Fetch>, Duration)> {
        self.shared.upgrade()?.begin_attempt(self.number)
    }

    fn end_attempt(&self, outcome: Result<FetchedKeys, FetchError>) -> Option<Duration> {
        self.shared.upgrade()?.end_attempt(self.number, outcome)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.upgrade() {
            shared.forget_task(self.number);
        }
    }
}

async fn attempt(fetch: &dyn Fetch, limit: Duration) -> Result<FetchedKeys, FetchError> {
    let late = |_| FetchError::new(format!("no answer within {limit:?}"));
    let Fetched { body, max_age } = timeout(limit, fetch.fetch()).await.map_err(late)??;
    match KeySet::parse(&body) {
        Ok(keys) => Ok(FetchedKeys { keys, max_age }),
        Err(problem) => Err(FetchError::new(format!("the document {problem}"))),
    }
}
