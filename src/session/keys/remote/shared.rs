//! Doing it: the keys at hand, and those who wait for an attempt that `task` makes.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError, Weak};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::super::jwk::KeySet;
use super::super::{Lookup, MissingKey, PublicKey};
use super::state::{Decision, MAX_STALENESS, Reason, State};
use super::task::{Brought, Running, keep_fresh};
use super::{Fetch, FetchError};
use crate::clock::Clock;
use crate::meter::{count, gauge};
use crate::trace::event;

/// What all clones of a source share. Held by them alone: the task has a weak reference, so that
/// it ends with them.
pub(super) struct Shared {
    keys: ArcSwapOption<Snapshot>,
    /// When a lookup should look after the schedule, in milliseconds since `epoch`: the timer of
    /// the task does the same unless it was held up.
    overdue_at: AtomicU64,
    epoch: Instant,
    state: Mutex<State>,
    /// Counts the attempts that ended, however they ended: who waits, waits for a change.
    rounds: watch::Sender<u64>,
    /// The task that was started last, and its number.
    task: Mutex<(u64, Option<AbortHandle>)>,
    fetch: Arc<dyn Fetch>,
    clock: Arc<dyn Clock>,
    this: Weak<Self>,
}

/// The keys of one successful fetch.
struct Snapshot {
    keys: KeySet,
    fetched_at: Instant,
}

impl Shared {
    pub(super) fn new(fetch: Arc<dyn Fetch>, clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            keys: ArcSwapOption::empty(),
            overdue_at: AtomicU64::new(u64::MAX),
            epoch: clock.monotonic(),
            state: Mutex::default(),
            rounds: watch::Sender::new(0),
            task: Mutex::default(),
            fetch,
            clock,
            this: this.clone(),
        })
    }

    pub(super) fn fetch(&self) -> Arc<dyn Fetch> {
        Arc::clone(&self.fetch)
    }

    /// The hot path: no lock, no wait.
    pub(super) fn known(&self, kid: &str) -> Option<Arc<PublicKey>> {
        let now = self.clock.monotonic();
        let key = self.at_hand(kid, now, Arc::clone)?;
        self.catch_up_when_overdue(now);
        Some(key)
    }

    /// The hotter one: no reference is counted either.
    pub(super) fn still_gives(&self, kid: &str, key: &Arc<PublicKey>) -> bool {
        let now = self.clock.monotonic();
        let gives = self.at_hand(kid, now, |known| Arc::ptr_eq(known, key)).unwrap_or(false);
        if gives {
            self.catch_up_when_overdue(now);
        }
        gives
    }

    /// A `kid` that is not at hand.
    pub(super) fn miss(&self, kid: &str) -> Lookup {
        // What is at hand is asked again under the lock: an attempt that has just ended is then
        // seen either as under way or with what it brought.
        let state = self.lock();
        let now = self.clock.monotonic();
        if let Some(key) = self.at_hand(kid, now, Arc::clone) {
            return Lookup::Known(key);
        }
        match self.join(state, kid, now) {
            Ok(mut rounds) => {
                let this = self.this.clone();
                let kid: Box<str> = kid.into();
                Lookup::Pending(Box::pin(async move {
                    let _ended = rounds.changed().await;
                    this.upgrade().ok_or(SOON)?.after_an_attempt(&kid)
                }))
            }
            Err(missing) => Lookup::Missing(missing),
        }
    }

    pub(super) async fn warm_up(&self) -> Result<(), MissingKey> {
        let Some(joined) = self.join_unless_warm() else { return Ok(()) };
        let _ended = joined?.changed().await;
        let state = self.lock();
        let now = self.clock.monotonic();
        if self.have_keys(now) { Ok(()) } else { Err(without_keys(state.verdict(now))) }
    }

    /// A key that is at hand did not sign a token that says so. Most likely nobody did, so that
    /// this is one of the reasons that share a cool-down.
    pub(super) fn look_for_a_new_key(&self) {
        let state = self.lock();
        let now = self.clock.monotonic();
        if state.may_fetch_for_kid(now) {
            self.start(state, now, Reason::Kid);
        }
    }

    fn join_unless_warm(&self) -> Option<Result<watch::Receiver<u64>, MissingKey>> {
        let state = self.lock();
        let now = self.clock.monotonic();
        // Without keys no `kid` is looked at.
        (!self.have_keys(now)).then(|| self.join(state, "", now))
    }

    /// Starts an attempt or joins the one under way, or says why neither.
    fn join(
        &self,
        state: MutexGuard<'_, State>,
        kid: &str,
        now: Instant,
    ) -> Result<watch::Receiver<u64>, MissingKey> {
        // Subscribed before anything is started: the end cannot be missed.
        let rounds = self.rounds.subscribe();
        let have_keys = self.have_keys(now);
        match state.decide(kid, now, have_keys) {
            Decision::Wait => Ok(rounds),
            Decision::Fetch(reason) if self.start(state, now, reason) => Ok(rounds),
            Decision::Fetch(_) => Err(SOON),
            Decision::Refuse(missing) if have_keys => Err(missing),
            Decision::Refuse(missing) => Err(without_keys(missing)),
        }
    }

    /// After a wait: the key, or why there is none. The document that lacks it is the newest, as
    /// both are asked under the lock.
    fn after_an_attempt(&self, kid: &str) -> Result<Arc<PublicKey>, MissingKey> {
        let mut state = self.lock();
        let now = self.clock.monotonic();
        if let Some(key) = self.at_hand(kid, now, Arc::clone) {
            return Ok(key);
        }
        let missing = state.verdict(now);
        if !self.have_keys(now) {
            return Err(without_keys(missing));
        }
        if missing == MissingKey::Unknown {
            state.is_absent(kid);
        }
        Err(missing)
    }

    fn at_hand<T>(
        &self,
        kid: &str,
        now: Instant,
        look: impl FnOnce(&Arc<PublicKey>) -> T,
    ) -> Option<T> {
        let snapshot = self.keys.load();
        let snapshot = snapshot.as_ref().filter(|snapshot| snapshot.is_usable(now))?;
        snapshot.keys.get(kid).map(look)
    }

    fn have_keys(&self, now: Instant) -> bool {
        self.keys.load().as_ref().is_some_and(|snapshot| snapshot.is_usable(now))
    }

    fn catch_up_when_overdue(&self, now: Instant) {
        if self.since_epoch(now) >= self.overdue_at.load(Ordering::Relaxed) {
            self.catch_up(now);
        }
    }

    /// The schedule is behind: the task's timer was held up, or its runtime is no more.
    fn catch_up(&self, now: Instant) {
        let state = match self.state.try_lock() {
            Ok(state) => state,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            // Somebody else is at it.
            Err(TryLockError::WouldBlock) => return,
        };
        // Somebody else may have been: that the attempt is still due is asked under the lock.
        if state.is_due(now) {
            self.start(state, now, Reason::Due);
        }
    }

    /// Has a new task make an attempt now, in place of the one that there was; false when there
    /// is no runtime to make it on. Not the old one's: nobody knows whether that still runs.
    ///
    /// Takes the lock so as to let it go: a runtime that is shutting down drops what is spawned
    /// on it at once, and with it a [`Running`], which wants the lock.
    fn start(&self, mut state: MutexGuard<'_, State>, now: Instant, reason: Reason) -> bool {
        let Ok(runtime) = Handle::try_current() else {
            drop(state);
            let later = self.since_epoch(now + Duration::from_secs(1));
            self.overdue_at.store(later, Ordering::Relaxed);
            event!(error, "session keys cannot be fetched: no tokio runtime is running here");
            return false;
        };
        state.task += 1;
        let number = state.task;
        state.started(now, reason);
        self.set_overdue(&state);
        drop(state);

        let task = runtime.spawn(keep_fresh(Running::new(self.this.clone(), number)));
        let mut slot = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        let older = if slot.0 < number {
            std::mem::replace(&mut *slot, (number, Some(task.abort_handle()))).1
        } else {
            Some(task.abort_handle())
        };
        drop(slot);
        if let Some(older) = older {
            older.abort();
        }
        true
    }

    /// The task of this number is about to make an attempt; `None` when another took its place.
    pub(super) fn attempt_starts(&self, number: u64) -> Option<Arc<dyn Fetch>> {
        let mut state = self.lock();
        if state.task != number {
            return None;
        }
        state.started(self.clock.monotonic(), Reason::Due);
        self.set_overdue(&state);
        Some(self.fetch())
    }

    /// Takes in what an attempt brought; returns the pause until the next. `None` when another
    /// task took the place of this one.
    pub(super) fn attempt_ended(
        &self,
        number: u64,
        outcome: Result<Brought, FetchError>,
    ) -> Option<Duration> {
        let _outcome = if outcome.is_ok() { "success" } else { "failure" };
        count!("clerk_keys_fetches_total", "outcome" => _outcome);
        let mut state = self.lock();
        if state.task != number {
            return None;
        }
        let now = self.clock.monotonic();
        let (pause, problem) = match outcome {
            Ok(Brought { keys, max_age }) => {
                let keys = match &*self.keys.load() {
                    Some(older) => keys.keeping(&older.keys),
                    None => keys,
                };
                self.keys.store(Some(Arc::new(Snapshot { keys, fetched_at: now })));
                (state.succeeded(now, max_age, random_fraction()), None)
            }
            Err(error) => (state.failed(now, error.retry_after, random_fraction()), Some(error)),
        };
        self.set_overdue(&state);
        let _failures = state.failures;
        // Still under the lock: who subscribes after this sees only the attempts to come.
        self.rounds.send_modify(|rounds| *rounds += 1);
        drop(state);

        if let Some(_error) = problem {
            event!(
                warn,
                error = %_error,
                failures = _failures,
                retry_in_s = pause.as_secs(),
                have_keys = self.have_keys(now),
                "session keys could not be fetched",
            );
        }
        if let Some(snapshot) = &*self.keys.load() {
            let _age = now.saturating_duration_since(snapshot.fetched_at);
            gauge!("clerk_keys_age_seconds", _age.as_secs_f64());
        }
        Some(pause)
    }

    /// The task of this number is gone: its runtime has ended, or its `Fetch` has panicked.
    pub(super) fn task_gone(&self, number: u64) {
        let mut state = self.lock();
        // A task that was asleep is missed when its next attempt is overdue.
        if state.task == number && state.task_gone(self.clock.monotonic(), random_fraction()) {
            self.set_overdue(&state);
            self.rounds.send_modify(|rounds| *rounds += 1);
        }
    }

    fn set_overdue(&self, state: &State) {
        let at = state.next_attempt.map_or(u64::MAX, |at| self.since_epoch(at));
        self.overdue_at.store(at, Ordering::Relaxed);
    }

    fn since_epoch(&self, at: Instant) -> u64 {
        let elapsed = at.saturating_duration_since(self.epoch).as_millis();
        u64::try_from(elapsed).unwrap_or(u64::MAX)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is plain numbers, whole after every assignment.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Snapshot {
    fn is_usable(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.fetched_at) < MAX_STALENESS
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let (_, task) = self.task.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(task) = task.take() {
            task.abort();
        }
    }
}

/// Without keys a `kid` cannot be called unknown.
fn without_keys(missing: MissingKey) -> MissingKey {
    match missing {
        MissingKey::Unknown => SOON,
        unavailable @ MissingKey::Unavailable { .. } => unavailable,
    }
}

/// No keys, and no attempt that says when there will be.
const SOON: MissingKey = MissingKey::Unavailable { retry_after: Duration::from_secs(1) };

/// Between 0 and 1, another each time: enough to keep a fleet from moving in step.
fn random_fraction() -> f64 {
    let bits = RandomState::new().build_hasher().finish() >> 11;
    bits as f64 / (1_u64 << 53) as f64
}
