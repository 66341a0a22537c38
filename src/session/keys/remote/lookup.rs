//! Answers lookups: from the keys at hand, or after an attempt to fetch them.

use std::error::Error;
use std::fmt;
use std::sync::{Arc, MutexGuard};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::super::{Candidates, KeySource, Lookup, MissingKey, PublicKey, WarmUp};
use super::fetch::Fetch;
use super::shared::Shared;
use super::state::{Arrival, Decision, FetchState, Reason};
use super::task;
use super::times::FetchTimes;
use crate::ConfigError;
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
///   up to five minutes is honoured, and of up to 15 s while there are no keys.
/// - A token whose `kid` the document lacks waits for a fetch, and so does one that none of the keys
///   with its `kid` signed, since the instance may have replaced its key: the first token under a
///   new key is accepted. Such tokens together cause at most one fetch every 5 s; in between they
///   are refused at once. They cause none while fetches fail: then nobody can tell which of them
///   are forged, and their error is [`MissingKey::Unavailable`].
/// - With keys at hand at most 1024 such tokens wait; others get [`MissingKey::Unavailable`].
///
/// [`FetchTimes`] sets these times.
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
        Self::of(Arc::new(fetch), FetchTimes::default(), Arc::new(SystemClock::new()))
    }

    /// Sets the times by which keys are fetched. Default: [`FetchTimes::default`].
    ///
    /// The result is a source of its own: it shares no keys with earlier clones, and fetches anew. Call
    /// this before [`warm_up`](Self::warm_up).
    ///
    /// # Errors
    ///
    /// A time outside its bounds.
    pub fn times(self, times: FetchTimes) -> Result<Self, ConfigError> {
        times.check()?;
        Ok(Self::of(self.shared.fetch(), times, self.shared.clock()))
    }

    /// Sets the clock by whose monotonic time keys age. Default: the operating system's.
    ///
    /// The result is a source of its own: it shares no keys with earlier clones, and fetches anew. Call
    /// this before [`warm_up`](Self::warm_up).
    #[must_use]
    pub fn clock(self, clock: Arc<dyn Clock>) -> Self {
        Self::of(self.shared.fetch(), self.shared.times().clone(), clock)
    }

    fn of(fetch: Arc<dyn Fetch>, times: FetchTimes, clock: Arc<dyn Clock>) -> Self {
        Self { shared: Arc::new(Shared::new(fetch, times, clock)) }
    }

    /// Fetches the keys now unless they are known: for servers that should not start without them.
    /// Joins an attempt that is under way. Makes none in the pause after a failed one.
    ///
    /// # Errors
    ///
    /// The keys could not be fetched; says when to try again. The attempts continue on their own.
    pub async fn warm_up(&self) -> Result<(), MissingKey> {
        loop {
            let Some(joined) = self.join_unless_warm() else { return Ok(()) };
            if self.shared.times().attempt_ended(&mut joined?).await {
                break;
            }
        }
        let state = self.shared.lock();
        let now = self.shared.now();
        if self.shared.have_keys(now) { Ok(()) } else { Err(without_keys(state.verdict(now))) }
    }

    fn join_unless_warm(&self) -> Option<Result<watch::Receiver<u64>, MissingKey>> {
        let state = self.shared.lock();
        let now = self.shared.now();
        // Without keys no `kid` is looked at.
        (!self.shared.have_keys(now)).then(|| {
            let arrival = state.arrival();
            self.join(state, arrival, now).map(|(attempts_ended, _)| attempts_ended)
        })
    }

    /// Begins a search for keys that are not at hand.
    fn search(&self, kid: &str, tried: Option<&Candidates>) -> Lookup {
        let state = self.shared.lock();
        let search = Search { kid: kid.into(), tried: tried.cloned(), arrival: state.arrival() };
        let (mut attempts_ended, have_keys) = match self.step(state, &search) {
            Step::Over(result) => return result.into(),
            Step::Wait { attempts_ended, have_keys } => (attempts_ended, have_keys),
        };
        // Without keys at hand everybody waits.
        let mut place = self.shared.place();
        if place.is_none() && have_keys {
            return Lookup::Missing(SOON);
        }
        let (shared, times) = (Arc::downgrade(&self.shared), self.shared.times().clone());
        Lookup::Pending(Box::pin(async move {
            loop {
                // An attempt that is lost does not end, and the next step notices it.
                let _ended = times.attempt_ended(&mut attempts_ended).await;
                let keys = Self { shared: shared.upgrade().ok_or(SOON)? };
                match keys.step(keys.shared.lock(), &search) {
                    Step::Over(result) => return result,
                    Step::Wait { attempts_ended: further, have_keys } => {
                        place = place.or_else(|| keys.shared.place());
                        if place.is_none() && have_keys {
                            return Err(SOON);
                        }
                        attempts_ended = further;
                    }
                }
            }
        }))
    }

    /// Looks at the keys at hand; then starts or joins an attempt, or says why neither is done.
    ///
    /// All under one lock, so that an attempt that has just ended is seen either as under way or
    /// with its keys.
    fn step(&self, state: MutexGuard<'_, FetchState>, search: &Search) -> Step {
        let now = self.shared.now();
        let found = self.shared.at_hand(&search.kid, now, |keys| search.finds(keys));
        match found.flatten() {
            Some(keys) => Step::Over(Ok(keys)),
            None => match self.join(state, search.arrival, now) {
                Ok((attempts_ended, have_keys)) => Step::Wait { attempts_ended, have_keys },
                Err(missing) => Step::Over(Err(missing)),
            },
        }
    }

    /// Starts an attempt or joins the one under way, and returns whether there are keys at hand
    /// meanwhile; an error says why neither is done.
    fn join(
        &self,
        state: MutexGuard<'_, FetchState>,
        arrival: Arrival,
        now: Instant,
    ) -> Result<(watch::Receiver<u64>, bool), MissingKey> {
        // Subscribed before anything is started: the end cannot be missed.
        let attempts_ended = self.shared.subscribe();
        let have_keys = self.shared.have_keys(now);
        match state.decide(arrival, now, have_keys) {
            Decision::Wait => Ok((attempts_ended, have_keys)),
            Decision::Fetch(reason) if task::start(&self.shared, state, now, reason) => {
                Ok((attempts_ended, have_keys))
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
        match self.shared.at_hand(kid, now, Candidates::clone) {
            Some(keys) => {
                self.catch_up_when_overdue(now);
                Lookup::Known(keys)
            }
            None => self.search(kid, None),
        }
    }

    fn lookup_again(&self, kid: Option<&str>, tried: &Candidates) -> Lookup {
        match kid {
            Some(kid) => self.search(kid, Some(tried)),
            None => Lookup::Missing(MissingKey::Unknown),
        }
    }

    fn is_current(&self, kid: Option<&str>, key: &Arc<PublicKey>) -> bool {
        let Some(kid) = kid else { return false };
        let now = self.shared.now();
        let is_current =
            self.shared.at_hand(kid, now, |known| known.contains(key)).unwrap_or(false);
        if is_current {
            self.catch_up_when_overdue(now);
        }
        is_current
    }

    fn last_failure(&self) -> Option<Arc<dyn Error + Send + Sync>> {
        self.shared.last_failure().map(|failure| failure as _)
    }

    fn warm_up(&self) -> WarmUp<'_> {
        Box::pin(self.warm_up())
    }
}

/// A search for keys of a token.
struct Search {
    kid: Box<str>,
    /// The keys that did not sign the token.
    tried: Option<Candidates>,
    arrival: Arrival,
}

enum Step {
    Over(Result<Candidates, MissingKey>),
    /// Waits for the end of an attempt, with other keys at hand or without any.
    Wait {
        attempts_ended: watch::Receiver<u64>,
        have_keys: bool,
    },
}

impl Search {
    /// Returns `keys` unless all of them were tried.
    fn finds(&self, keys: &Candidates) -> Option<Candidates> {
        let new = self.tried.as_ref().is_none_or(|tried| tried.lack_one_of(keys));
        new.then(|| keys.clone())
    }
}

impl fmt::Debug for RemoteKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteKeys").finish_non_exhaustive()
    }
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
