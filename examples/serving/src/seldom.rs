//! A limit on log lines that any client on the internet can cause.
//!
//! Needed by fault C14.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// A minimum pause between two log lines about the same subject.
#[derive(Debug)]
pub struct Seldom {
    pause: Duration,
    last: Mutex<Last>,
}

#[derive(Debug, Default)]
struct Last {
    at: Option<Instant>,
    left_out: u64,
}

impl Seldom {
    /// Returns a pause that has not begun, so that the first line is written.
    #[must_use]
    pub const fn new(pause: Duration) -> Self {
        Self { pause, last: Mutex::new(Last { at: None, left_out: 0 }) }
    }

    /// Returns how many lines were left out since the last one, or `None` if this line is to be
    /// left out too.
    pub fn left_out(&self) -> Option<u64> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if last.at.is_some_and(|at| now.duration_since(at) < self.pause) {
            last.left_out = last.left_out.saturating_add(1);
            return None;
        }
        let left_out = last.left_out;
        *last = Last { at: Some(now), left_out: 0 };
        Some(left_out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_first_is_told_and_after_the_pause_one_that_counts_the_others() {
        let seldom = Seldom::new(Duration::from_secs(10));
        assert_eq!(seldom.left_out(), Some(0));
        assert_eq!(seldom.left_out(), None);
        assert_eq!(seldom.left_out(), None);
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!(seldom.left_out(), Some(2));
        assert_eq!(seldom.left_out(), None);
    }
}
