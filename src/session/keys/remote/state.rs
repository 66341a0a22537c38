//! When to fetch: the decisions, without any doing. Pure; time comes in as an argument.

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
    /// cool-down, whether it brought anything or not.
    pub(super) fn decide(&mut self, now: Instant, have_keys: bool) -> Decision {
        if self.fetching {
            return Decision::Wait;
        }
        if have_keys {
            let cooling = self.last_for_kid.is_some_and(|at| now < at + KID_COOL_DOWN);
            if cooling {
                return Decision::Refuse(self.verdict(now));
            }
            self.last_for_kid = Some(now);
            return Decision::Fetch;
        }
        match self.next_attempt {
            Some(at) if self.failures > 0 && now < at => Decision::Refuse(self.verdict(now)),
            _ => Decision::Fetch,
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

    /// An attempt ended; returns the pause until the next. `jitter` is between 0 and 1.
    pub(super) fn finished(&mut self, now: Instant, success: bool, jitter: f64) -> Duration {
        self.fetching = false;
        let pause = if success {
            self.failures = 0;
            REFRESH_INTERVAL.mul_f64(0.9 + 0.2 * jitter)
        } else {
            let doubled = FIRST_PAUSE.saturating_mul(1 << self.failures.min(10));
            self.failures = self.failures.saturating_add(1);
            doubled.min(LONGEST_PAUSE).mul_f64(0.75 + 0.5 * jitter)
        };
        self.next_attempt = Some(now + pause);
        pause
    }
}

/// How often the document is fetched while all is well.
const REFRESH_INTERVAL: Duration = Duration::from_secs(300);

/// How long after the last success its keys may still be used.
pub(super) const MAX_STALENESS: Duration = Duration::from_secs(24 * 60 * 60);

/// How long one attempt for an unknown `kid` bars the next.
const KID_COOL_DOWN: Duration = Duration::from_secs(30);

/// The pause after a first failure; it doubles from there.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause between failures.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
