//! Sampling of log lines that clients can cause, with a count of those that were left out.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A sampler that allows one log line every ten seconds for each kind of event.
#[derive(Debug)]
pub(crate) struct Samples<K> {
    /// The last line of each kind. There are few kinds, and the lock is held briefly.
    kinds: Mutex<Vec<(K, LogSample)>>,
}

/// The last log line of one kind, and the number of events left out since.
#[derive(Clone, Copy, Debug)]
struct LogSample {
    logged_at: Instant,
    left_out: u64,
}

impl<K> Default for Samples<K> {
    fn default() -> Self {
        Self { kinds: Mutex::default() }
    }
}

impl<K: Copy + PartialEq> Samples<K> {
    /// Returns how many events of this kind were left out since its last line; `None` if this event
    /// should be left out too.
    pub(crate) fn left_out_before(&self, kind: K, now: Instant) -> Option<u64> {
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((_, sample)) = kinds.iter_mut().find(|(of, _)| *of == kind) else {
            kinds.push((kind, LogSample { logged_at: now, left_out: 0 }));
            return Some(0);
        };
        if now.saturating_duration_since(sample.logged_at) < PAUSE {
            sample.left_out = sample.left_out.saturating_add(1);
            return None;
        }
        let left_out = sample.left_out;
        *sample = LogSample { logged_at: now, left_out: 0 };
        Some(left_out)
    }
}

const PAUSE: Duration = Duration::from_secs(10);
