//! The use of a connection: how many requests have begun on it, how many are being handled, and
//! whether a head is arriving.
//!
//! Needed by rows F26, F27.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::Version;
use tokio::time::Instant;

/// The activity of one connection. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Activity(Arc<Counts>);

/// A guard for a request that is being handled, until it is dropped.
pub(super) struct Handling(Arc<Counts>);

#[derive(Default)]
struct Counts {
    begun: AtomicU64,
    handled_now: AtomicUsize,
    http2: AtomicBool,
    /// When the first bytes arrived of a request that has not begun yet.
    head: Mutex<Option<Instant>>,
}

impl Activity {
    /// Records that bytes arrived. While a request is handled they belong to its body.
    pub(super) fn heard(&self) {
        if self.0.handled_now.load(Ordering::Relaxed) == 0 {
            self.0.head().get_or_insert_with(Instant::now);
        }
    }

    pub(super) fn begin(&self, version: Version) -> Handling {
        self.0.http2.store(version == Version::HTTP_2, Ordering::Relaxed);
        self.0.begun.fetch_add(1, Ordering::Relaxed);
        self.0.handled_now.fetch_add(1, Ordering::Relaxed);
        *self.0.head() = None;
        Handling(Arc::clone(&self.0))
    }

    /// Returns how many requests have begun in all.
    pub(super) fn begun(&self) -> u64 {
        self.0.begun.load(Ordering::Relaxed)
    }

    /// Returns whether no request has begun since the count was `begun`, and none is being handled.
    pub(super) fn is_quiet_since(&self, begun: u64) -> bool {
        self.begun() == begun && self.0.handled_now.load(Ordering::Relaxed) == 0
    }

    /// Returns whether a head has been arriving for at least `limit`. Always false for HTTP/2,
    /// which has other frames than heads and sends each frame whole.
    pub(super) fn head_lasts(&self, limit: Duration) -> bool {
        let head = *self.0.head();
        !self.0.http2.load(Ordering::Relaxed) && head.is_some_and(|began| began.elapsed() >= limit)
    }
}

impl Counts {
    fn head(&self) -> MutexGuard<'_, Option<Instant>> {
        self.head.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Handling {
    fn drop(&mut self) {
        self.0.handled_now.fetch_sub(1, Ordering::Relaxed);
    }
}
