//! The lock-out that an event causes.

use std::time::UNIX_EPOCH;

use crate::lockout::{Barred, Lockout};
use crate::webhook::Delivery;
use crate::webhook::event::{
    DeletedOrganization, DeletedOrganizationMembership, Event, Session, User,
};

/// Returns whom a delivery's event locks out: the session that was ended, removed or revoked; a user who is
/// banned; a member who has left, and all members of an organization that is gone. A user who is locked
/// (`locked`) may not sign in for a while, and stays signed in: strangers can cause it.
///
/// To be written in the transaction of the event, also if the event's state is older than the known one:
/// then it is `None` only for events that lock nobody out, or that do not say whom.
#[must_use]
pub fn lockout_of(delivery: &Delivery) -> Option<Lockout> {
    let barred = match delivery.event() {
        Event::SessionEnded(Session { id, .. })
        | Event::SessionRemoved(Session { id, .. })
        | Event::SessionRevoked(Session { id, .. }) => Barred::Session(id.clone()?),
        Event::UserCreated(user) | Event::UserUpdated(user) => match user {
            User { banned: Some(true), id, .. } => Barred::User(id.to_string()),
            _ => return None,
        },
        Event::OrganizationDeleted(DeletedOrganization { id, .. }) => {
            Barred::Organization(id.as_ref()?.to_string())
        }
        Event::OrganizationMembershipDeleted(DeletedOrganizationMembership {
            organization_id,
            user_id,
            ..
        }) => Barred::Membership {
            organization_id: organization_id.as_ref()?.to_string(),
            user_id: user_id.as_ref()?.to_string(),
        },
        _ => return None,
    };
    // Both are Clerk's times, like that of the token.
    let occurred_at = delivery.occurred_at().unwrap_or_else(|| delivery.sent_at());
    let since_1970 = occurred_at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let millis = i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX);
    Some(Lockout::new(barred, millis))
}
