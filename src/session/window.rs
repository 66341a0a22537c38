//! The times between which a token passes. Pure arithmetic in milliseconds since 1970.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// When a token passes, skew included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    /// From this millisecond on.
    pub(super) from: i64,
    /// Until just before this one.
    pub(super) until: i64,
}

impl Window {
    /// Whether a token passes now.
    pub(super) fn contains(self, now: SystemTime) -> bool {
        (self.from..self.until).contains(&milliseconds(now))
    }
}

/// Milliseconds since 1970, negative before.
pub(super) fn milliseconds(time: SystemTime) -> i64 {
    let whole = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => whole(since),
        Err(before) => -whole(before.duration()),
    }
}
