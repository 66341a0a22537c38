//! A limit that is counted in this process, by governor with the application's own table.

use std::time::Duration;

use governor::clock::{Clock, MonotonicClock};
use governor::middleware::NoOpMiddleware;
use governor::{Quota, RateLimiter};

use super::table::Table;
use crate::config::{Per, Rate};

/// A counter of requests per key.
#[derive(Debug)]
pub(super) struct Counter<C: Clock = MonotonicClock> {
    limiter: RateLimiter<String, Table, C, NoOpMiddleware<C::Instant>>,
}

impl Counter {
    pub(super) fn new(rate: Rate) -> Self {
        Self::with_clock(rate, MonotonicClock)
    }
}

impl<C: Clock> Counter<C> {
    pub(super) fn with_clock(rate: Rate, clock: C) -> Self {
        let table = Table::new(MOST_KEYS, SHARED_CELLS);
        Self { limiter: RateLimiter::new(quota(rate), table, clock) }
    }

    /// Counts a request that may pass, or returns the time to wait until one may.
    pub(super) fn take(&self, key: &String) -> Result<(), Duration> {
        let verdict = self.limiter.check_key(key);
        verdict.map_err(|until| until.wait_time_from(self.limiter.clock().now()))
    }

    /// Removes the keys that may make as many requests as a new one.
    pub(super) fn forget_idle(&self) {
        self.limiter.retain_recent();
    }
}

/// Returns a rate as a quota of governor.
pub(super) fn quota(rate: Rate) -> Quota {
    match rate.per {
        Per::Hour => Quota::per_hour(rate.requests),
        Per::Minute => Quota::per_minute(rate.requests),
        Per::Second => Quota::per_second(rate.requests),
    }
}

/// The most keys with their own count: some ten megabytes when full.
const MOST_KEYS: usize = 100_000;
const SHARED_CELLS: usize = 4096;

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use governor::clock::FakeRelativeClock;

    use super::*;

    fn counter(requests: u32, per: Per) -> (Counter<FakeRelativeClock>, FakeRelativeClock) {
        let clock = FakeRelativeClock::default();
        let rate = Rate::new(NonZeroU32::new(requests).unwrap(), per);
        (Counter::with_clock(rate, clock.clone()), clock)
    }

    fn takes(counter: &Counter<FakeRelativeClock>, key: &str, times: usize) -> usize {
        let key = key.to_owned();
        (0..times).filter(|_| counter.take(&key).is_ok()).count()
    }

    #[test]
    fn all_requests_of_an_hour_may_come_at_once_and_then_one_in_a_while() {
        let (counter, clock) = counter(100, Per::Hour);
        assert_eq!(takes(&counter, "a", 150), 100);
        assert_eq!(counter.take(&"a".to_owned()), Err(Duration::from_secs(36)));
        clock.advance(Duration::from_secs(35));
        assert_eq!(counter.take(&"a".to_owned()), Err(Duration::from_secs(1)));
        clock.advance(Duration::from_secs(1));
        assert_eq!(takes(&counter, "a", 5), 1);
        clock.advance(Duration::from_secs(360));
        assert_eq!(takes(&counter, "a", 20), 10);
        clock.advance(Duration::from_secs(36_000));
        assert_eq!(takes(&counter, "a", 150), 100);
    }

    #[test]
    fn f20_one_does_not_use_up_what_another_has() {
        let (counter, _) = counter(3, Per::Minute);
        assert_eq!(takes(&counter, "a", 1000), 3);
        assert_eq!(takes(&counter, "b", 2), 2);
        assert_eq!(takes(&counter, "a", 10), 0);
        assert_eq!(takes(&counter, "b", 2), 1);
    }

    #[test]
    fn f19_a_million_keys_take_bounded_room_and_nobody_goes_uncounted() {
        let (counter, clock) = counter(5, Per::Minute);
        assert_eq!(takes(&counter, "early", 10), 5);
        for n in 0..1_000_000 {
            let _ = counter.take(&format!("flood {n}"));
        }
        assert_eq!(counter.limiter.len(), MOST_KEYS);
        // Existing keys keep their counts; new keys share cells and are counted too.
        assert_eq!(takes(&counter, "early", 10), 0);
        assert_eq!(takes(&counter, "flood 1", 10), 4);
        let late: usize = (0..50_000).map(|n| takes(&counter, &format!("late {n}"), 2)).sum();
        assert!(late <= 5 * SHARED_CELLS, "{late}");
        // The shared cells recover as all do, and the place of an idle key is free for others.
        clock.advance(Duration::from_secs(120));
        assert_eq!(takes(&counter, "late 1", 10), 5);
        counter.forget_idle();
        assert_eq!(counter.limiter.len(), 0);
        // A new place does not reset the count.
        assert_eq!(takes(&counter, "late 1", 10), 0);
        assert_eq!(counter.limiter.len(), 0);
        clock.advance(Duration::from_secs(12));
        assert_eq!(takes(&counter, "late 1", 10), 1);
        assert_eq!(counter.limiter.len(), 1);
    }

    #[test]
    fn f19_a_full_table_locks_nobody_out_at_once() {
        let (counter, _) = counter(5, Per::Minute);
        for n in 0..MOST_KEYS {
            counter.take(&format!("flood {n}")).unwrap();
        }
        let passed = (0..500).filter(|n| counter.take(&format!("late {n}")).is_ok()).count();
        assert!(passed > 490, "{passed}");
    }
}
