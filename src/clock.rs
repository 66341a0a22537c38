//! The [`Clock`] trait and the system's clocks, which only this file reads.

use std::fmt;
use std::time::{Instant, SystemTime};

/// A source of time, which tests can replace.
///
/// A token's times, such as `exp`, are compared with [`now`](Self::now). Every schedule
/// (cool-downs, refreshes, staleness) uses [`monotonic`](Self::monotonic), which no clock
/// adjustment moves.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// Returns the time of the wall clock.
    fn now(&self) -> SystemTime;

    /// Returns the time of a clock that never goes back.
    fn monotonic(&self) -> Instant;
}

/// The operating system's clocks.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct SystemClock;

impl SystemClock {
    /// Returns the operating system's clocks.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    fn monotonic(&self) -> Instant {
        Instant::now()
    }
}
