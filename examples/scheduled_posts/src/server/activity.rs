//! Whether a connection is used: how many requests began on it, and how many are being handled.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Of one connection. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Activity(Arc<Counts>);

/// A request that is being handled; no longer when this is dropped.
pub(super) struct Handling(Arc<Counts>);

#[derive(Default)]
struct Counts {
    begun: AtomicU64,
    handled_now: AtomicUsize,
}

impl Activity {
    pub(super) fn begin(&self) -> Handling {
        self.0.begun.fetch_add(1, Ordering::Relaxed);
        self.0.handled_now.fetch_add(1, Ordering::Relaxed);
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
}

impl Drop for Handling {
    fn drop(&mut self) {
        self.0.handled_now.fetch_sub(1, Ordering::Relaxed);
    }
}
