//! When to fetch: the decisions, without any doing. Pure; time comes in as an argument.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use super::super::MissingKey;

/// What has happened so far, as far as the next decision depends on it.
#[derive(Debug, Default)]
pub(super) struct State {
    /// A task is at work (or asleep until the next attempt).
    pub(super) running: bool,
    /// An attempt is under way.
    pub(super) fetching: bool,
    /// How many attempts in a row have failed.
    pub(super) failures: u32,
    /// When the last attempt that an unknown `kid` caused was started.
    last_for_kid: Option<Instant>,
    /// When the next attempt is due.
    next_attempt: Option<Instant>,
    /// Some of the `kid`s that the document lacked when it was fetched last.
    absent: HashSet<Box<str>>,
}

/// What to do about a `kid` that is not at hand.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// Start an attempt and wait for it.
    Fetch,
    /// Wait for the attempt that is under way.
    Wait,
    /// Answer at once.
    Refuse(MissingKey),
}

impl State {
    /// Decides about a `kid` that is not at hand; `have_keys` says whether any are.
    ///
    /// Without keys an attempt is made unless the pause after a failure lasts. With keys the `kid`
    /// is new or made up, so that one attempt is made for it and the next such only after the
    /// cool-down, whether it brought anything or not. A `kid` that the document is known to lack
    /// is worth none until the document has been fetched again: who keeps sending one cannot use
    /// up the attempt that a new key needs.
    pub(super) fn decide(&mut self, kid: &str, now: Instant, have_keys: bool) -> Decision {
        if self.fetching {
            return Decision::Wait;
        }
        if have_keys {
            if self.failures == 0 && self.absent.contains(kid) {
                return Decision::Refuse(MissingKey::Unknown);
            }
            let attempt = self.may_fetch_for_kid(now);
            return if attempt { Decision::Fetch } else { Decision::Refuse(self.verdict(now)) };
        }
        match self.next_attempt {
            Some(at) if self.failures > 0 && now < at => Decision::Refuse(self.verdict(now)),
            _ => Decision::Fetch,
        }
    }

    /// Whether an attempt may be made because of a `kid`; if so, it counts.
    pub(super) fn may_fetch_for_kid(&mut self, now: Instant) -> bool {
        let cooling = self.last_for_kid.is_some_and(|at| now < at + KID_COOL_DOWN);
        if !cooling {
            self.last_for_kid = Some(now);
        }
        !cooling
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
        self.absent.clear();
        let interval = max_age.unwrap_or(REFRESH_INTERVAL).clamp(SHORTEST_REFRESH, LONGEST_REFRESH);
        self.pause(now, interval.mul_f64(0.9 + 0.2 * jitter))
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

/// How many absent `kid`s are remembered, and how long they may be.
const MAX_ABSENT: usize = 1024;
const MAX_KID_BYTES: usize = 128;
