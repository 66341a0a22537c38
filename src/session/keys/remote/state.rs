//! The decisions on when to fetch keys. Pure; time is an argument.

use std::time::{Duration, Instant};

use super::super::MissingKey;
use super::times::FetchTimes;

/// The history, as far as the next decision depends on it.
#[derive(Clone, Debug, Default)]
pub(super) struct FetchState {
    times: FetchTimes,
    /// The number of the task that was started last. Results of older ones are ignored.
    pub(super) task: u64,
    /// Whether an attempt was started and has not ended.
    fetching: bool,
    /// The number of attempts that were started.
    started: u64,
    /// The value of `started` when the last attempt ended, successful or not.
    ended: u64,
    /// The number of attempts in a row that have failed.
    pub(super) failures: u32,
    /// The start of the last attempt that a miss caused.
    last_for_miss: Option<Instant>,
    /// The end of the last successful attempt.
    last_success: Option<Instant>,
    /// The time at which the next attempt is due; while one is under way, the time from which it
    /// counts as lost.
    pub(super) next_attempt: Option<Instant>,
}

/// The number of attempts that were started before a token came. Only a later one can tell that
/// the token's key does not exist: an earlier one may bring a document from before the key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Arrival(u64);

/// The reaction to a miss: a token that no key at hand has signed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// Start an attempt and wait for it.
    Fetch(Reason),
    /// Wait for the attempt that is under way.
    Wait,
    /// Refuse the token at once.
    Refuse(MissingKey),
}

/// The reason for an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// There are no keys, or they are old.
    Due,
    /// There may be a new key: this starts the cool-down.
    Miss,
}

impl FetchState {
    pub(super) fn new(times: FetchTimes) -> Self {
        Self { times, ..Self::default() }
    }

    /// Decides what to do about a miss: a `kid` that is not at hand, or a signature that the keys
    /// at hand did not make. `have_keys` is whether any keys are at hand.
    ///
    /// Without keys an attempt is made, except during the pause after a failed one. With keys there
    /// is a new key or the token is forged. One attempt is then made, and the next one for any
    /// token only after the cool-down, whether or not the first found the key. After a failure only
    /// scheduled attempts are made, until one succeeds.
    ///
    /// A token that came while an attempt was under way waits for it, and is judged by it only if
    /// its key was found or there is no further attempt to be had.
    pub(super) fn decide(&self, arrival: Arrival, now: Instant, have_keys: bool) -> Decision {
        if self.ended > arrival.0 {
            return Decision::Refuse(self.verdict(now));
        }
        if self.is_under_way(now) {
            return Decision::Wait;
        }
        if self.is_due(now) || (!have_keys && self.failures == 0) {
            return Decision::Fetch(Reason::Due);
        }
        if self.may_fetch_for_miss(now) {
            return Decision::Fetch(Reason::Miss);
        }
        Decision::Refuse(self.verdict(now))
    }

    /// Returns the arrival of a token that comes now.
    pub(super) fn arrival(&self) -> Arrival {
        Arrival(self.started)
    }

    /// Returns whether an attempt is under way that may still succeed. One that should have ended
    /// long ago counts as lost, because its task hangs.
    fn is_under_way(&self, now: Instant) -> bool {
        self.fetching && !self.is_due(now)
    }

    /// Returns whether the next attempt is due.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.next_attempt.is_some_and(|at| now >= at)
    }

    fn may_fetch_for_miss(&self, now: Instant) -> bool {
        let cooling = self.last_for_miss.is_some_and(|at| now < at + self.times.cool_down);
        self.failures == 0 && !cooling
    }

    /// Notes that an attempt starts.
    pub(super) fn started(&mut self, now: Instant, reason: Reason) {
        self.fetching = true;
        self.started += 1;
        self.next_attempt = Some(now + self.times.lost_after());
        if reason == Reason::Miss {
            self.last_for_miss = Some(now);
        }
    }

    /// Notes that the task begins: an attempt of its own, or the one for which it was started.
    pub(super) fn task_begins(&mut self, now: Instant) {
        if !self.fetching {
            self.started(now, Reason::Due);
        }
    }

    /// Returns why a key is missing now. While attempts fail, it is the server's fault.
    pub(super) fn verdict(&self, now: Instant) -> MissingKey {
        if self.failures == 0 {
            return MissingKey::Unknown;
        }
        let pause =
            self.next_attempt.map_or(Duration::ZERO, |at| at.saturating_duration_since(now));
        MissingKey::Unavailable { retry_after: pause.max(Duration::from_secs(1)) }
    }

    /// Notes a successful attempt and returns the pause until the next. `max_age` is how long the
    /// keys are fresh according to their server; `jitter` is between 0 and 1.
    pub(super) fn succeeded(
        &mut self,
        now: Instant,
        max_age: Option<Duration>,
        jitter: f64,
    ) -> Duration {
        self.failures = 0;
        self.last_success = Some(now);
        let interval = max_age.map_or(self.times.refresh_interval, |age| {
            age.clamp(SHORTEST_REFRESH, LONGEST_REFRESH)
        });
        // Well before the keys are too old to be used.
        let interval = interval.min(self.times.max_staleness / 2);
        self.pause(now, interval.mul_f64(0.9 + 0.2 * jitter))
    }

    /// Notes that the task is gone. Returns whether it left an attempt unfinished, which counts as
    /// a failure.
    pub(super) fn task_gone(&mut self, now: Instant, jitter: f64) -> bool {
        let unfinished = self.fetching;
        if unfinished {
            self.failed(now, None, jitter);
        }
        unfinished
    }

    /// Notes a failed attempt and returns the pause until the next. `retry_after` is the server's
    /// wish, of which less is granted while there are no keys.
    pub(super) fn failed(
        &mut self,
        now: Instant,
        retry_after: Option<Duration>,
        jitter: f64,
    ) -> Duration {
        let doubled = FIRST_PAUSE.saturating_mul(1 << self.failures.min(10));
        self.failures = self.failures.saturating_add(1);
        let own = doubled.min(LONGEST_PAUSE).mul_f64(0.75 + 0.5 * jitter);
        // Not much beyond the time at which the keys are too old.
        let left = self.last_success.map_or(Duration::ZERO, |at| {
            (at + self.times.max_staleness).saturating_duration_since(now)
        });
        let longest = LONGEST_WISH.min(left.max(LONGEST_COLD_WISH));
        self.pause(now, own.max(retry_after.unwrap_or_default().min(longest)))
    }

    fn pause(&mut self, now: Instant, pause: Duration) -> Duration {
        self.fetching = false;
        self.ended = self.started;
        self.next_attempt = Some(now + pause);
        pause
    }
}

/// The shortest and the longest pause that a server may set: a key must not outlive its removal by
/// much, and a `max-age=0` must not cause a fetch each second.
const SHORTEST_REFRESH: Duration = Duration::from_secs(60);
const LONGEST_REFRESH: Duration = Duration::from_secs(15 * 60);

/// The pause after the first failure; each further one doubles it.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause between failures.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The longest pause that a server may ask for, with keys that last as long and without: without them
/// every request is refused for as long.
const LONGEST_WISH: Duration = Duration::from_secs(300);
const LONGEST_COLD_WISH: Duration = Duration::from_secs(15);

#[cfg(test)]
mod tests;
