//! Log lines that strangers can cause: one now and then for each kind, and how many were left out.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Decides which of many alike events get a line in the log: of each kind at most one every ten seconds.
#[derive(Debug)]
pub(crate) struct Samples<K> {
    /// By kind. There are few, and the lock is held for a moment.
    kinds: Mutex<Vec<(K, Sample)>>,
}

/// What was logged of one kind.
#[derive(Clone, Copy, Debug)]
struct Sample {
    logged_at: Instant,
    left_out: u64,
}

impl<K> Default for Samples<K> {
    fn default() -> Self {
        Self { kinds: Mutex::default() }
    }
}

impl<K: Copy + PartialEq> Samples<K> {
    /// Returns how many events of this kind were left out since its last line, or none where this one
    /// is to be left out too.
    pub(crate) fn left_out_before(&self, kind: K, now: Instant) -> Option<u64> {
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((_, sample)) = kinds.iter_mut().find(|(of, _)| *of == kind) else {
            kinds.push((kind, Sample { logged_at: now, left_out: 0 }));
            return Some(0);
        };
        if now.saturating_duration_since(sample.logged_at) < PAUSE {
            sample.left_out = sample.left_out.saturating_add(1);
            return None;
        }
        let left_out = sample.left_out;
        *sample = Sample { logged_at: now, left_out: 0 };
        Some(left_out)
    }
}

const PAUSE: Duration = Duration::from_secs(10);
