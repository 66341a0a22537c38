//! Doing it: the keys at hand, the one task that fetches, and those who wait for it.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::super::jwk::KeySet;
use super::super::{Lookup, MissingKey, PublicKey};
use super::state::{Decision, MAX_STALENESS, State};
use super::{FETCH_TIMEOUT, Fetch, FetchError};
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
    kick: Arc<Notify>,
    task: Mutex<Option<AbortHandle>>,
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
            kick: Arc::default(),
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
        let snapshot = self.keys.load();
        let snapshot = snapshot.as_ref()?;
        let now = self.clock.monotonic();
        if now.saturating_duration_since(snapshot.fetched_at) >= MAX_STALENESS {
            return None;
        }
        let key = snapshot.keys.get(kid)?;
        if self.since_epoch(now) >= self.overdue_at.load(Ordering::Relaxed) {
            self.start(&mut self.lock());
        }
        Some(Arc::clone(key))
    }

    /// A `kid` that is not at hand.
    pub(super) fn miss(&self, kid: &str) -> Lookup {
        match self.decide() {
            Ok(mut rounds) => {
                let this = self.this.clone();
                let kid: Box<str> = kid.into();
                Lookup::Pending(Box::pin(async move {
                    let _ended = rounds.changed().await;
                    let gone = MissingKey::Unavailable { retry_after: Duration::from_secs(1) };
                    let shared = this.upgrade().ok_or(gone)?;
                    shared.known(&kid).ok_or_else(|| shared.verdict())
                }))
            }
            Err(missing) => Lookup::Missing(missing),
        }
    }

    pub(super) async fn warm_up(&self) -> Result<(), MissingKey> {
        if self.have_keys() {
            return Ok(());
        }
        let _ended = self.decide()?.changed().await;
        if self.have_keys() { Ok(()) } else { Err(self.verdict()) }
    }

    /// Starts an attempt or joins the one under way, or says why neither.
    fn decide(&self) -> Result<watch::Receiver<u64>, MissingKey> {
        // Whether keys are at hand is asked under the lock: an attempt that has just ended is
        // then seen either as under way or with what it brought.
        let mut state = self.lock();
        let rounds = self.rounds.subscribe();
        match state.decide(self.clock.monotonic(), self.have_keys()) {
            Decision::Wait => Ok(rounds),
            Decision::Fetch if self.start(&mut state) => Ok(rounds),
            Decision::Fetch => Err(MissingKey::Unavailable { retry_after: Duration::from_secs(1) }),
            Decision::Refuse(missing) => Err(missing),
        }
    }

    fn have_keys(&self) -> bool {
        let now = self.clock.monotonic();
        let snapshot = self.keys.load();
        snapshot.as_ref().is_some_and(|snapshot| {
            now.saturating_duration_since(snapshot.fetched_at) < MAX_STALENESS
        })
    }

    /// After a wait: the `kid` is still not here. With keys the document lacks it; without, the
    /// attempt failed or the runtime that made it is gone.
    fn verdict(&self) -> MissingKey {
        match self.lock().verdict(self.clock.monotonic()) {
            MissingKey::Unknown if !self.have_keys() => {
                MissingKey::Unavailable { retry_after: Duration::from_secs(1) }
            }
            verdict => verdict,
        }
    }

    /// Has the task make an attempt now; false when there is no runtime to make it on.
    fn start(&self, state: &mut State) -> bool {
        if state.fetching {
            return true;
        }
        if !state.running {
            let Ok(runtime) = Handle::try_current() else {
                event!(error, "session keys cannot be fetched: no tokio runtime is running here");
                let later = self.clock.monotonic() + Duration::from_secs(1);
                self.overdue_at.store(self.since_epoch(later), Ordering::Relaxed);
                return false;
            };
            let running = Running(self.this.clone());
            let task = runtime.spawn(keep_fresh(running, Arc::clone(&self.kick)));
            *self.task.lock().unwrap_or_else(PoisonError::into_inner) = Some(task.abort_handle());
            state.running = true;
        } else {
            self.kick.notify_one();
        }
        state.fetching = true;
        self.overdue_at.store(u64::MAX, Ordering::Relaxed);
        true
    }

    /// The task is about to make an attempt of its own accord.
    fn attempt_starts(&self) -> Arc<dyn Fetch> {
        self.lock().fetching = true;
        self.overdue_at.store(u64::MAX, Ordering::Relaxed);
        self.fetch()
    }

    /// Takes in what an attempt brought; returns the pause until the next.
    fn attempt_ended(&self, outcome: Result<KeySet, FetchError>) -> Duration {
        let mut state = self.lock();
        let now = self.clock.monotonic();
        let pause = state.finished(now, outcome.is_ok(), random_fraction());
        let _outcome = if outcome.is_ok() { "success" } else { "failure" };
        count!("clerk_keys_fetches_total", "outcome" => _outcome);
        match outcome {
            Ok(keys) => self.keys.store(Some(Arc::new(Snapshot { keys, fetched_at: now }))),
            Err(_error) => event!(
                warn,
                error = %_error,
                failures = state.failures,
                retry_in_s = pause.as_secs(),
                have_keys = self.have_keys(),
                "session keys could not be fetched; keys at hand go on working",
            ),
        }
        if let Some(snapshot) = &*self.keys.load() {
            let _age = now.saturating_duration_since(snapshot.fetched_at);
            gauge!("clerk_keys_age_seconds", _age.as_secs_f64());
        }
        self.overdue_at.store(self.since_epoch(now + pause), Ordering::Relaxed);
        // Still under the lock: who subscribes after this sees only the attempts to come.
        self.rounds.send_modify(|rounds| *rounds += 1);
        pause
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

impl Drop for Shared {
    fn drop(&mut self) {
        let task = self.task.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(task) = task.take() {
            task.abort();
        }
    }
}

/// The task: an attempt, a pause, an attempt. It never holds what it works for across a wait.
async fn keep_fresh(running: Running, kick: Arc<Notify>) {
    loop {
        let Some(fetch) = running.0.upgrade().map(|shared| shared.attempt_starts()) else { return };
        let outcome = attempt(&*fetch).await;
        drop(fetch);
        let Some(pause) = running.0.upgrade().map(|shared| shared.attempt_ended(outcome)) else {
            return;
        };
        // A kick between the two is kept by the `Notify`.
        let _due = timeout(pause, kick.notified()).await;
    }
}

async fn attempt(fetch: &dyn Fetch) -> Result<KeySet, FetchError> {
    let late = |_| FetchError::new(format!("no answer within {} s", FETCH_TIMEOUT.as_secs()));
    let body = timeout(FETCH_TIMEOUT, fetch.fetch()).await.map_err(late)??;
    match KeySet::parse(&body) {
        Some(keys) if !keys.is_empty() => Ok(keys),
        Some(_) => Err(FetchError::new("the document holds no RS256 key of 2048 bits or more")),
        None => Err(FetchError::new("the answer is not a JWKS document")),
    }
}

/// Says that the task is gone, however it went: its end, a panic in a `Fetch`, the end of the
/// runtime that it was started on. Who waits looks again, and the next lookup starts a new one.
struct Running(Weak<Shared>);

impl Drop for Running {
    fn drop(&mut self) {
        let Some(shared) = self.0.upgrade() else { return };
        let mut state = shared.lock();
        state.running = false;
        state.fetching = false;
        shared.overdue_at.store(0, Ordering::Relaxed);
        shared.rounds.send_modify(|rounds| *rounds += 1);
    }
}

/// Between 0 and 1, another each time: enough to keep a fleet from moving in step.
fn random_fraction() -> f64 {
    let bits = RandomState::new().build_hasher().finish() >> 11;
    bits as f64 / (1_u64 << 53) as f64
}
