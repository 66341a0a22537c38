//! The events and their data. Assumes that the bytes are signed; knows no headers and no clocks.
//!
//! Each of Clerk's objects has a type. A member that Clerk may omit is an `Option`, a member with a
//! known set of texts is an enum with an `Unknown(String)`, and a member of an unexpected type is
//! `None` instead of an error. Only an event whose ids become keys (users, organizations,
//! memberships) is refused if those ids are missing or unusable. Members without a field here are
//! in [`Delivery::data`](super::Delivery::data), the unchanged JSON.
//!
//! ```
//! use tower_clerk::webhook::event::{Event, SessionStatus, SubscriptionStatus};
//!
//! fn headline(event: &Event) -> Option<String> {
//!     Some(match event {
//!         Event::UserCreated(user) => format!("{} is new", user.id),
//!         Event::OrganizationMembershipDeleted(membership) => {
//!             format!("{} left {}", membership.user_id.as_ref()?, membership.organization_id.as_ref()?)
//!         }
//!         Event::SubscriptionUpdated(subscription)
//!             if subscription.status == Some(SubscriptionStatus::PastDue) =>
//!         {
//!             format!("{} is overdue", subscription.id.as_deref()?)
//!         }
//!         _ => return None,
//!     })
//! }
//! ```

mod billing;
mod communication;
mod contact;
mod decode;
mod deleted;
mod domain;
mod invitation;
mod json;
#[cfg(feature = "backfill")]
mod listed;
mod membership;
mod object;
mod organization;
mod role;
mod session;
mod times;
mod user;
mod waitlist;

use serde_json::value::RawValue;

pub use billing::{
    ChargeType, Payer, PaymentAttempt, PaymentStatus, Subscription, SubscriptionItem,
    SubscriptionStatus,
};
pub use communication::{Email, Sms};
pub use contact::{
    EmailAddress, ExternalAccount, PhoneNumber, Verification, VerificationStatus, Web3Wallet,
};
#[cfg(feature = "sea-orm")]
pub(crate) use decode::user_of;
pub(crate) use decode::{Envelope, Undecodable, UnreadableEvent, decode};
pub use deleted::DeletedObject;
pub use domain::{EnrollmentMode, OrganizationDomain};
pub use invitation::{InvitationStatus, OrganizationInvitation};
pub use json::Json;
#[cfg(feature = "backfill")]
pub(crate) use listed::{Listed, ListedRecord, listed_id};
pub use membership::{DeletedOrganizationMembership, OrganizationMembership, PublicUserData};
use object::Member;
pub use organization::{DeletedOrganization, Organization};
pub use role::{Permission, Role};
pub use session::{Session, SessionStatus};
use times::Times;
pub use user::{DeletedUser, User};
pub use waitlist::{WaitlistEntry, WaitlistStatus};

/// Declares [`Event`]: the name of each type, its variant and its data. Unreadable data refuses the
/// delivery where a problem is given, and is an [`Event::Unknown`] elsewhere.
macro_rules! events {
    ($($kind:literal $variant:ident($data:ty) $(or $problem:literal)?,)*) => {
        /// An event at Clerk.
        ///
        /// Only the envelope's `type` decides which one, never a member of `data`. Clerk may add
        /// types: one that is not known here is [`Unknown`](Self::Unknown), and its data is in
        /// [`Delivery::data`](crate::webhook::Delivery::data), as for every event.
        ///
        /// Source: <https://clerk.com/docs/guides/development/webhooks/overview>.
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Event {
            $(#[doc = concat!("`", $kind, "`.")] $variant($data),)*
            /// A type that is not known here, or a known one whose data is not an object.
            Unknown(UnknownEvent),
        }

        impl Event {
            /// Returns the envelope's `type`, for example `user.created`.
            #[must_use]
            pub fn kind(&self) -> &str {
                match self {
                    $(Self::$variant(_) => $kind,)*
                    Self::Unknown(event) => &event.kind,
                }
            }

            fn read(kind: String, data: &RawValue, times: Times) -> Result<Self, Unreadable> {
                let event = match kind.as_str() {
                    $($kind => match <$data>::read(data, times) {
                        Some(data) => Some(Self::$variant(data)),
                        None => {
                            $(return Err(Unreadable { kind: $kind, problem: $problem });)?
                            #[allow(unreachable_code)]
                            None
                        }
                    },)*
                    _ => None,
                };
                Ok(event.unwrap_or(Self::Unknown(UnknownEvent { kind })))
            }
        }
    };
}

events! {
    "email.created" EmailCreated(Email),
    "organization.created" OrganizationCreated(Organization)
        or "the organization has no usable id",
    "organization.deleted" OrganizationDeleted(DeletedOrganization)
        or "the organization's id is unusable",
    "organization.updated" OrganizationUpdated(Organization)
        or "the organization has no usable id",
    "organizationDomain.created" OrganizationDomainCreated(OrganizationDomain),
    "organizationDomain.deleted" OrganizationDomainDeleted(DeletedObject),
    "organizationDomain.updated" OrganizationDomainUpdated(OrganizationDomain),
    "organizationInvitation.accepted" OrganizationInvitationAccepted(OrganizationInvitation),
    "organizationInvitation.created" OrganizationInvitationCreated(OrganizationInvitation),
    "organizationInvitation.revoked" OrganizationInvitationRevoked(OrganizationInvitation),
    "organizationMembership.created" OrganizationMembershipCreated(OrganizationMembership)
        or "the membership, its organization or its user has no usable id",
    "organizationMembership.deleted" OrganizationMembershipDeleted(DeletedOrganizationMembership)
        or "the membership's id is unusable",
    "organizationMembership.updated" OrganizationMembershipUpdated(OrganizationMembership)
        or "the membership, its organization or its user has no usable id",
    "paymentAttempt.created" PaymentAttemptCreated(PaymentAttempt),
    "paymentAttempt.updated" PaymentAttemptUpdated(PaymentAttempt),
    "permission.created" PermissionCreated(Permission),
    "permission.deleted" PermissionDeleted(DeletedObject),
    "permission.updated" PermissionUpdated(Permission),
    "role.created" RoleCreated(Role),
    "role.deleted" RoleDeleted(DeletedObject),
    "role.updated" RoleUpdated(Role),
    "session.created" SessionCreated(Session),
    "session.ended" SessionEnded(Session),
    "session.pending" SessionPending(Session),
    "session.removed" SessionRemoved(Session),
    "session.revoked" SessionRevoked(Session),
    "sms.created" SmsCreated(Sms),
    "subscription.active" SubscriptionActive(Subscription),
    "subscription.created" SubscriptionCreated(Subscription),
    "subscription.pastDue" SubscriptionPastDue(Subscription),
    "subscription.updated" SubscriptionUpdated(Subscription),
    "subscriptionItem.abandoned" SubscriptionItemAbandoned(SubscriptionItem),
    "subscriptionItem.active" SubscriptionItemActive(SubscriptionItem),
    "subscriptionItem.canceled" SubscriptionItemCanceled(SubscriptionItem),
    "subscriptionItem.created" SubscriptionItemCreated(SubscriptionItem),
    "subscriptionItem.ended" SubscriptionItemEnded(SubscriptionItem),
    "subscriptionItem.freeTrialEnding" SubscriptionItemFreeTrialEnding(SubscriptionItem),
    "subscriptionItem.incomplete" SubscriptionItemIncomplete(SubscriptionItem),
    "subscriptionItem.pastDue" SubscriptionItemPastDue(SubscriptionItem),
    "subscriptionItem.upcoming" SubscriptionItemUpcoming(SubscriptionItem),
    "subscriptionItem.updated" SubscriptionItemUpdated(SubscriptionItem),
    "user.created" UserCreated(User) or "the user has no usable id",
    "user.deleted" UserDeleted(DeletedUser) or "the user's id is unusable",
    "user.updated" UserUpdated(User) or "the user has no usable id",
    "waitlistEntry.created" WaitlistEntryCreated(WaitlistEntry),
    "waitlistEntry.updated" WaitlistEntryUpdated(WaitlistEntry),
}

/// An event whose data lacks what a record of its kind needs.
struct Unreadable {
    kind: &'static str,
    problem: &'static str,
}

/// An event of a type that is not known here.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnknownEvent {
    /// The envelope's `type`.
    pub kind: String,
}

#[cfg(test)]
mod tests;
