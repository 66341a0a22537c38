//! Who belongs to an organization.

use serde_json::value::RawValue;

use super::json::Json;
use super::object::{Member as _, Object, object};
use super::organization::Organization;
use super::times::Times;
use crate::ids::{MembershipId, OrganizationId, UserId};

object! {
    /// A membership, from an event of `organizationMembership.…`. Clerk sends the whole of it when
    /// it is deleted, too.
    ///
    /// Who leaves and comes back has a new membership with another id. Times are milliseconds
    /// since 1970.
    OrganizationMembership shows [id, organization_id, user_id]
    reads |raw, object, times| {
        /// Clerk's id, `orgmem_…`.
        id: MembershipId = object.id("id", MembershipId::parse)?,
        /// The organization: the id of `organization`.
        organization_id: OrganizationId =
            parent(object, "organization")?.id("id", OrganizationId::parse)?,
        /// The user: the id in `public_user_data`.
        user_id: UserId = parent(object, "public_user_data")?.id("user_id", UserId::parse)?,
        /// When it began; never later than the delivery's tolerance allows.
        created_at: i64 = object.created_at(times),
        /// Which state of the membership this is: at least 1, and never later than the delivery's
        /// tolerance allows. The newest state is the one with the largest number.
        updated_at: i64 = object.updated_at(times),
        /// The organization as of the event.
        organization: Organization = organization(object, times)?,
        /// The whole object as it came, for what is not read here.
        data: Json = Json::new(raw),
    }
    members {
        /// The member's role, for example `org:admin`.
        role: Option<String>,
        /// The role's name for people.
        role_name: Option<String>,
        /// What the role allows, for example `org:sys_memberships:read`.
        permissions: Vec<String>,
        /// What everybody may read and only the Backend API may write.
        public_metadata: Option<Json>,
        /// What only the Backend API may read and write.
        private_metadata: Option<Json>,
        /// What other members may know of the user.
        public_user_data: Option<PublicUserData>,
    }
}

object! {
    /// What other members of an organization may know of a user.
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
        /// What the user signs in with, for example an e-mail address.
        identifier: Option<String>,
        /// Where the user's picture is.
        image_url: Option<String>,
        /// Whether the user chose that picture.
        has_image: Option<bool>,
        /// Whether the user may not sign in any more.
        banned: Option<bool>,
        /// Whether a directory took the user's access away.
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
