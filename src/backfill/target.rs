//! The trait for places that store users, and its types. Knows nothing of Clerk's API.

use std::future::ready;
use std::sync::Arc;

use super::records::{Member, RecordKind, RecordPage, UserPage};
use crate::webhook::SinkError;

/// A place that stores backfilled users, for example `sea_orm::SeaOrmSink`.
///
/// Webhooks may write to the same place at the same time: both follow the rules of
/// [`Sink`](crate::webhook::Sink), so that neither can undo the other.
///
/// A method that fails with a transient error ([`SinkError::transient`]) is called again a few
/// times.
///
/// A target of users alone implements the required methods. One that keeps organizations too returns true
/// from [`keeps_organizations`](Self::keeps_organizations) and implements all methods; until then the
/// provided ones are never called for organizations and memberships.
pub trait Target: Send + Sync + 'static {
    /// Returns a [`Run`] for each Clerk instance that this target has users of: the one that was
    /// written last, or [`Run::new`] for an instance that is known from webhooks alone. A backfill
    /// compares these instances with that of its secret key; it cannot refuse a wrong key if the
    /// list is empty. The run of [`Run::UNKNOWN_INSTANCE`] is stored and returned like the others.
    ///
    /// # Errors
    ///
    /// Fails if the target cannot be read.
    fn runs(&self) -> impl Future<Output = Result<Vec<Run>, SinkError>> + Send;

    /// Writes a page and `run` in one transaction. The rules are those of deliveries: only a newer
    /// state ([`User::updated_at`](crate::webhook::User::updated_at)) is written, and a deleted user does
    /// not come back. At the same `updated_at` a state that Clerk listed ([`UserPage::listed_at`]) is newer
    /// than one of an earlier event, and it is written only if something that the target keeps differs. A
    /// user who is not deleted but missing is written in any state: the list is the best one available.
    ///
    /// A user whom the target can never write, because of the user's own data, is left out and named in
    /// [`Written::refused`]: an error would end every run at this page.
    ///
    /// No user is in the page twice; it may be empty. `run` replaces the one that was stored for
    /// its instance.
    ///
    /// # Errors
    ///
    /// Fails if the page or `run` cannot be written in full. Neither may remain in part.
    fn write(
        &self,
        page: UserPage<'_>,
        run: &Run,
    ) -> impl Future<Output = Result<Written, SinkError>> + Send;

    /// Does what [`write`](Self::write) does, and also writes users who are known in a state of the same
    /// [`User::updated_at`](crate::webhook::User::updated_at): for a column that was added since. A newer
    /// state stays, and a deleted user
    /// does not come back.
    ///
    /// # Errors
    ///
    /// Fails if the page or `run` cannot be written in full. Neither may remain in part.
    fn rewrite(
        &self,
        page: UserPage<'_>,
        run: &Run,
    ) -> impl Future<Output = Result<Written, SinkError>> + Send;

    /// Returns how the target's rows differ from these users; changes nothing. Who is missing or outdated is
    /// exactly whom [`write`](Self::write) would write.
    ///
    /// # Errors
    ///
    /// Fails if the target cannot be read.
    fn compare(
        &self,
        page: UserPage<'_>,
    ) -> impl Future<Output = Result<Differences, SinkError>> + Send;

    /// Returns the ids that follow `after` in byte order, without those of deleted users, `limit`
    /// at most. An empty list means that there are no more.
    ///
    /// # Errors
    ///
    /// Fails if the target cannot be read.
    fn ids_after(
        &self,
        after: Option<&str>,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<String>, SinkError>> + Send;

    /// Returns those of these users who were created after a time, in milliseconds since 1970: by Clerk's
    /// time of creation, or, for a user whom no event has described yet, by the time at which the target
    /// learned of the user.
    ///
    /// # Errors
    ///
    /// Fails if the target cannot be read.
    fn created_after(
        &self,
        ids: &[String],
        time: i64,
    ) -> impl Future<Output = Result<Vec<String>, SinkError>> + Send;

    /// Removes a user who no longer exists at Clerk, for ever, as `user.deleted` would.
    ///
    /// # Errors
    ///
    /// Fails if the user cannot be removed.
    fn remove(&self, user_id: &str) -> impl Future<Output = Result<Removal, SinkError>> + Send;

    /// Returns whether this target keeps organizations and memberships.
    fn keeps_organizations(&self) -> bool {
        false
    }

    /// Writes organizations, or memberships, and `run` in one transaction, by the rules of
    /// [`write`](Self::write). At the same `updated_at` a state that Clerk listed
    /// ([`RecordPage::listed_at`]) is newer than one of an earlier event, and it is written only if
    /// something that the target keeps differs.
    ///
    /// A membership of an organization or a user who is deleted is not written. One of a user or an
    /// organization that is not known yet gives it a row. `run` counts as stored with an empty page too.
    ///
    /// # Errors
    ///
    /// Fails if the page or `run` cannot be written in full. Neither may remain in part.
    fn write_records(
        &self,
        page: RecordPage<'_>,
        run: &Run,
    ) -> impl Future<Output = Result<Written, SinkError>> + Send {
        let _ = (page, run);
        ready(Ok(Written::default()))
    }

    /// Returns how the target's rows differ from these records; changes nothing. What is missing or
    /// outdated is exactly what [`write_records`](Self::write_records) would write; a membership of an
    /// organization or a user who is deleted here is among `deleted`.
    ///
    /// # Errors
    ///
    /// Fails if the target cannot be read.
    fn compare_records(
        &self,
        page: RecordPage<'_>,
    ) -> impl Future<Output = Result<Differences, SinkError>> + Send {
        let _ = page;
        ready(Ok(Differences::new()))
    }

    /// Does what [`ids_after`](Self::ids_after) does, for a kind of record.
    ///
    /// # Errors
    ///
    /// Fails if the target cannot be read.
    fn record_ids_after(
        &self,
        kind: RecordKind,
        after: Option<&str>,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<String>, SinkError>> + Send {
        async move {
            match kind {
                RecordKind::User => self.ids_after(after, limit).await,
                RecordKind::Membership | RecordKind::Organization => Ok(Vec::new()),
            }
        }
    }

    /// Returns the memberships of an organization, without deleted ones, in any order.
    ///
    /// # Errors
    ///
    /// Fails if the target cannot be read.
    fn members_of(
        &self,
        organization_id: &str,
    ) -> impl Future<Output = Result<Vec<Member>, SinkError>> + Send {
        let _ = organization_id;
        ready(Ok(Vec::new()))
    }

    /// Does what [`created_after`](Self::created_after) does, for a kind of record.
    ///
    /// # Errors
    ///
    /// Fails if the target cannot be read.
    fn records_created_after(
        &self,
        kind: RecordKind,
        ids: &[String],
        time: i64,
    ) -> impl Future<Output = Result<Vec<String>, SinkError>> + Send {
        async move {
            match kind {
                RecordKind::User => self.created_after(ids, time).await,
                RecordKind::Membership | RecordKind::Organization => Ok(Vec::new()),
            }
        }
    }

    /// Does what [`remove`](Self::remove) does, for a kind of record. An organization's memberships go
    /// with it.
    ///
    /// # Errors
    ///
    /// Fails if the record cannot be removed.
    fn remove_record(
        &self,
        kind: RecordKind,
        id: &str,
    ) -> impl Future<Output = Result<Removal, SinkError>> + Send {
        async move {
            match kind {
                RecordKind::User => self.remove(id).await,
                RecordKind::Membership | RecordKind::Organization => Ok(Removal::Already),
            }
        }
    }
}

impl<T: Target> Target for Arc<T> {
    fn runs(&self) -> impl Future<Output = Result<Vec<Run>, SinkError>> + Send {
        T::runs(self)
    }

    fn write(
        &self,
        page: UserPage<'_>,
        run: &Run,
    ) -> impl Future<Output = Result<Written, SinkError>> + Send {
        T::write(self, page, run)
    }

    fn rewrite(
        &self,
        page: UserPage<'_>,
        run: &Run,
    ) -> impl Future<Output = Result<Written, SinkError>> + Send {
        T::rewrite(self, page, run)
    }

    fn compare(
        &self,
        page: UserPage<'_>,
    ) -> impl Future<Output = Result<Differences, SinkError>> + Send {
        T::compare(self, page)
    }

    fn ids_after(
        &self,
        after: Option<&str>,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<String>, SinkError>> + Send {
        T::ids_after(self, after, limit)
    }

    fn created_after(
        &self,
        ids: &[String],
        time: i64,
    ) -> impl Future<Output = Result<Vec<String>, SinkError>> + Send {
        T::created_after(self, ids, time)
    }

    fn remove(&self, user_id: &str) -> impl Future<Output = Result<Removal, SinkError>> + Send {
        T::remove(self, user_id)
    }

    fn keeps_organizations(&self) -> bool {
        T::keeps_organizations(self)
    }

    fn write_records(
        &self,
        page: RecordPage<'_>,
        run: &Run,
    ) -> impl Future<Output = Result<Written, SinkError>> + Send {
        T::write_records(self, page, run)
    }

    fn compare_records(
        &self,
        page: RecordPage<'_>,
    ) -> impl Future<Output = Result<Differences, SinkError>> + Send {
        T::compare_records(self, page)
    }

    fn record_ids_after(
        &self,
        kind: RecordKind,
        after: Option<&str>,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<String>, SinkError>> + Send {
        T::record_ids_after(self, kind, after, limit)
    }

    fn members_of(
        &self,
        organization_id: &str,
    ) -> impl Future<Output = Result<Vec<Member>, SinkError>> + Send {
        T::members_of(self, organization_id)
    }

    fn records_created_after(
        &self,
        kind: RecordKind,
        ids: &[String],
        time: i64,
    ) -> impl Future<Output = Result<Vec<String>, SinkError>> + Send {
        T::records_created_after(self, kind, ids, time)
    }

    fn remove_record(
        &self,
        kind: RecordKind,
        id: &str,
    ) -> impl Future<Output = Result<Removal, SinkError>> + Send {
        T::remove_record(self, kind, id)
    }
}

/// The progress of a run: the place at which the next run resumes and, once finished, the record
/// that the target was filled from this instance.
///
/// A target stores it as a row, and restores it with [`new`](Self::new) and an assignment to each
/// member.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Run {
    /// The Clerk instance's id, `ins_…`: letters, digits and underscores, 255 at most.
    /// [`UNKNOWN_INSTANCE`](Self::UNKNOWN_INSTANCE) if the Backend API does not tell it.
    pub instance_id: String,
    /// The id of the last user of the last page, as in Clerk's list: printable ASCII without
    /// spaces, 255 characters at most.
    pub last_user_id: Option<String>,
    /// The time at which that user was created, as in Clerk's list, in milliseconds since 1970.
    pub last_created_at: Option<i64>,
    /// The number of users that were processed so far.
    pub users: u64,
    /// Whether the last page was written.
    pub finished: bool,
    /// The time at which the run began, in milliseconds since 1970. A run without it, or an old one, is
    /// not resumed.
    pub started_at: Option<i64>,
    /// The progress through organizations and their members, which follow after the users; `None` for a
    /// run of a target that did not keep them.
    pub organizations: Option<OrganizationsRun>,
}

/// The part of a [`Run`] about organizations and memberships.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct OrganizationsRun {
    /// The id of the last organization that was written with all its members: letters, digits and
    /// underscores, 255 at most.
    pub last_organization_id: Option<String>,
    /// The number of organizations that were processed so far.
    pub organizations: u64,
    /// The number of memberships that were processed so far.
    pub memberships: u64,
    /// Whether all were written.
    pub finished: bool,
}

impl OrganizationsRun {
    /// Counts an organization that was written with all its members.
    pub(super) fn pass(&mut self, organization_id: &str) {
        self.last_organization_id = Some(organization_id.to_owned());
        self.organizations += 1;
    }
}

impl Run {
    /// The [`instance_id`](Self::instance_id) of an instance that the Backend API does not name. It
    /// counts as no other instance than that of any secret key.
    pub const UNKNOWN_INSTANCE: &str = "unknown";

    /// Creates a run that has processed no user.
    #[must_use]
    pub fn new(instance_id: impl Into<String>) -> Self {
        Self {
            instance_id: instance_id.into(),
            last_user_id: None,
            last_created_at: None,
            users: 0,
            finished: false,
            started_at: None,
            organizations: None,
        }
    }

    /// Returns whether the run has begun and is not at its end.
    pub(super) fn is_unfinished(&self, keeps_organizations: bool) -> bool {
        let all = self.organizations.as_ref().is_none_or(|run| run.finished);
        self.last_user_id.is_some() && !(self.finished && (all || !keeps_organizations))
    }
}

/// The outcome of writing a page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Written {
    /// The number of users who were unknown, known in an older state, or missing; with
    /// [`Target::rewrite`] also of those known in the same state.
    pub written: u64,
    /// The number of users who were known in the same or a newer state, or who are deleted.
    pub unchanged: u64,
    /// The users whom the target cannot write.
    pub refused: Vec<Refused>,
}

impl Written {
    /// Creates an outcome with these numbers of users, none of whom was refused.
    #[must_use]
    pub const fn new(written: u64, unchanged: u64) -> Self {
        Self { written, unchanged, refused: Vec::new() }
    }
}

/// The outcome of a removal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Removal {
    /// Another writer, for example a webhook, had removed the record.
    Already,
    /// The record is removed for ever, but a row stays, emptied, because other rows refer to it.
    Held,
    /// The record is removed.
    Removed,
}

/// A user, organization or membership that a target cannot write.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refused {
    /// Its id.
    pub id: String,
    /// Why, for the operator: nothing of its data.
    pub reason: String,
}

impl Refused {
    /// Creates the id, and the reason.
    #[must_use]
    pub fn new(id: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { id: id.into(), reason: reason.into() }
    }
}

/// The differences between a target's rows and Clerk's list, as ids of users.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Differences {
    /// The users whom Clerk has and the target does not.
    pub missing: Vec<String>,
    /// The users of whom the target has an older state.
    pub outdated: Vec<String>,
    /// The users whom Clerk lists although they are deleted in the target.
    pub deleted: Vec<String>,
}

impl Differences {
    /// Creates a value without differences.
    #[must_use]
    pub const fn new() -> Self {
        Self { missing: Vec::new(), outdated: Vec::new(), deleted: Vec::new() }
    }
}
