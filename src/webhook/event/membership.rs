//! A user's membership of an organization.

use serde_json::value::RawValue;

use super::json::Json;
use super::object::{Member as _, Object, object};
use super::organization::Organization;
use super::times::Times;
use crate::ids::{MembershipId, OrganizationId, UserId};

object! {
    /// A membership, from `organizationMembership.created` or `organizationMembership.updated`.
    ///
    /// A user who leaves and comes back has a new membership with another id.
    OrganizationMembership shows [id, organization_id, user_id]
    reads |raw, object, times| {
        /// Clerk's id, `orgmem_…`.
        id: MembershipId = object.id("id", MembershipId::parse)?,
        /// The organization's id, from `organization`.
        organization_id: OrganizationId =
            parent(object, "organization")?.id("id", OrganizationId::parse)?,
        /// The user's id, from `public_user_data`.
        user_id: UserId = parent(object, "public_user_data")?.id("user_id", UserId::parse)?,
        /// The time of creation, in milliseconds since 1970; never later than the delivery's
        /// tolerance allows.
        created_at: i64 = object.created_at(times),
        /// The time of this state of the membership, in milliseconds since 1970: at least 1, and
        /// never later than the delivery's tolerance allows. The state with the largest time is the
        /// newest.
        updated_at: i64 = object.updated_at(times),
        /// The organization as of the event.
        organization: Organization = organization(object, times)?,
        /// The whole object, unchanged, for members that have no field here.
        data: Json = Json::new(raw),
    }
    members {
        /// The member's role, for example `org:admin`.
        role: Option<String>,
        /// The role's display name.
        role_name: Option<String>,
        /// The permissions of the role, for example `org:sys_memberships:read`.
        permissions: Vec<String>,
        /// The public metadata: readable by every client, writable only by the Backend API.
        public_metadata: Option<Json>,
        /// The private metadata: readable and writable only by the Backend API.
        private_metadata: Option<Json>,
        /// The user's data that other members may see.
        public_user_data: Option<PublicUserData>,
    }
}

object! {
    /// A deleted membership, from `organizationMembership.deleted`. Clerk sends the whole membership as a
    /// rule, and sometimes no more than its id.
    DeletedOrganizationMembership shows [id]
    reads |raw, object, _| {
        /// Clerk's id. Without it no membership is meant, and nothing may be deleted.
        id: Option<MembershipId> = object.optional_id("id", MembershipId::parse)?,
        /// The organization's id, from `organization`.
        organization_id: Option<OrganizationId> = parent(object, "organization")
            .and_then(|organization| organization.id("id", OrganizationId::parse)),
        /// The user's id, from `public_user_data`.
        user_id: Option<UserId> = parent(object, "public_user_data")
            .and_then(|user| user.id("user_id", UserId::parse)),
        /// The whole object, unchanged, for members that have no field here.
        data: Json = Json::new(raw),
    }
    members {
        /// The member's role, for example `org:admin`.
        role: Option<String>,
    }
}

object! {
    /// The data of a user that other members of an organization may see.
    PublicUserData shows [user_id]
    members {
        /// Clerk's user id.
        user_id: Option<String>,
        /// The first name.
        first_name: Option<String>,
        /// The last name.
        last_name: Option<String>,
        /// The user name.
        username: Option<String>,
        /// The user's sign-in identifier, for example an e-mail address.
        identifier: Option<String>,
        /// The URL of the user's picture.
        image_url: Option<String>,
        /// Whether the user chose this picture.
        has_image: Option<bool>,
        /// Whether the user is banned from signing in.
        banned: Option<bool>,
        /// Whether a directory revoked the user's access.
        deprovisioned: Option<bool>,
    }
}

fn parent<'a>(object: &Object<'a>, name: &str) -> Option<Object<'a>> {
    let raw: &'a RawValue = object.get(name)?;
    Object::parse(raw)
}

fn organization(object: &Object<'_>, times: Times) -> Option<Organization> {
    Organization::read(object.get("organization")?, times)
}
