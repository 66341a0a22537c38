//! A clock that stands still until a test moves it.

use std::sync::{Mutex, MutexGuard};
#[cfg(feature = "remote")]
use std::task::{Poll, Waker};
use std::time::{Duration, Instant, SystemTime};

#[cfg(feature = "remote")]
use crate::clock::Reaches;
use crate::clock::{Clock, SystemClock};

/// A clock that a test sets. It is not `Clone`: share it in an `Arc`.
#[derive(Debug)]
pub struct ManualClock {
    hands: Mutex<Hands>,
}

#[derive(Debug)]
struct Hands {
    wall: SystemTime,
    monotonic: Instant,
    /// Those who wait for a time.
    #[cfg(feature = "remote")]
    waiting: Vec<Waker>,
}

impl ManualClock {
    /// Creates a clock that stands still at the current time.
    #[must_use]
    pub fn new() -> Self {
        let hands = Hands {
            wall: SystemClock::new().now(),
            monotonic: SystemClock::new().monotonic(),
            #[cfg(feature = "remote")]
            waiting: Vec::new(),
        };
        Self { hands: Mutex::new(hands) }
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
        let mut hands = self.hands();
        change(&mut hands);
        #[cfg(feature = "remote")]
        {
            let waiting = std::mem::take(&mut hands.waiting);
            drop(hands);
            waiting.into_iter().for_each(Waker::wake);
        }
    }

    fn hands(&self) -> MutexGuard<'_, Hands> {
        self.hands.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
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

    #[cfg(feature = "remote")]
    fn reaches(&self, time: SystemTime) -> Reaches<'_> {
        Box::pin(std::future::poll_fn(move |cx| {
            let mut hands = self.hands();
            if hands.wall >= time {
                return Poll::Ready(());
            }
            if !hands.waiting.iter().any(|waiting| waiting.will_wake(cx.waker())) {
                hands.waiting.push(cx.waker().clone());
            }
            Poll::Pending
        }))
    }
}
