//! The progress and the results of a backfill, for the operator.

use std::time::SystemTime;

use super::target::Refused;

/// The progress after a page or a user.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// The current phase; the other members are about this phase alone.
    pub phase: Phase,
    /// The number of users so far, including those of the run that this one resumes.
    pub users: u64,
    /// The expected number of users, if it is known; while users are listed, the number at Clerk.
    pub total: Option<u64>,
    /// The number of users who were unknown to the target, known in an older state, or missing.
    pub written: u64,
    /// The number of users whom the target had in the same or a newer state, or as deleted.
    pub unchanged: u64,
    /// Whether this run resumes an unfinished one.
    pub resumed: bool,
}

impl Progress {
    pub(super) fn of(phase: Phase, users: u64, total: Option<u64>) -> Self {
        Self { phase, users, total, written: 0, unchanged: 0, resumed: false }
    }
}

/// The phase of a backfill that a [`Progress`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// Each user who seems deleted is requested from Clerk, by id.
    Confirming,
    /// Clerk's users are listed, and written or compared.
    Listing,
    /// The target's users are searched for those who no longer exist at Clerk.
    LookingForGone,
    /// Users are removed.
    Removing,
}

/// The result of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// The id of the users' Clerk instance, `ins_…`; `None` if the Backend API does not tell it.
    pub instance_id: Option<String>,
    /// The number of users processed, including those of the run that this one resumed.
    pub users: u64,
    /// The number of users who were unknown to the target, known in an older state, or missing; of
    /// this run alone.
    pub written: u64,
    /// The number of users whom the target had in the same or a newer state, or as deleted; of this
    /// run alone.
    pub unchanged: u64,
    /// The number of users who were skipped because they have no usable id; of this run alone.
    pub unreadable: u64,
    /// The number of users whom the target refused because of their data; of this run alone.
    pub refused: u64,
    /// The first of them, a hundred at most.
    pub first_refused: Vec<Refused>,
    /// The number of users that Clerk listed, readable or not. Those of the run that this one resumed
    /// are included, except the unreadable ones.
    pub listed: u64,
    /// The number of users by Clerk's own count, if it is known. Where the list has fewer, they were
    /// counted before and after it, and this is the smaller number.
    pub total: Option<u64>,
    /// The time at which the run began, or the unfinished one that it resumed: the target has all that
    /// changed at Clerk before.
    pub since: SystemTime,
    /// Whether this run resumed an unfinished one.
    pub resumed: bool,
    /// Whether there was an unfinished run that was too old to be resumed.
    pub outdated: bool,
}

impl Report {
    /// Returns whether Clerk listed fewer users than it counts, so that some may be missing.
    #[must_use]
    pub fn is_short(&self) -> bool {
        self.total.is_some_and(|total| self.listed < total)
    }
}

/// The differences between Clerk and the target, from
/// [`Backfill::dry_run`](super::Backfill::dry_run).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drift {
    /// The id of the users' Clerk instance, `ins_…`; `None` if the Backend API does not tell it.
    pub instance_id: Option<String>,
    /// The number of users at Clerk.
    pub users: u64,
    /// The number of users at Clerk who were skipped because they have no usable id.
    pub unreadable: u64,
    /// The number of users that Clerk listed, readable or not.
    pub listed: u64,
    /// The number of users by Clerk's own count, if it is known. Where the list has fewer, they were
    /// counted before and after it, and this is the smaller number.
    pub total: Option<u64>,
    /// The users whom Clerk has and the target does not.
    pub missing: Sample,
    /// The users of whom the target has an older state.
    pub outdated: Sample,
    /// The users whom Clerk lists although they are deleted in the target.
    pub deleted: Sample,
    /// The users whom the target has and Clerk does not, without those who were created within the last
    /// hour, whom Clerk's lists may not have yet. `None` if that is unknown: the Backend API
    /// does not tell which instance it is, or the target also has users of other instances, from
    /// backfills or webhooks, who do not exist at this one.
    pub gone: Option<Sample>,
}

impl Drift {
    /// Returns whether Clerk listed fewer users than it counts, so that differences may have been
    /// overlooked.
    #[must_use]
    pub fn is_short(&self) -> bool {
        self.total.is_some_and(|total| self.listed < total)
    }

    /// Returns whether there are no differences.
    #[must_use]
    pub fn is_none(&self) -> bool {
        let gone = self.gone.as_ref().map_or(0, |gone| gone.count);
        self.missing.count + self.outdated.count + self.deleted.count + gone == 0
    }
}

/// The number of users of one kind, and the ids of the first hundred.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sample {
    /// The number of users.
    pub count: u64,
    /// The ids of the first users, a hundred at most.
    pub examples: Vec<String>,
}

impl Sample {
    pub(super) fn add(&mut self, ids: impl IntoIterator<Item = String>) {
        for id in ids {
            self.count += 1;
            if self.examples.len() < MAX_EXAMPLES {
                self.examples.push(id);
            }
        }
    }
}

/// The result of [`Backfill::remove_gone`](super::Backfill::remove_gone).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Removed {
    /// The number of users who no longer exist at Clerk and were removed here too.
    pub removed: u64,
    /// The number of users who still existed when they were requested by id.
    pub kept: u64,
    /// The number of users who were already removed by another writer, for example a webhook.
    pub gone_already: u64,
}

pub(super) const MAX_EXAMPLES: usize = 100;
