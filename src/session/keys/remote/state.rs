//! The decisions on when to fetch keys. Pure; time is an argument.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use super::super::MissingKey;
use super::fetch::FETCH_TIMEOUT;

/// The history, as far as the next decision depends on it.
#[derive(Clone, Debug, Default)]
pub(super) struct FetchState {
    /// The number of the task that was started last. Results of older ones are ignored.
    pub(super) task: u64,
    /// Whether an attempt was started and has not ended.
    fetching: bool,
    /// The number of attempts in a row that have failed.
    pub(super) failures: u32,
    /// The start of the last attempt that an unknown `kid` caused.
    last_for_kid: Option<Instant>,
    /// The end of the last successful attempt.
    last_success: Option<Instant>,
    /// The time at which the next attempt is due; while one is under way, the time from which it
    /// counts as lost.
    pub(super) next_attempt: Option<Instant>,
    /// Some of the `kid`s that the last document lacked.
    absent: HashSet<Box<str>>,
}

/// The reaction to a `kid` that is not at hand.
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
    Kid,
}

impl FetchState {
    /// Decides what to do about a `kid` that is not at hand. `have_keys` is whether any keys are.
    ///
    /// Without keys an attempt is made, except during the pause after a failed one. With keys the
    /// `kid` is new or made up. One attempt is then made for it, and the next one for any `kid`
    /// only after the cool-down, whether or not the first found the key. After a failure only
    /// scheduled attempts are made, until one succeeds.
    ///
    /// No attempt is made for a `kid` that was missing from the last document while that document
    /// is younger than the cool-down. So a client that repeats one made-up `kid` does not use up
    /// the attempt that a new key needs. A key published after its first token is looked for again
    /// once the document is older than that.
    pub(super) fn decide(&self, kid: &str, now: Instant, have_keys: bool) -> Decision {
        if self.is_under_way(now) {
            return Decision::Wait;
        }
        if self.is_due(now) || (!have_keys && self.failures == 0) {
            return Decision::Fetch(Reason::Due);
        }
        if self.may_fetch_for_kid(now) && !self.is_known_absent(kid, now) {
            return Decision::Fetch(Reason::Kid);
        }
        Decision::Refuse(self.verdict(now))
    }

    /// Returns whether an attempt is under way that may still succeed. One that should have ended
    /// long ago counts as lost, because its task hangs.
    pub(super) fn is_under_way(&self, now: Instant) -> bool {
        self.fetching && !self.is_due(now)
    }

    /// Returns whether the next attempt is due.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.next_attempt.is_some_and(|at| now >= at)
    }

    /// Returns whether an attempt may be made because of a `kid`, provided that keys are at hand.
    pub(super) fn may_fetch_for_kid(&self, now: Instant) -> bool {
        let cooling = self.last_for_kid.is_some_and(|at| now < at + KID_COOL_DOWN);
        self.failures == 0 && !cooling && !self.is_under_way(now)
    }

    fn is_known_absent(&self, kid: &str, now: Instant) -> bool {
        let young = self.last_success.is_some_and(|at| now < at + KID_COOL_DOWN);
        young && self.absent.contains(kid)
    }

    /// Notes that an attempt starts.
    pub(super) fn started(&mut self, now: Instant, reason: Reason) {
        self.fetching = true;
        self.next_attempt = Some(now + LOST_AFTER);
        if reason == Reason::Kid {
            self.last_for_kid = Some(now);
        }
    }

    /// Notes that the last document lacks this `kid`. Only a limited number is remembered; a flood
    /// of others does not push them out.
    pub(super) fn note_absent(&mut self, kid: &str) {
        if self.absent.len() < MAX_ABSENT && kid.len() <= MAX_KID_BYTES {
            self.absent.insert(kid.into());
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
        self.absent.clear();
        let interval = max_age.unwrap_or(REFRESH_INTERVAL).clamp(SHORTEST_REFRESH, LONGEST_REFRESH);
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
    /// wish.
    pub(super) fn failed(
        &mut self,
        now: Instant,
        retry_after: Option<Duration>,
        jitter: f64,
    ) -> Duration {
        let doubled = FIRST_PAUSE.saturating_mul(1 << self.failures.min(10));
        self.failures = self.failures.saturating_add(1);
        let own = doubled.min(LONGEST_PAUSE).mul_f64(0.75 + 0.5 * jitter);
        self.pause(now, own.max(retry_after.unwrap_or_default().min(LONGEST_WISH)))
    }

    fn pause(&mut self, now: Instant, pause: Duration) -> Duration {
        self.fetching = false;
        self.next_attempt = Some(now + pause);
        pause
    }
}

/// The pause between successful attempts if the server names none.
const REFRESH_INTERVAL: Duration = Duration::from_secs(300);

/// The shortest and the longest pause that a server may set: a key must not outlive its removal by
/// much, and a `max-age=0` must not cause a fetch each second.
const SHORTEST_REFRESH: Duration = Duration::from_secs(60);
const LONGEST_REFRESH: Duration = Duration::from_secs(15 * 60);

/// The time after the last success for which its keys may be used.
pub(super) const MAX_STALENESS: Duration = Duration::from_secs(24 * 60 * 60);

/// The time between attempts for unknown `kid`s: the cool-down.
const KID_COOL_DOWN: Duration = Duration::from_secs(30);

/// The pause after the first failure; each further one doubles it.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause between failures.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The longest pause that a server may ask for.
const LONGEST_WISH: Duration = Duration::from_secs(300);

/// The time after which an attempt counts as lost: twice its timeout.
const LOST_AFTER: Duration = FETCH_TIMEOUT.saturating_mul(2);

/// The number of absent `kid`s that are remembered, and the length of the longest, in bytes.
const MAX_ABSENT: usize = 1024;
const MAX_KID_BYTES: usize = 128;

#[cfg(test)]
mod tests;
