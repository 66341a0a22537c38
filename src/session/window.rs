//! The window of time in which a token is valid. Pure arithmetic in milliseconds since 1970.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The window of time in which a token is valid, skew included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    /// The first millisecond.
    pub(super) from: i64,
    /// The first millisecond after the window.
    pub(super) until: i64,
}

impl Window {
    /// Returns the end of the window.
    #[cfg(feature = "remote")]
    pub(super) fn end(self) -> SystemTime {
        let distance = Duration::from_millis(self.until.unsigned_abs());
        let end = if self.until < 0 {
            UNIX_EPOCH.checked_sub(distance)
        } else {
            UNIX_EPOCH.checked_add(distance)
        };
        end.unwrap_or(UNIX_EPOCH)
    }

    /// Returns whether `now` is in the window.
    pub(super) fn contains(self, now: SystemTime) -> bool {
        (self.from..self.until).contains(&milliseconds(now))
    }
}

/// Returns a time in milliseconds since 1970, negative before.
pub(super) fn milliseconds(time: SystemTime) -> i64 {
    let whole = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => whole(since),
        Err(before) => -whole(before.duration()),
    }
}
