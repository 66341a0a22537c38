//! The progress and the results of a backfill, for the operator.

use std::time::SystemTime;

use super::records::RecordKind;
use super::target::{Differences, Refused, Written};

/// The progress after a page or a record.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// The current phase; the other members are about this phase alone.
    pub phase: Phase,
    /// The kind of record that the other members are about.
    pub kind: RecordKind,
    /// The number of users, or of records of this [`kind`](Self::kind), so far, including those of the run
    /// that this one resumes.
    pub users: u64,
    /// The expected number, if it is known; while users are listed, the number at Clerk. While memberships
    /// are listed it is unknown.
    pub total: Option<u64>,
    /// The number of records that were unknown to the target, known in an older state, or missing.
    pub written: u64,
    /// The number of records that the target had in the same or a newer state, or as deleted.
    pub unchanged: u64,
    /// Whether this run resumes an unfinished one.
    pub resumed: bool,
}

impl Progress {
    pub(super) fn of(phase: Phase, users: u64, total: Option<u64>) -> Self {
        let kind = RecordKind::User;
        Self { phase, kind, users, total, written: 0, unchanged: 0, resumed: false }
    }

    pub(super) fn about(self, kind: RecordKind) -> Self {
        Self { kind, ..self }
    }
}

/// The phase of a backfill that a [`Progress`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// Each record that seems deleted is requested from Clerk.
    Confirming,
    /// Clerk's records of a kind are listed, and written or compared.
    Listing,
    /// The target's records of a kind are searched for those that no longer exist at Clerk.
    LookingForGone,
    /// Records are removed.
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
    /// The organizations; `None` if the target does not keep them or the instance has none, because the
    /// feature is switched off.
    pub organizations: Option<RecordReport>,
    /// The memberships of these organizations.
    pub memberships: Option<RecordReport>,
}

impl Report {
    /// Returns whether Clerk listed fewer users, organizations or memberships than it counts, so that some
    /// may be missing.
    #[must_use]
    pub fn is_short(&self) -> bool {
        self.total.is_some_and(|total| self.listed < total)
            || [&self.organizations, &self.memberships].into_iter().flatten().any(|it| it.is_short)
    }

    /// Returns the number of users, organizations and memberships that the target refused.
    #[must_use]
    pub fn all_refused(&self) -> u64 {
        let more = [&self.organizations, &self.memberships].into_iter().flatten();
        more.map(|it| it.refused).sum::<u64>() + self.refused
    }
}

/// The result of a run for organizations, or for memberships.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordReport {
    /// The number of records processed, including those of the run that this one resumed.
    pub processed: u64,
    /// The number of records that were unknown to the target, known in an older state, or missing; of this
    /// run alone.
    pub written: u64,
    /// The number of records that the target had in the same or a newer state, or as deleted, or whose
    /// organization or user is deleted there; of this run alone.
    pub unchanged: u64,
    /// The number of records that were skipped because they have no usable id; of this run alone.
    pub unreadable: u64,
    /// The number of records that the target refused because of their data; of this run alone.
    pub refused: u64,
    /// The first of them, a hundred at most.
    pub first_refused: Vec<Refused>,
    /// Whether Clerk listed fewer than it counts in a list.
    pub is_short: bool,
}

impl RecordReport {
    /// Adds the outcome of a page.
    pub(super) fn add(&mut self, written: Written) {
        let Written { written, unchanged, refused } = written;
        self.written += written;
        self.unchanged += unchanged;
        self.refused += u64::try_from(refused.len()).unwrap_or(u64::MAX);
        let room = MAX_EXAMPLES.saturating_sub(self.first_refused.len());
        self.first_refused.extend(refused.into_iter().take(room));
    }

    /// Adds what another part of the run did.
    pub(super) fn join(&mut self, other: Self) {
        let Self { processed, written, unchanged, unreadable, refused, first_refused, is_short } =
            other;
        self.processed += processed;
        self.written += written;
        self.unchanged += unchanged;
        self.unreadable += unreadable;
        self.refused += refused;
        let room = MAX_EXAMPLES.saturating_sub(self.first_refused.len());
        self.first_refused.extend(first_refused.into_iter().take(room));
        self.is_short |= is_short;
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
    /// The organizations; `None` if the target does not keep them or the instance has none, because the
    /// feature is switched off.
    pub organizations: Option<RecordDrift>,
    /// The memberships of these organizations. Those of an organization that is gone are not listed: they
    /// go with it.
    pub memberships: Option<RecordDrift>,
}

impl Drift {
    /// Returns whether Clerk listed fewer users, organizations or memberships than it counts, so that
    /// differences may have been overlooked.
    #[must_use]
    pub fn is_short(&self) -> bool {
        self.total.is_some_and(|total| self.listed < total) || self.more().any(|it| it.is_short)
    }

    /// Returns whether there are no differences.
    #[must_use]
    pub fn is_none(&self) -> bool {
        let gone = self.gone.as_ref().map_or(0, |gone| gone.count);
        self.missing.count + self.outdated.count + self.deleted.count + gone == 0
            && self.more().all(RecordDrift::is_none)
    }

    fn more(&self) -> impl Iterator<Item = &RecordDrift> {
        [&self.organizations, &self.memberships].into_iter().flatten()
    }
}

/// The differences in organizations, or in memberships.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordDrift {
    /// The number of records at Clerk.
    pub listed: u64,
    /// The number of records at Clerk that were skipped because they have no usable id.
    pub unreadable: u64,
    /// Whether Clerk listed fewer than it counts in a list. What is gone is then only what other lists
    /// lack.
    pub is_short: bool,
    /// The records that Clerk has and the target does not.
    pub missing: Sample,
    /// The records of which the target has an older state, or another one of the same time.
    pub outdated: Sample,
    /// The records that Clerk lists although they, or their organization or user, are deleted in the
    /// target.
    pub deleted: Sample,
    /// The records that the target has and Clerk does not, without those that were created within the last
    /// hour; `None` where that is unknown, as for users ([`Drift::gone`]).
    pub gone: Option<Sample>,
}

impl RecordDrift {
    /// Returns whether there are no differences.
    #[must_use]
    pub fn is_none(&self) -> bool {
        let gone = self.gone.as_ref().map_or(0, |gone| gone.count);
        self.missing.count + self.outdated.count + self.deleted.count + gone == 0
    }

    /// Adds the differences of a page.
    pub(super) fn add(&mut self, differences: Differences) {
        let Differences { missing, outdated, deleted } = differences;
        self.missing.add(missing);
        self.outdated.add(outdated);
        self.deleted.add(deleted);
    }
}

/// The number of records of one kind, and the ids of the first hundred.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sample {
    /// The number of records.
    pub count: u64,
    /// The ids of the first records, a hundred at most.
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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Removed {
    /// The number of users who no longer exist at Clerk and were removed here too.
    pub removed: u64,
    /// The number of users who still existed when they were requested by id.
    pub kept: u64,
    /// The number of users who were already removed by another writer, for example a webhook.
    pub gone_already: u64,
    /// Those of the removed users of whom a row stays, emptied, because other rows refer to it.
    pub held: Sample,
    /// The organizations, whose memberships went with them.
    pub organizations: RecordsRemoved,
    /// The memberships of organizations that still exist.
    pub memberships: RecordsRemoved,
}

/// The organizations, or memberships, that [`Backfill::remove_gone`](super::Backfill::remove_gone) removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordsRemoved {
    /// The number of records that no longer exist at Clerk and were removed here too.
    pub removed: u64,
    /// The number of records that still existed when they were requested alone.
    pub kept: u64,
    /// The number of records that were already removed by another writer, for example a webhook.
    pub gone_already: u64,
    /// Those of the removed records of which a row stays, emptied, because other rows refer to it.
    pub held: Sample,
    /// Of memberships, the number of organizations whose list of members was shorter than its own count, so
    /// that none of their memberships was removed.
    pub incomplete: u64,
}

pub(super) const MAX_EXAMPLES: usize = 100;
