//! What time it is. The only file that reads the system's clocks.

use std::fmt;
use std::time::{Instant, SystemTime};

/// A source of time, so that tests can say what time it is.
///
/// A token's `exp` is judged by [`now`](Self::now); every schedule (cool-downs, refreshes,
/// staleness) by [`monotonic`](Self::monotonic), which no clock adjustment moves.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The wall clock.
    fn now(&self) -> SystemTime;

    /// A clock that never goes back.
    fn monotonic(&self) -> Instant;
}

/// The operating system's clocks.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct SystemClock;

impl SystemClock {
    /// The operating system's clocks.
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
