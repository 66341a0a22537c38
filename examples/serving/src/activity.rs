//! Whether a connection is used: which requests began on it, which are being handled, and whether a
//! head is on its way.
//!
//! Needed by rows F26, F27.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::Version;
use tokio::time::Instant;

/// Of one connection. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Activity(Arc<Counts>);

/// A request that is being handled; no longer when this is dropped.
pub(super) struct Handling(Arc<Counts>);

#[derive(Default)]
struct Counts {
    begun: AtomicU64,
    handled_now: AtomicUsize,
    http2: AtomicBool,
    /// When the first bytes came that no request has begun with yet.
    head: Mutex<Option<Instant>>,
}

impl Activity {
    /// Bytes came. While a request is handled they are of its body.
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

    /// How many requests have ever begun.
    pub(super) fn begun(&self) -> u64 {
        self.0.begun.load(Ordering::Relaxed)
    }

    /// Whether none has begun since there were so many, and none is being handled.
    pub(super) fn is_quiet_since(&self, begun: u64) -> bool {
        self.begun() == begun && self.0.handled_now.load(Ordering::Relaxed) == 0
    }

    /// Whether a head has been on its way for so long. Over HTTP/2 there is more to be heard than
    /// heads, and their frames come whole.
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
