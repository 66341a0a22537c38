//! The kinds of records that a backfill brings, and the pages that it brings them in.

use std::fmt;
use std::time::SystemTime;

use crate::webhook::User;
use crate::webhook::event::{Organization, OrganizationMembership};

/// A kind of record that a backfill brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RecordKind {
    /// A user's membership of an organization.
    Membership,
    /// An organization.
    Organization,
    /// A user.
    User,
}

impl RecordKind {
    /// Returns the plural of its name, for messages.
    #[must_use]
    pub const fn plural(self) -> &'static str {
        match self {
            Self::Membership => "memberships",
            Self::Organization => "organizations",
            Self::User => "users",
        }
    }
}

/// Writes the plural.
impl fmt::Display for RecordKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.plural())
    }
}

/// A page of Clerk's list of users.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct UserPage<'a> {
    /// The users, each once.
    pub users: &'a [User],
    /// The time at which Clerk listed them, by Clerk's clock, if the answer tells. Of two states with one
    /// `updated_at`, the listed one is newer if the other is that of an earlier event.
    pub listed_at: Option<SystemTime>,
}

impl<'a> UserPage<'a> {
    /// Creates a page of these users, listed at an unknown time.
    #[must_use]
    pub const fn new(users: &'a [User]) -> Self {
        Self { users, listed_at: None }
    }

    pub(crate) const fn with_time(self, listed_at: Option<SystemTime>) -> Self {
        Self { listed_at, ..self }
    }

    /// Returns a page of some of its users.
    #[cfg(feature = "sea-orm")]
    pub(crate) const fn part(self, users: &'a [User]) -> Self {
        Self { users, ..self }
    }
}

/// Organizations, or memberships of one organization.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Records<'a> {
    /// Memberships.
    Memberships(&'a [OrganizationMembership]),
    /// Organizations.
    Organizations(&'a [Organization]),
}

impl<'a> Records<'a> {
    /// Returns the two halves of several records; of fewer the id of the only one, if there is one.
    #[cfg(feature = "sea-orm")]
    pub(crate) fn halves(self) -> Result<[Self; 2], Option<&'a str>> {
        let middle = self.len() / 2;
        match self {
            Self::Memberships([]) | Self::Organizations([]) => Err(None),
            Self::Memberships([only]) => Err(Some(&only.id)),
            Self::Organizations([only]) => Err(Some(&only.id)),
            Self::Memberships(them) => {
                let (first, rest) = them.split_at(middle);
                Ok([first, rest].map(Records::Memberships))
            }
            Self::Organizations(them) => {
                let (first, rest) = them.split_at(middle);
                Ok([first, rest].map(Records::Organizations))
            }
        }
    }

    /// Returns the number of records.
    #[must_use]
    pub const fn len(self) -> usize {
        match self {
            Self::Memberships(them) => them.len(),
            Self::Organizations(them) => them.len(),
        }
    }

    /// Returns whether there is no record.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }
}

/// A page of Clerk's list of organizations, or of the list of an organization's members.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct RecordPage<'a> {
    /// The records, each once.
    pub records: Records<'a>,
    /// The time at which Clerk listed them, by Clerk's clock, if the answer tells.
    pub listed_at: Option<SystemTime>,
}

impl<'a> RecordPage<'a> {
    /// Creates a page of these records, listed at an unknown time.
    #[must_use]
    pub const fn new(records: Records<'a>) -> Self {
        Self { records, listed_at: None }
    }

    pub(crate) const fn with_time(self, listed_at: Option<SystemTime>) -> Self {
        Self { listed_at, ..self }
    }
}

/// A membership as a target has it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Member {
    /// The membership's id.
    pub id: String,
    /// The user's id.
    pub user_id: String,
}

impl Member {
    /// Creates a membership of a user.
    #[must_use]
    pub fn new(id: impl Into<String>, user_id: impl Into<String>) -> Self {
        Self { id: id.into(), user_id: user_id.into() }
    }
}
