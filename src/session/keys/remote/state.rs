//! When to fetch: the decisions, without any doing. Pure; time comes in as an argument.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use super::super::MissingKey;
use super::fetch::FETCH_TIMEOUT;

/// What has happened so far, as far as the next decision depends on it.
#[derive(Clone, Debug, Default)]
pub(super) struct FetchState {
    /// The number of the task whose word counts: the one that was started last.
    pub(super) task: u64,
    /// An attempt was started and has not ended.
    fetching: bool,
    /// How many attempts in a row have failed.
    pub(super) failures: u32,
    /// When the last attempt that an unknown `kid` caused was started.
    last_for_kid: Option<Instant>,
    /// When the last attempt that brought keys ended.
    last_success: Option<Instant>,
    /// When the next attempt is due; while one is under way, when it must be taken for lost.
    pub(super) next_attempt: Option<Instant>,
    /// Some of the `kid`s that the document lacked when it was fetched last.
    absent: HashSet<Box<str>>,
}

/// What to do about a `kid` that is not at hand.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// Start an attempt and wait for it.
    Fetch(Reason),
    /// Wait for the attempt that is under way.
    Wait,
    /// Answer at once.
    Refuse(MissingKey),
}

/// Why an attempt is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// There are no keys, or they are old.
    Due,
    /// There may be a new key: this starts the cool-down.
    Kid,
}

impl FetchState {
    /// Decides about a `kid` that is not at hand; `have_keys` says whether any are.
    ///
    /// Without keys an attempt is made unless the pause after a failure lasts. With keys the `kid`
    /// is new or made up, so that one attempt is made for it and the next such only after the
    /// cool-down, whether it brought anything or not; while attempts fail, none but those of the
    /// schedule. A `kid` that a document younger than the cool-down lacks is worth none: who keeps
    /// sending one cannot use up the attempt that a new key needs, and a key that is published
    /// after its first token is not locked out for longer.
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

    /// Whether an attempt is being made that may still bring something. One that ought to have
    /// ended long ago never will: whoever made it stands still.
    pub(super) fn is_under_way(&self, now: Instant) -> bool {
        self.fetching && !self.is_due(now)
    }

    /// Whether the time of the next attempt has come.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.next_attempt.is_some_and(|at| now >= at)
    }

    /// Whether an attempt may be made because of a `kid`, given that keys are at hand.
    pub(super) fn may_fetch_for_kid(&self, now: Instant) -> bool {
        let cooling = self.last_for_kid.is_some_and(|at| now < at + KID_COOL_DOWN);
        self.failures == 0 && !cooling && !self.is_under_way(now)
    }

    fn is_known_absent(&self, kid: &str, now: Instant) -> bool {
        let young = self.last_success.is_some_and(|at| now < at + KID_COOL_DOWN);
        young && self.absent.contains(kid)
    }

    /// An attempt starts.
    pub(super) fn started(&mut self, now: Instant, reason: Reason) {
        self.fetching = true;
        self.next_attempt = Some(now + LOST_AFTER);
        if reason == Reason::Kid {
            self.last_for_kid = Some(now);
        }
    }

    /// The document has been fetched and lacks this `kid`. Only so many are remembered: a flood
    /// of others does not push them out.
    pub(super) fn is_absent(&mut self, kid: &str) {
        if self.absent.len() < MAX_ABSENT && kid.len() <= MAX_KID_BYTES {
            self.absent.insert(kid.into());
        }
    }

    /// Why a key is missing, as things stand: nobody's fault but ours while attempts fail.
    pub(super) fn verdict(&self, now: Instant) -> MissingKey {
        if self.failures == 0 {
            return MissingKey::Unknown;
        }
        let pause =
            self.next_attempt.map_or(Duration::ZERO, |at| at.saturating_duration_since(now));
        MissingKey::Unavailable { retry_after: pause.max(Duration::from_secs(1)) }
    }

    /// An attempt brought keys; returns the pause until the next. `max_age` is what the server
    /// says of how long they are fresh, `jitter` is between 0 and 1.
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

    /// The task is gone; whether it left an attempt unfinished, which is a failure like any other.
    pub(super) fn task_gone(&mut self, now: Instant, jitter: f64) -> bool {
        let unfinished = self.fetching;
        if unfinished {
            self.failed(now, None, jitter);
        }
        unfinished
    }

    /// An attempt failed; returns the pause until the next. `retry_after` is the server's wish.
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

/// How often the document is fetched while all is well and its server does not say.
const REFRESH_INTERVAL: Duration = Duration::from_secs(300);

/// What a server may say of it: a key must not outlive its removal by much, nor may a `max-age=0`
/// mean a fetch a second.
const SHORTEST_REFRESH: Duration = Duration::from_secs(60);
const LONGEST_REFRESH: Duration = Duration::from_secs(15 * 60);

/// How long after the last success its keys may still be used.
pub(super) const MAX_STALENESS: Duration = Duration::from_secs(24 * 60 * 60);

/// How long one attempt for an unknown `kid` bars the next.
const KID_COOL_DOWN: Duration = Duration::from_secs(30);

/// The pause after a first failure; it doubles from there.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause between failures.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The longest pause that a server may wish for.
const LONGEST_WISH: Duration = Duration::from_secs(300);

/// An attempt that has not ended by then never will: twice the time that it is given.
const LOST_AFTER: Duration = FETCH_TIMEOUT.saturating_mul(2);

/// How many absent `kid`s are remembered, and how long they may be.
const MAX_ABSENT: usize = 1024;
const MAX_KID_BYTES: usize = 128;

#[cfg(test)]
mod tests;
