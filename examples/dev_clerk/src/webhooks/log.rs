//! The recent deliveries and their outcomes. Bounded; lost when the process ends.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use chrono::{DateTime, Utc};

use crate::time;
use crate::webhooks::Delivery;

/// The recent deliveries.
#[derive(Default)]
pub(super) struct Log {
    /// The deliveries, the oldest first.
    entries: Mutex<VecDeque<Entry>>,
}

/// A delivery and its attempts.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) delivery: Arc<Delivery>,
    pub(crate) created_at: DateTime<Utc>,
    /// The id of the original delivery, if this one is a replay under a new id.
    pub(crate) replay_of: Option<String>,
    /// The number of copies that are neither accepted nor given up.
    pub(crate) pending: u32,
    /// The number of all attempts; `attempts` keeps the last ones.
    pub(crate) tries: u64,
    /// The last attempts, the oldest first.
    pub(crate) attempts: VecDeque<Attempt>,
}

/// One attempt to deliver.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempt {
    pub(crate) at: DateTime<Utc>,
    pub(crate) outcome: Outcome,
}

/// The outcome of an attempt, with the status of the server's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Accepted(u16),
    /// Accepted, but the answer counts as lost because of a fault.
    AnswerLost(u16),
    Refused(u16),
    TimedOut,
    Unreachable,
}

impl Log {
    /// Adds an entry, and removes the oldest when there are too many.
    pub(super) fn add(&self, delivery: Arc<Delivery>, replay_of: Option<String>) {
        let mut entries = self.entries();
        if entries.len() >= MOST_ENTRIES {
            entries.pop_front();
        }
        entries.push_back(Entry {
            delivery,
            created_at: time::now(),
            replay_of,
            pending: 0,
            tries: 0,
            attempts: VecDeque::new(),
        });
    }

    /// Records that copies are about to be sent.
    pub(super) fn begin(&self, id: &str, copies: u32) {
        self.change(id, |entry| entry.pending = entry.pending.saturating_add(copies));
    }

    /// Records an attempt to deliver a copy.
    pub(super) fn tried(&self, id: &str, attempt: Attempt) {
        self.change(id, |entry| {
            if entry.attempts.len() >= MOST_ATTEMPTS {
                entry.attempts.pop_front();
            }
            entry.attempts.push_back(attempt);
            entry.tries = entry.tries.saturating_add(1);
        });
    }

    /// Records that a copy will not be sent again.
    pub(super) fn end(&self, id: &str) {
        self.change(id, |entry| entry.pending = entry.pending.saturating_sub(1));
    }

    pub(super) fn find(&self, id: &str) -> Option<Entry> {
        self.entries().iter().find(|entry| entry.delivery.id == id).cloned()
    }

    pub(super) fn newest_first(&self) -> Vec<Entry> {
        self.entries().iter().rev().cloned().collect()
    }

    /// Changes an entry, if it has not been removed already.
    fn change(&self, id: &str, change: impl FnOnce(&mut Entry)) {
        if let Some(entry) = self.entries().iter_mut().rev().find(|entry| entry.delivery.id == id) {
            change(entry);
        }
    }

    fn entries(&self) -> MutexGuard<'_, VecDeque<Entry>> {
        self.entries.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Entry {
    /// Returns the state of the delivery, in one word.
    pub(crate) fn state(&self) -> &'static str {
        let arrived = |attempt: &Attempt| matches!(attempt.outcome, Outcome::Accepted(_));
        match self.pending {
            0 if self.attempts.iter().any(arrived) => "delivered",
            0 if self.tries > 0 => "given_up",
            // There is no URL to send it to.
            0 => "not_sent",
            _ => "pending",
        }
    }
}

impl Outcome {
    pub(crate) fn status(self) -> Option<u16> {
        match self {
            Self::Accepted(status) | Self::AnswerLost(status) | Self::Refused(status) => {
                Some(status)
            }
            Self::TimedOut | Self::Unreachable => None,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Accepted(_) => "accepted",
            Self::AnswerLost(_) => "answer_lost",
            Self::Refused(_) => "refused",
            Self::TimedOut => "timed_out",
            Self::Unreachable => "unreachable",
        }
    }
}

const MOST_ENTRIES: usize = 200;
const MOST_ATTEMPTS: usize = 50;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_deliveries_and_tries_are_kept() {
        let log = Log::default();
        let first = Arc::new(Delivery::new("user.created", "user_1", String::new()));
        log.add(Arc::clone(&first), None);
        log.begin(&first.id, 60);
        for n in 0..60 {
            let attempt = Attempt { at: time::now(), outcome: Outcome::Refused(500 + n) };
            log.tried(&first.id, attempt);
        }
        let entry = log.find(&first.id).unwrap();
        assert_eq!((entry.tries, entry.attempts.len(), entry.state()), (60, 50, "pending"));
        assert_eq!(entry.attempts[0].outcome, Outcome::Refused(510));
        (0..60).for_each(|_| log.end(&first.id));
        assert_eq!(log.find(&first.id).unwrap().state(), "given_up");

        for n in 0..200 {
            let user = format!("user_{n}");
            log.add(Arc::new(Delivery::new("user.updated", &user, String::new())), None);
        }
        assert!(log.find(&first.id).is_none());
        log.end(&first.id);
        let kept = log.newest_first();
        assert_eq!((kept.len(), &*kept[0].delivery.user_id), (200, "user_199"));
    }
}
