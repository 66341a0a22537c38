//! Where users go: the trait, and what it takes and answers. Knows nothing of Clerk's API.

use std::sync::Arc;

use crate::webhook::{SinkError, User};

/// Where backfilled users go.
///
/// `sea_orm::SeaOrmSink` is one. Webhooks may be taken in at the same time, into the same place:
/// the rules of [`Sink`](crate::webhook::Sink) hold for both, so that neither can undo the other.
///
/// What fails with an error that a retry may mend ([`SinkError::transient`]) is called again a few
/// times.
pub trait Target: Send + Sync + 'static {
    /// Which Clerk instances this target has users of, and how far each run got: the [`Run`]s that
    /// were last written, one for each instance, and [`Run::new`] for each instance of which
    /// webhooks alone told. Only what stands here keeps another instance's key out.
    ///
    /// # Errors
    ///
    /// Whatever keeps the target from answering.
    fn runs(&self) -> impl Future<Output = Result<Vec<Run>, SinkError>> + Send;

    /// Takes a page in and remembers `run`, both or neither: one transaction. By the same rules as
    /// deliveries: only what is newer ([`User::updated_at`]) is written, nobody deleted comes back.
    /// Who is not deleted and yet missing is written in whatever state: the list is the best there
    /// is.
    ///
    /// No id is in `users` twice; `users` may be empty. `run` takes the place of what was
    /// remembered for its instance.
    ///
    /// # Errors
    ///
    /// Whatever keeps the target from taking all of it in. Nothing of the page or of `run` may
    /// remain then.
    fn write(
        &self,
        users: &[User],
        run: &Run,
    ) -> impl Future<Output = Result<Written, SinkError>> + Send;

    /// How the target's rows differ from these users; changes nothing.
    ///
    /// # Errors
    ///
    /// Whatever keeps the target from answering.
    fn compare(
        &self,
        users: &[User],
    ) -> impl Future<Output = Result<Differences, SinkError>> + Send;

    /// Ids of users that are not deleted, in byte order, from after `after`, at most `limit`. None
    /// at all: there are no more.
    ///
    /// # Errors
    ///
    /// Whatever keeps the target from answering.
    fn ids_after(
        &self,
        after: Option<&str>,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<String>, SinkError>> + Send;

    /// Removes a user whom Clerk no longer has, as `user.deleted` would: for ever. False: was gone
    /// already.
    ///
    /// # Errors
    ///
    /// Whatever keeps the target from removing the user.
    fn remove(&self, user_id: &str) -> impl Future<Output = Result<bool, SinkError>> + Send;
}

impl<T: Target> Target for Arc<T> {
    fn runs(&self) -> impl Future<Output = Result<Vec<Run>, SinkError>> + Send {
        T::runs(self)
    }

    fn write(
        &self,
        users: &[User],
        run: &Run,
    ) -> impl Future<Output = Result<Written, SinkError>> + Send {
        T::write(self, users, run)
    }

    fn compare(
        &self,
        users: &[User],
    ) -> impl Future<Output = Result<Differences, SinkError>> + Send {
        T::compare(self, users)
    }

    fn ids_after(
        &self,
        after: Option<&str>,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<String>, SinkError>> + Send {
        T::ids_after(self, after, limit)
    }

    fn remove(&self, user_id: &str) -> impl Future<Output = Result<bool, SinkError>> + Send {
        T::remove(self, user_id)
    }
}

/// How far a run got: where the next one goes on, and, once finished, the record that the target
/// was filled from this instance.
///
/// A target keeps it as a row; its members are what [`new`](Self::new) and an assignment to each
/// bring back.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Run {
    /// The Clerk instance, `ins_…`: letters, digits and underscores, 255 at most.
    pub instance_id: String,
    /// The last user of the last page, as Clerk's list has the id: printable ASCII without spaces,
    /// 255 characters at most.
    pub last_user_id: Option<String>,
    /// When the last user of the last page was created, as Clerk says: milliseconds since 1970.
    pub last_created_at: Option<i64>,
    /// How many users were taken in so far.
    pub users: u64,
    /// Whether there was a last page.
    pub finished: bool,
}

impl Run {
    /// A run that has taken nobody in yet.
    #[must_use]
    pub fn new(instance_id: impl Into<String>) -> Self {
        Self {
            instance_id: instance_id.into(),
            last_user_id: None,
            last_created_at: None,
            users: 0,
            finished: false,
        }
    }
}

/// What became of a page's users.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Written {
    /// Users who were not known, in an older state, or missing.
    pub written: u64,
    /// Users who were known at least as new, or who are deleted.
    pub unchanged: u64,
}

impl Written {
    /// So many users written, so many left as they were.
    #[must_use]
    pub const fn new(written: u64, unchanged: u64) -> Self {
        Self { written, unchanged }
    }
}

/// How a target's rows differ from what Clerk lists, by users' ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Differences {
    /// Clerk has them, the target does not.
    pub missing: Vec<String>,
    /// The target has an older state of them.
    pub outdated: Vec<String>,
    /// Clerk lists them, and the target was told that they were deleted.
    pub deleted: Vec<String>,
}

impl Differences {
    /// No difference.
    #[must_use]
    pub const fn new() -> Self {
        Self { missing: Vec::new(), outdated: Vec::new(), deleted: Vec::new() }
    }
}
