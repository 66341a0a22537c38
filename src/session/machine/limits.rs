//! The limits on questions to Clerk: how many are under way, and how many begin within a second.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The questions that began within the last second.
#[derive(Debug)]
pub(super) struct Limits {
    each_second: usize,
    began: VecDeque<Instant>,
}

impl Limits {
    pub(super) fn new(each_second: usize) -> Self {
        Self { each_second, began: VecDeque::with_capacity(each_second) }
    }

    /// Notes that a question begins now, if one may while `under_way` are not answered.
    pub(super) fn begin(&mut self, under_way: usize, now: Instant) -> bool {
        if under_way >= AT_ONCE {
            return false;
        }
        let is_past = |began: &Instant| now.saturating_duration_since(*began) >= SECOND;
        while self.began.front().is_some_and(is_past) {
            self.began.pop_front();
        }
        if self.began.len() >= self.each_second {
            return false;
        }
        self.began.push_back(now);
        true
    }
}

/// The most questions that are under way.
pub(super) const AT_ONCE: usize = 16;
const SECOND: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock as _, SystemClock};

    #[test]
    fn in_no_second_do_more_begin_than_may() {
        let start = SystemClock::new().monotonic();
        let mut limits = Limits::new(5);
        let mut began: Vec<u64> = Vec::new();
        for ms in 0..5000 {
            if limits.begin(0, start + Duration::from_millis(ms)) {
                began.push(ms);
            }
        }
        assert_eq!(began.len(), 25);
        for window in began.windows(6) {
            assert!(window[5] - window[0] >= 1000, "{window:?}");
        }
    }

    #[test]
    fn no_more_than_sixteen_are_under_way() {
        let mut limits = Limits::new(50);
        let now = SystemClock::new().monotonic();
        assert!(limits.begin(15, now));
        assert!(!limits.begin(16, now));
    }
}
