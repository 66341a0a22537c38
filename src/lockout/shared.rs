//! What the looks write and the requests read.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::watch;

use super::order::Lockout;
use super::store::{LockoutError, Store};
use super::view::{Bearer, LIFETIME, Reason, View};
use crate::clock::Clock;
use crate::meter::gauge;
use crate::sampling::Samples;
use crate::trace::event;

/// The view, and the state of the looks.
pub(super) struct Shared {
    /// The generation of the view in the upper bits, and the flags [`UNSEEN`] and [`RESTING`]: what a
    /// request compares with what it has seen.
    state: AtomicU64,
    view: RwLock<View>,
    store: Box<dyn Store>,
    clock: Arc<dyn Clock>,
    looks: Mutex<Looks>,
    /// The generation, for those who wait for a change.
    changes: watch::Sender<u64>,
    /// The number of those who wait: while there are any, nobody rests.
    waiting: AtomicUsize,
    failures: Samples<()>,
}

/// The looks of now.
#[derive(Default)]
pub(super) struct Looks {
    /// The number of the task that looks, if there is one.
    pub(super) task: Option<u64>,
    tasks: u64,
    /// The end of the task's first look.
    pub(super) first: Option<watch::Receiver<bool>>,
    /// When the last look that succeeded began.
    last: Option<(Instant, SystemTime)>,
}

impl Shared {
    pub(super) fn new(store: Box<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self {
            state: AtomicU64::new(GENERATION | RESTING),
            view: RwLock::default(),
            store,
            clock,
            looks: Mutex::default(),
            changes: watch::Sender::new(0),
            waiting: AtomicUsize::new(0),
            failures: Samples::default(),
        }
    }

    /// Returns the state as a request compares it: without flags it is a generation that was seen.
    pub(super) fn state(&self) -> u64 {
        self.state.load(Ordering::Acquire)
    }

    /// Notes that a token is judged. Returns the generation, or `None` while nobody looks.
    pub(super) fn note_judgement(&self) -> Option<u64> {
        let before = self.state.load(Ordering::Acquire);
        let before = match before & UNSEEN {
            0 => before,
            _ => self.state.fetch_and(!UNSEEN, Ordering::AcqRel),
        };
        (before & RESTING == 0).then_some(before & !UNSEEN)
    }

    pub(super) fn bars(&self, bearer: Bearer<'_>) -> Option<Reason> {
        self.view.read().unwrap_or_else(PoisonError::into_inner).bars(bearer)
    }

    /// Adds lock-outs, which all requests from now on see.
    pub(super) fn add(&self, lockouts: impl IntoIterator<Item = Lockout>) {
        let now = self.clock.monotonic();
        let mut view = self.view.write().unwrap_or_else(PoisonError::into_inner);
        let mut has_news = false;
        for lockout in lockouts {
            has_news |= view.add(lockout, now);
        }
        if has_news {
            // Only news take memory.
            view.forget(now);
        }
        drop(view);
        if has_news {
            // After the view: who sees this generation sees these.
            self.state.fetch_add(GENERATION, Ordering::AcqRel);
            self.changes.send_modify(|generation| *generation += 1);
        }
    }

    /// Reads the lock-outs that may be new.
    pub(super) async fn look(&self) -> Result<(), LockoutError> {
        let begin = (self.clock.monotonic(), self.clock.now());
        let last = self.looks().last;
        let age = last.map_or(LIFETIME, |last| apart(last, begin).saturating_add(OVERLAP));
        let read = tokio::time::timeout(LIMIT, self.store.within(age.min(LIFETIME)));
        let read = read.await.unwrap_or_else(|_| Err(LockoutError::new("no answer within 5 s")));
        let outcome = match read {
            Ok(lockouts) => {
                self.add(lockouts);
                self.looks().last = Some(begin);
                Ok(())
            }
            Err(error) => Err(error),
        };
        if let Err(error) = &outcome
            && let Some(_left_out) = self.failures.left_out_before((), self.clock.monotonic())
        {
            event!(
                warn,
                left_out = _left_out,
                "{error}; nobody is refused for it, and users who are signed out meanwhile stay in \
                 until their tokens expire",
            );
            let _ = error;
        }
        let now = (self.clock.monotonic(), self.clock.now());
        let _age = self.looks().last.map_or(LIFETIME, |last| apart(last, now));
        gauge!("clerk_lockouts_age_seconds", _age.as_secs_f64());
        outcome
    }

    /// Registers a task that looks; the first look's end is told by the sender.
    pub(super) fn register(&self, looks: &mut Looks) -> (u64, watch::Sender<bool>) {
        let (end, first) = watch::channel(false);
        looks.tasks += 1;
        looks.task = Some(looks.tasks);
        looks.first = Some(first);
        (looks.tasks, end)
    }

    /// Lets requests pass without waiting: the first look has ended, or has taken too long.
    pub(super) fn first_look_ended(&self) {
        self.state.fetch_and(!(RESTING | UNSEEN), Ordering::AcqRel);
    }

    /// Returns whether nothing was judged since the last question, and then lets the next request start the
    /// looks again.
    pub(super) fn rests(&self) -> bool {
        let mut looks = self.looks();
        if self.waiting.load(Ordering::Acquire) == 0 {
            let rest = |state| (state & UNSEEN != 0).then_some(state | RESTING);
            if self.state.fetch_update(Ordering::AcqRel, Ordering::Acquire, rest).is_ok() {
                looks.task = None;
                return true;
            }
        }
        drop(looks);
        self.state.fetch_or(UNSEEN, Ordering::AcqRel);
        false
    }

    /// Notes that a task has ended, however it did: the next request starts another.
    pub(super) fn task_ended(&self, number: u64) {
        let mut looks = self.looks();
        if looks.task == Some(number) {
            looks.task = None;
            self.state.fetch_or(RESTING, Ordering::AcqRel);
            // Who waits starts another.
            self.changes.send_modify(|_| {});
        }
    }

    pub(super) fn looks(&self) -> MutexGuard<'_, Looks> {
        self.looks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns a receiver of changes, while which the looks go on.
    pub(super) fn wait(self: &Arc<Self>) -> Waiting {
        // Under the lock, so that whoever is about to rest either sees this or has set its flag.
        let _looks = self.looks();
        self.waiting.fetch_add(1, Ordering::AcqRel);
        Waiting { shared: Arc::clone(self), changes: self.changes.subscribe() }
    }
}

/// Somebody who waits for a change.
pub(super) struct Waiting {
    shared: Arc<Shared>,
    pub(super) changes: watch::Receiver<u64>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.shared.waiting.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Returns how long one time is after another: the clock that never goes back may stand still while the
/// machine sleeps.
fn apart(before: (Instant, SystemTime), after: (Instant, SystemTime)) -> Duration {
    let by_wall = after.1.duration_since(before.1).unwrap_or_default();
    after.0.saturating_duration_since(before.0).max(by_wall)
}

/// Nothing was judged since the last look.
const UNSEEN: u64 = 1;
/// Nobody looks, or the first look has not ended.
pub(super) const RESTING: u64 = 2;
/// One generation of the view.
const GENERATION: u64 = 4;

/// How far a look reaches back before the last one: longer than a transaction takes that was begun before it
/// and commits after it.
const OVERLAP: Duration = Duration::from_secs(30);

/// The longest time for a look.
const LIMIT: Duration = Duration::from_secs(5);
