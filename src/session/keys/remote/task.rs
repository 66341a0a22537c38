//! The one task that fetches: an attempt, a pause, an attempt. Decides nothing.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::super::jwk::KeySet;
use super::shared::Shared;
use super::{FETCH_TIMEOUT, Fetch, FetchError, Fetched};
use crate::trace::in_fetch_span;

/// The task: an attempt, a pause, an attempt. It never holds what it works for across a wait.
pub(super) async fn keep_fresh(running: Running) {
    loop {
        let Some(fetch) = running.attempt_starts() else { return };
        let outcome = in_fetch_span(attempt(&*fetch)).await;
        drop(fetch);
        let Some(pause) = running.attempt_ended(outcome) else { return };
        sleep(pause).await;
    }
}

/// What the task holds. When it goes, however it goes, those who wait look again.
pub(super) struct Running {
    shared: Weak<Shared>,
    number: u64,
}

impl Running {
    pub(super) fn new(shared: Weak<Shared>, number: u64) -> Self {
        Self { shared, number }
    }

    fn attempt_starts(&self) -> Option<Arc<dyn Fetch>> {
        self.shared.upgrade()?.attempt_starts(self.number)
    }

    fn attempt_ended(&self, outcome: Result<Brought, FetchError>) -> Option<Duration> {
        self.shared.upgrade()?.attempt_ended(self.number, outcome)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.upgrade() {
            shared.task_gone(self.number);
        }
    }
}

/// What a successful attempt brought.
pub(super) struct Brought {
    pub(super) keys: KeySet,
    pub(super) max_age: Option<Duration>,
}

async fn attempt(fetch: &dyn Fetch) -> Result<Brought, FetchError> {
    let late = |_| FetchError::new(format!("no answer within {} s", FETCH_TIMEOUT.as_secs()));
    let Fetched { body, max_age } = timeout(FETCH_TIMEOUT, fetch.fetch()).await.map_err(late)??;
    match KeySet::parse(&body) {
        Some(keys) if !keys.is_empty() => Ok(Brought { keys, max_age }),
        Some(_) => Err(FetchError::new("the document holds no RS256 key of 2048 bits or more")),
        None => Err(FetchError::new("the answer is not a JWKS document")),
    }
}
