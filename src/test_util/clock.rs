//! A clock that stands still until a test moves it.

use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime};

use crate::clock::{Clock, SystemClock};

/// A clock that a test sets. It is not `Clone`: share it in an `Arc`.
#[derive(Debug)]
pub struct ManualClock {
    hands: Mutex<Hands>,
}

#[derive(Clone, Copy, Debug)]
struct Hands {
    wall: SystemTime,
    monotonic: Instant,
}

impl ManualClock {
    /// Creates a clock that stands still at the current time.
    #[must_use]
    pub fn new() -> Self {
        let (wall, monotonic) = (SystemClock::new().now(), SystemClock::new().monotonic());
        Self { hands: Mutex::new(Hands { wall, monotonic }) }
    }

    /// Advances the wall clock and the monotonic clock by `duration`.
    pub fn advance(&self, duration: Duration) {
        self.change(|hands| {
            hands.wall += duration;
            hands.monotonic += duration;
        });
    }

    /// Sets the wall clock alone, as an adjustment of the system's clock does.
    pub fn set_wall(&self, wall: SystemTime) {
        self.change(|hands| hands.wall = wall);
    }

    fn change(&self, change: impl FnOnce(&mut Hands)) {
        change(&mut self.hands.lock().unwrap_or_else(|poisoned| poisoned.into_inner()));
    }

    fn hands(&self) -> Hands {
        *self.hands.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for ManualClock {
    fn now(&self) -> SystemTime {
        self.hands().wall
    }

    fn monotonic(&self) -> Instant {
        self.hands().monotonic
    }
}
