//! A clock that stands still until it is told otherwise.

use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime};

use crate::clock::{Clock, SystemClock};

/// A clock that is set by hand. Clones are not offered: share it in an `Arc`.
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
    /// A clock that shows the present moment and stays there.
    #[must_use]
    pub fn new() -> Self {
        let (wall, monotonic) = (SystemClock::new().now(), SystemClock::new().monotonic());
        Self { hands: Mutex::new(Hands { wall, monotonic }) }
    }

    /// Time passes: both clocks go on by `duration`.
    pub fn advance(&self, duration: Duration) {
        self.change(|hands| {
            hands.wall += duration;
            hands.monotonic += duration;
        });
    }

    /// Somebody sets the wall clock; no time passes.
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
