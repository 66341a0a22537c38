//! The change that an event makes to the records that a sink may keep.

use std::time::SystemTime;

use super::version::Version;
use crate::ids::{MembershipId, OrganizationId, UserId};
use crate::webhook::event::{
    DeletedOrganization, DeletedUser, Event, Json, Organization, OrganizationMembership, User,
};

/// A change to users, organizations or memberships.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Change<'a> {
    /// A state of a membership, which has states of its organization and of its user's id with it.
    Membership(&'a OrganizationMembership, Cause),
    /// The deletion of a membership.
    MembershipGone(&'a MembershipId),
    /// A state of an organization.
    Organization(&'a Organization, Cause),
    /// The deletion of an organization.
    OrganizationGone(&'a OrganizationId),
    /// A state of a user.
    User(&'a User, Cause),
    /// The deletion of a user.
    UserGone(&'a UserId),
}

impl<'a> Change<'a> {
    /// Returns the change that an event makes: `None` for an event about anything else, and for a
    /// deletion without an id.
    #[must_use]
    pub fn of(event: &'a Event) -> Option<Self> {
        Some(match event {
            Event::UserCreated(user) => Self::User(user, Cause::Created),
            Event::UserUpdated(user) => Self::User(user, Cause::Updated),
            Event::UserDeleted(DeletedUser { id, .. }) => Self::UserGone(id.as_ref()?),
            Event::OrganizationCreated(it) => Self::Organization(it, Cause::Created),
            Event::OrganizationUpdated(it) => Self::Organization(it, Cause::Updated),
            Event::OrganizationDeleted(DeletedOrganization { id, .. }) => {
                Self::OrganizationGone(id.as_ref()?)
            }
            Event::OrganizationMembershipCreated(it) => Self::Membership(it, Cause::Created),
            Event::OrganizationMembershipUpdated(it) => Self::Membership(it, Cause::Updated),
            Event::OrganizationMembershipDeleted(it) => Self::MembershipGone(it.id.as_ref()?),
            _ => return None,
        })
    }
}

/// The kind of event that carries a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// A creation, which may arrive after updates of the same record.
    Created,
    /// An update, or a list of the Backend API.
    Updated,
}

impl Cause {
    /// Returns the version of the state that such an event carries: by the state's `updated_at` and
    /// `data`, and the time of the [delivery's](crate::webhook::Delivery::occurred_at) event, or `None`
    /// for a user of a backfill.
    #[must_use]
    pub fn version(self, updated_at: i64, occurred_at: Option<SystemTime>, data: &Json) -> Version {
        match self {
            Self::Created => Version::created(updated_at, occurred_at, data),
            Self::Updated => Version::updated(updated_at, occurred_at, data),
        }
    }
}
