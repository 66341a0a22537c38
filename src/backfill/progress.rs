//! What an operator is told: while a run goes on, and when it has ended.

/// How far it is, after a page or a user.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// What is being done; the other members are about this alone.
    pub phase: Phase,
    /// Users so far, with those of the run that this one goes on with.
    pub users: u64,
    /// How many users there will be, if that is known: while they are listed, how many Clerk has.
    pub total: Option<u64>,
    /// Users who were not known to the target, in an older state, or missing.
    pub written: u64,
    /// Users whom the target knew at least as new, or who are deleted there.
    pub unchanged: u64,
    /// Whether this run goes on with one that was broken off.
    pub resumed: bool,
}

impl Progress {
    pub(super) fn of(phase: Phase, users: u64, total: Option<u64>) -> Self {
        Self { phase, users, total, written: 0, unchanged: 0, resumed: false }
    }
}

/// What is being done, and whose [`Progress`] that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// Clerk is asked for each user who seems gone, by the id.
    Confirming,
    /// Clerk's users are listed, and written or compared.
    Listing,
    /// The target's users are gone through, in search of those whom Clerk no longer has.
    LookingForGone,
    /// Users are removed.
    Removing,
}

/// What a run did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// The Clerk instance that the users are of, `ins_…`.
    pub instance_id: String,
    /// Users taken in, with those of the run that this one went on with.
    pub users: u64,
    /// Users who were not known to the target, in an older state, or missing; of this run alone.
    pub written: u64,
    /// Users whom the target knew at least as new, or who are deleted there; of this run alone.
    pub unchanged: u64,
    /// Users who were passed over because they have no usable id; of this run alone.
    pub unreadable: u64,
    /// Whether this run went on with one that was broken off.
    pub resumed: bool,
}

/// How Clerk and the target differ, from [`Backfill::dry_run`](super::Backfill::dry_run).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drift {
    /// The Clerk instance that the users are of, `ins_…`.
    pub instance_id: String,
    /// Users at Clerk.
    pub users: u64,
    /// Users at Clerk who were passed over because they have no usable id.
    pub unreadable: u64,
    /// Clerk has them, the target does not.
    pub missing: Sample,
    /// The target has an older state of them.
    pub outdated: Sample,
    /// Clerk lists them, and the target was told that they were deleted.
    pub deleted: Sample,
    /// The target has them, Clerk does not. `None` where that cannot be said: the target knows of
    /// other instances' users too, from their backfills or webhooks, and they are not at this one.
    pub gone: Option<Sample>,
}

impl Drift {
    /// Whether nothing differs.
    #[must_use]
    pub fn is_none(&self) -> bool {
        let gone = self.gone.as_ref().map_or(0, |gone| gone.count);
        self.missing.count + self.outdated.count + self.deleted.count + gone == 0
    }
}

/// Users of one kind: how many, and the ids of the first hundred.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sample {
    /// How many.
    pub count: u64,
    /// The ids of the first of them, a hundred at most.
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

/// What [`Backfill::remove_gone`](super::Backfill::remove_gone) did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Removed {
    /// Users whom Clerk no longer has, and who are now gone here too.
    pub removed: u64,
    /// Users whom Clerk had after all when it was asked for each.
    pub kept: u64,
    /// Users whom somebody else removed meanwhile, a webhook for example.
    pub gone_already: u64,
}

const MAX_EXAMPLES: usize = 100;
