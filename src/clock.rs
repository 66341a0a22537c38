//! The [`Clock`] trait, for what depends on the time, and the system's clocks.

use std::fmt;
#[cfg(feature = "remote")]
use std::pin::Pin;
#[cfg(feature = "remote")]
use std::time::Duration;
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

    /// Returns a future that completes when the wall clock has reached `time`, at once if it has
    /// already. It looks at the clock at least once a minute, because the clock may be adjusted, and the
    /// machine may sleep.
    ///
    /// Needs a tokio runtime with time by default, and completes by the timers of that.
    #[cfg(feature = "remote")]
    fn reaches(&self, time: SystemTime) -> Reaches<'_> {
        Box::pin(async move {
            while let Ok(left) = time.duration_since(self.now())
                && !left.is_zero()
            {
                tokio::time::sleep(left.min(LONGEST_SLEEP)).await;
            }
        })
    }
}

/// The future of [`Clock::reaches`].
#[cfg(feature = "remote")]
pub type Reaches<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

#[cfg(feature = "remote")]
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

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
