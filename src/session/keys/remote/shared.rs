//! The data that the clones of a key source share with the task that fetches: the keys at hand, the
//! state that decides when to fetch, and the channel that wakes waiters. Starts nothing.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::AbortHandle;

use super::super::Candidates;
use super::super::jwk::KeySet;
use super::fetch::{Fetch, FetchError};
use super::state::{FetchState, Reason};
use super::times::FetchTimes;
use crate::clock::Clock;
use crate::meter::{count, gauge};
use crate::trace::event;

/// The data that all clones of a source share. Only clones hold it: the task has a weak reference,
/// so that it ends with the last of them.
pub(super) struct Shared {
    keys: ArcSwapOption<Snapshot>,
    /// [`FetchState::next_attempt`] in milliseconds since `epoch`. From then on a lookup starts the
    /// attempt if the task has not.
    overdue_at: AtomicU64,
    epoch: Instant,
    state: Mutex<FetchState>,
    /// The reason why the last attempt failed.
    last_failure: ArcSwapOption<FetchError>,
    /// Counts the attempts that ended, successful or not. Waiters wait for a change.
    attempts_ended: watch::Sender<u64>,
    /// The task that was started last, and its number.
    task: Mutex<(u64, Option<AbortHandle>)>,
    /// The places of requests that wait although keys are at hand.
    places: Arc<Semaphore>,
    fetch: Arc<dyn Fetch>,
    times: FetchTimes,
    clock: Arc<dyn Clock>,
}

/// The keys of one successful attempt.
struct Snapshot {
    keys: KeySet,
    fetched_at: Instant,
}

/// The keys that a successful attempt returned, and how long they are fresh.
pub(super) struct FetchedKeys {
    pub(super) keys: KeySet,
    pub(super) max_age: Option<Duration>,
}

impl Shared {
    pub(super) fn new(fetch: Arc<dyn Fetch>, times: FetchTimes, clock: Arc<dyn Clock>) -> Self {
        Self {
            keys: ArcSwapOption::empty(),
            overdue_at: AtomicU64::new(u64::MAX),
            epoch: clock.monotonic(),
            state: Mutex::new(FetchState::new(times.clone())),
            last_failure: ArcSwapOption::empty(),
            attempts_ended: watch::Sender::new(0),
            task: Mutex::default(),
            places: Arc::new(Semaphore::new(MAX_WAITING)),
            fetch,
            times,
            clock,
        }
    }

    pub(super) fn fetch(&self) -> Arc<dyn Fetch> {
        Arc::clone(&self.fetch)
    }

    pub(super) fn times(&self) -> &FetchTimes {
        &self.times
    }

    pub(super) fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    pub(super) fn now(&self) -> Instant {
        self.clock.monotonic()
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, FetchState> {
        // The state is plain numbers, whole after every assignment.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Locks the state unless it is locked.
    pub(super) fn try_lock(&self) -> Option<MutexGuard<'_, FetchState>> {
        match self.state.try_lock() {
            Ok(state) => Some(state),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Passes the keys with this `kid` to `look`, if there are any that are not too old. Takes no
    /// lock.
    pub(super) fn at_hand<T>(
        &self,
        kid: &str,
        now: Instant,
        look: impl FnOnce(&Candidates) -> T,
    ) -> Option<T> {
        let snapshot = self.keys.load();
        let snapshot = snapshot.as_ref().filter(|snapshot| self.is_usable(snapshot, now))?;
        snapshot.keys.get(kid).map(look)
    }

    /// Returns whether there are any keys that are not too old.
    pub(super) fn have_keys(&self, now: Instant) -> bool {
        self.keys.load().as_ref().is_some_and(|snapshot| self.is_usable(snapshot, now))
    }

    /// Returns whether the task should have made its next attempt by now. Takes no lock.
    pub(super) fn is_overdue(&self, now: Instant) -> bool {
        self.since_epoch(now) >= self.overdue_at.load(Ordering::Relaxed)
    }

    fn is_usable(&self, snapshot: &Snapshot, now: Instant) -> bool {
        now.saturating_duration_since(snapshot.fetched_at) < self.times.max_staleness
    }

    /// Returns a place to wait in while keys are at hand; `None` if all are taken. Dropping it
    /// gives it back.
    pub(super) fn place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.places).try_acquire_owned().ok()
    }

    /// Returns a receiver that changes when an attempt ends.
    pub(super) fn subscribe(&self) -> watch::Receiver<u64> {
        self.attempts_ended.subscribe()
    }

    /// Returns why the last attempt failed; `None` if it succeeded or there was none.
    pub(super) fn last_failure(&self) -> Option<Arc<FetchError>> {
        self.last_failure.load_full()
    }

    /// Gives a new task its number and returns it. Notes that this task makes an attempt.
    pub(super) fn register_task(
        &self,
        state: &mut FetchState,
        now: Instant,
        reason: Reason,
    ) -> u64 {
        state.task += 1;
        state.started(now, reason);
        self.set_overdue(state);
        state.task
    }

    /// Notes that no task can be started before a second has passed.
    pub(super) fn task_cannot_start(&self, now: Instant) {
        let later = self.since_epoch(now + Duration::from_secs(1));
        self.overdue_at.store(later, Ordering::Relaxed);
    }

    /// Keeps the handle of a started task, and aborts the one with the lower number.
    pub(super) fn keep_task(&self, number: u64, handle: AbortHandle) {
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        let older = if task.0 < number {
            std::mem::replace(&mut *task, (number, Some(handle))).1
        } else {
            Some(handle)
        };
        drop(task);
        if let Some(older) = older {
            older.abort();
        }
    }

    /// Notes that the task with this number begins an attempt; returns the client and the time that
    /// it may take, or `None` if a newer task has taken over.
    pub(super) fn begin_attempt(&self, number: u64) -> Option<(Arc<dyn Fetch>, Duration)> {
        let mut state = self.lock();
        if state.task != number {
            return None;
        }
        state.task_begins(self.now());
        self.set_overdue(&state);
        Some((self.fetch(), self.times.timeout))
    }

    /// Stores the result of an attempt and returns the pause before the next, or `None` if a newer
    /// task has taken over.
    pub(super) fn end_attempt(
        &self,
        number: u64,
        outcome: Result<FetchedKeys, FetchError>,
    ) -> Option<Duration> {
        let _outcome = if outcome.is_ok() { "success" } else { "failure" };
        count!("clerk_keys_fetches_total", "outcome" => _outcome);
        let mut state = self.lock();
        if state.task != number {
            return None;
        }
        let now = self.now();
        let _failures_before = state.failures;
        let (pause, problem) = match outcome {
            Ok(FetchedKeys { keys, max_age }) => {
                let keys = match &*self.keys.load() {
                    Some(older) => keys.keeping(&older.keys),
                    None => keys,
                };
                self.keys.store(Some(Arc::new(Snapshot { keys, fetched_at: now })));
                self.last_failure.store(None);
                (state.succeeded(now, max_age, random_fraction()), None)
            }
            Err(error) => {
                let error = Arc::new(error);
                self.last_failure.store(Some(Arc::clone(&error)));
                (state.failed(now, error.retry_after, random_fraction()), Some(error))
            }
        };
        self.set_overdue(&state);
        let _failures = state.failures;
        // Still under the lock: a waiter that subscribes after this sees only later attempts.
        self.attempts_ended.send_modify(|ended| *ended += 1);
        drop(state);

        if let Some(_error) = problem {
            event!(
                warn,
                error = crate::error::with_causes(&*_error),
                failures = _failures,
                retry_in_s = pause.as_secs(),
                have_keys = self.have_keys(now),
                "session keys could not be fetched",
            );
        } else if _failures_before > 0 {
            event!(info, failures = _failures_before, "session keys were fetched again");
        }
        if let Some(snapshot) = &*self.keys.load() {
            let _age = now.saturating_duration_since(snapshot.fetched_at);
            gauge!("clerk_keys_age_seconds", _age.as_secs_f64());
        }
        Some(pause)
    }

    /// Notes that the task with this number is gone: its runtime has ended, or its [`Fetch`] has
    /// panicked. An attempt that it left unfinished counts as a failure; a task that was asleep is
    /// replaced when its next attempt is overdue.
    pub(super) fn forget_task(&self, number: u64) {
        let mut state = self.lock();
        if state.task == number && state.task_gone(self.now(), random_fraction()) {
            let gone = FetchError::new("the task that fetches ended: its runtime, or by a panic");
            self.last_failure.store(Some(Arc::new(gone)));
            self.set_overdue(&state);
            self.attempts_ended.send_modify(|ended| *ended += 1);
        }
    }

    fn set_overdue(&self, state: &FetchState) {
        let at = state.next_attempt.map_or(u64::MAX, |at| self.since_epoch(at));
        self.overdue_at.store(at, Ordering::Relaxed);
    }

    fn since_epoch(&self, at: Instant) -> u64 {
        let elapsed = at.saturating_duration_since(self.epoch).as_millis();
        u64::try_from(elapsed).unwrap_or(u64::MAX)
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

/// The number of requests that may wait for a key while others have theirs: with keys at hand most
/// of them are forged.
const MAX_WAITING: usize = 1024;

/// Returns a different number between 0 and 1 each time, so that a fleet does not move in step.
fn random_fraction() -> f64 {
    let bits = RandomState::new().build_hasher().finish() >> 11;
    bits as f64 / (1_u64 << 53) as f64
}
