//! Answers lookups: from the keys at hand, or after an attempt to fetch them.

use std::fmt;
use std::sync::{Arc, MutexGuard};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::super::{KeySource, Lookup, MissingKey, PublicKey, WarmUp};
use super::fetch::Fetch;
use super::shared::Shared;
use super::state::{Decision, FetchState, Reason};
use super::task;
use crate::clock::{Clock, SystemClock};

/// A source of keys that fetches a JWKS document and keeps it up to date.
///
/// - Any number of requests that wait for the same document cause one fetch. A request that goes
///   away does not stop it.
/// - A known key is returned without a lock and without the network, even while the document's
///   server is down: up to 24 hours after the last successful fetch.
/// - The document is fetched again every five minutes, give or take a tenth, or as often as its
///   `Cache-Control: max-age` says, within one and fifteen minutes. A key that is no longer in it
///   stops working. After a failure the pause grows from one second to a minute; a `Retry-After` of
///   up to five minutes is honoured.
/// - A `kid` that the document lacks causes a fetch at most every 30 seconds, and so does a bad
///   signature under a `kid` that it has, since the key may be a new one. It causes none while
///   fetches fail, nor when the same `kid` was looked for within those 30 seconds.
///
/// The first lookup starts a task on the current tokio runtime, which needs its timers enabled.
/// Should that runtime end or stall, a later lookup starts a new task on its own. The task ends
/// with the last clone of the source.
#[derive(Clone)]
pub struct RemoteKeys {
    shared: Arc<Shared>,
}

impl RemoteKeys {
    /// Returns a source for the document that `fetch` gives.
    pub fn new(fetch: impl Fetch) -> Self {
        Self { shared: Arc::new(Shared::new(Arc::new(fetch), Arc::new(SystemClock::new()))) }
    }

    /// Sets the clock by whose monotonic time keys age. Default: the operating system's.
    ///
    /// The result is a source of its own: it shares no keys with earlier clones, and fetches anew. Call
    /// this before [`warm_up`](Self::warm_up).
    #[must_use]
    pub fn clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { shared: Arc::new(Shared::new(self.shared.fetch(), clock)) }
    }

    /// Fetches the keys now unless they are known: for servers that should not start without them.
    /// Joins an attempt that is under way. Makes none in the pause after a failed one.
    ///
    /// # Errors
    ///
    /// The keys could not be fetched; says when to try again. The attempts continue on their own.
    pub async fn warm_up(&self) -> Result<(), MissingKey> {
        let Some(joined) = self.join_unless_warm() else { return Ok(()) };
        let _ended = joined?.changed().await;
        let state = self.shared.lock();
        let now = self.shared.now();
        if self.shared.have_keys(now) { Ok(()) } else { Err(without_keys(state.verdict(now))) }
    }

    /// Looks again for a `kid` that was not at hand, and fetches or waits where that may help.
    fn miss(&self, kid: &str) -> Lookup {
        // The keys at hand are checked again under the lock, so that an attempt that has just ended
        // is seen either as under way or with its keys.
        let state = self.shared.lock();
        let now = self.shared.now();
        if let Some(key) = self.shared.at_hand(kid, now, Arc::clone) {
            return Lookup::Known(key);
        }
        match self.join(state, kid, now) {
            Ok(mut attempts_ended) => {
                let shared = Arc::downgrade(&self.shared);
                let kid: Box<str> = kid.into();
                Lookup::Pending(Box::pin(async move {
                    let _ended = attempts_ended.changed().await;
                    after_an_attempt(&*shared.upgrade().ok_or(SOON)?, &kid)
                }))
            }
            Err(missing) => Lookup::Missing(missing),
        }
    }

    fn join_unless_warm(&self) -> Option<Result<watch::Receiver<u64>, MissingKey>> {
        let state = self.shared.lock();
        let now = self.shared.now();
        // Without keys no `kid` is looked at.
        (!self.shared.have_keys(now)).then(|| self.join(state, "", now))
    }

    /// Starts an attempt or joins the one under way; an error says why neither is done.
    fn join(
        &self,
        state: MutexGuard<'_, FetchState>,
        kid: &str,
        now: Instant,
    ) -> Result<watch::Receiver<u64>, MissingKey> {
        // Subscribed before anything is started: the end cannot be missed.
        let attempts_ended = self.shared.subscribe();
        let have_keys = self.shared.have_keys(now);
        match state.decide(kid, now, have_keys) {
            Decision::Wait => Ok(attempts_ended),
            Decision::Fetch(reason) if task::start(&self.shared, state, now, reason) => {
                Ok(attempts_ended)
            }
            Decision::Fetch(_) => Err(SOON),
            Decision::Refuse(missing) if have_keys => Err(missing),
            Decision::Refuse(missing) => Err(without_keys(missing)),
        }
    }

    /// Starts the attempt that the task should have made: its timer was held up, or its runtime has
    /// ended.
    fn catch_up_when_overdue(&self, now: Instant) {
        if !self.shared.is_overdue(now) {
            return;
        }
        // The holder of the lock is already starting an attempt.
        let Some(state) = self.shared.try_lock() else { return };
        if state.is_due(now) {
            task::start(&self.shared, state, now, Reason::Due);
        }
    }
}

impl KeySource for RemoteKeys {
    fn lookup(&self, kid: Option<&str>) -> Lookup {
        // A published key always has an id, so a token without one cannot be worth a fetch.
        let Some(kid) = kid else { return Lookup::Missing(MissingKey::Unknown) };
        let now = self.shared.now();
        match self.shared.at_hand(kid, now, Arc::clone) {
            Some(key) => {
                self.catch_up_when_overdue(now);
                Lookup::Known(key)
            }
            None => self.miss(kid),
        }
    }

    fn is_current(&self, kid: Option<&str>, key: &Arc<PublicKey>) -> bool {
        let Some(kid) = kid else { return false };
        let now = self.shared.now();
        let is_same = |known: &Arc<PublicKey>| Arc::ptr_eq(known, key);
        let is_current = self.shared.at_hand(kid, now, is_same).unwrap_or(false);
        if is_current {
            self.catch_up_when_overdue(now);
        }
        is_current
    }

    fn warm_up(&self) -> WarmUp<'_> {
        Box::pin(self.warm_up())
    }

    /// Fetches the keys, at most once in each cool-down. Most likely the token is forged.
    fn signature_failed(&self, _kid: Option<&str>) {
        let state = self.shared.lock();
        let now = self.shared.now();
        if state.may_fetch_for_kid(now) {
            task::start(&self.shared, state, now, Reason::Kid);
        }
    }
}

impl fmt::Debug for RemoteKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteKeys").finish_non_exhaustive()
    }
}

/// Returns the key after an attempt has ended, or why there is none. Looks under the lock, so that
/// a document that lacks the key is the newest one.
fn after_an_attempt(shared: &Shared, kid: &str) -> Result<Arc<PublicKey>, MissingKey> {
    let mut state = shared.lock();
    let now = shared.now();
    if let Some(key) = shared.at_hand(kid, now, Arc::clone) {
        return Ok(key);
    }
    let missing = state.verdict(now);
    if !shared.have_keys(now) {
        return Err(without_keys(missing));
    }
    if missing == MissingKey::Unknown {
        state.note_absent(kid);
    }
    Err(missing)
}

/// Converts [`MissingKey::Unknown`] to [`MissingKey::Unavailable`]: without keys it is not known
/// whether a `kid` exists. Returns any other value unchanged.
fn without_keys(missing: MissingKey) -> MissingKey {
    match missing {
        MissingKey::Unknown => SOON,
        unavailable @ MissingKey::Unavailable { .. } => unavailable,
    }
}

/// There are no keys, and no attempt that says when there will be.
const SOON: MissingKey = MissingKey::Unavailable { retry_after: Duration::from_secs(1) };
