//! An instance's lock-outs, as its verifiers ask them.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use tokio::sync::watch;

use super::order::Lockout;
use super::shared::{RESTING, Shared};
use super::store::{LockoutError, LockoutStore};
use super::task::{self, PERIOD};
use super::view::{Bearer, Reason};
use crate::clock::{Clock, SystemClock};

/// The lock-outs that an instance of a server knows. Clones share them.
///
/// They are read from a store once a second while tokens are judged. While none are, nothing is read, so
/// that a database may sleep; the first request afterwards waits for a look, 250 ms at most. A store that
/// cannot be read refuses nobody.
#[derive(Clone)]
pub struct Lockouts {
    shared: Arc<Shared>,
}

impl Lockouts {
    /// Creates the lock-outs of a store, none of which is known yet.
    #[must_use]
    pub fn new(store: impl LockoutStore) -> Self {
        Self::with_clock(store, Arc::new(SystemClock::new()))
    }

    /// Does what [`new`](Self::new) does, with a clock by which the view ages.
    #[must_use]
    pub fn with_clock(store: impl LockoutStore, clock: Arc<dyn Clock>) -> Self {
        Self { shared: Arc::new(Shared::new(Box::new(store), clock)) }
    }

    /// Reads the lock-outs now: for a server that should not start without them, and for tests. Needs a
    /// tokio runtime with time.
    ///
    /// # Errors
    ///
    /// The store cannot be read, or does not answer within 5 s.
    pub async fn look(&self) -> Result<(), LockoutError> {
        self.shared.look().await
    }

    /// Adds a lock-out that is in the store, for this instance at once: for whoever has applied its event.
    pub fn add(&self, lockout: Lockout) {
        self.shared.add([lockout]);
    }

    /// Judges a session whose token was in order when the view was of the generation in `seen`, which is
    /// then brought up to date.
    pub(crate) fn judge<'a>(
        &self,
        seen: &AtomicU64,
        bearer: impl FnOnce() -> Bearer<'a>,
    ) -> Standing {
        // The flags make it unequal to every generation that was seen.
        if self.shared.state() == seen.load(Ordering::Relaxed) {
            return Standing::Good;
        }
        let Some(generation) = self.shared.note_judgement() else {
            return match self.begin_looking() {
                Some(first) => Standing::Unknown(PendingLook::new(first)),
                None => self.standing(bearer()),
            };
        };
        // Read after the generation, so it is at least as new.
        let standing = self.standing(bearer());
        if matches!(standing, Standing::Good) {
            seen.store(generation, Ordering::Relaxed);
        }
        standing
    }

    /// Returns the standing by the view of now, however old it is.
    pub(crate) fn standing(&self, bearer: Bearer<'_>) -> Standing {
        self.shared.bars(bearer).map_or(Standing::Good, Standing::Barred)
    }

    /// Waits until the bearer is barred.
    pub(crate) async fn bars(&self, bearer: Bearer<'_>) {
        let mut waiting = self.shared.wait();
        let mut has_begun = false;
        loop {
            waiting.changes.mark_unchanged();
            if self.shared.state() & RESTING != 0 {
                if has_begun {
                    // The task of the looks has died, and the next one may die at once too.
                    tokio::time::sleep(PERIOD).await;
                }
                has_begun = true;
                if let Some(first) = self.begin_looking() {
                    PendingLook::new(first).await;
                }
            }
            if self.shared.bars(bearer).is_some() {
                return;
            }
            // The sender lives as long as `self`.
            if waiting.changes.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }

    /// Starts the looks unless they have begun. Returns the end of the first one if it is to be waited for.
    fn begin_looking(&self) -> Option<watch::Receiver<bool>> {
        let looks = self.shared.looks();
        if self.shared.state() & RESTING == 0 {
            return None;
        }
        if looks.task.is_some() {
            return looks.first.clone();
        }
        if !task::start(&self.shared, looks) {
            return None;
        }
        self.shared.looks().first.clone()
    }
}

impl fmt::Debug for Lockouts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lockouts")
    }
}

/// What the lock-outs say about a token.
pub(crate) enum Standing {
    Barred(Reason),
    Good,
    /// The view is too old to say; a look is under way.
    Unknown(PendingLook),
}

/// A look that is under way, which is over in 250 ms at the latest.
pub(crate) struct PendingLook(Pin<Box<dyn Future<Output = ()> + Send>>);

impl PendingLook {
    fn new(mut first: watch::Receiver<bool>) -> Self {
        // Without a sender its task has ended.
        Self(Box::pin(async move { drop(first.wait_for(|ended| *ended).await) }))
    }
}

impl Future for PendingLook {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        ready!(self.0.as_mut().poll(cx));
        Poll::Ready(())
    }
}
