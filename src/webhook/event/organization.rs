//! An organization, and a deleted one.

use super::json::Json;
use super::object::object;
use crate::ids::OrganizationId;

object! {
    /// An organization, from `organization.created` or `organization.updated`.
    Organization shows [id]
    reads |raw, object, times| {
        /// Clerk's id, `org_…`.
        id: OrganizationId = object.id("id", OrganizationId::parse)?,
        /// The time of creation, in milliseconds since 1970; never later than the delivery's
        /// tolerance allows.
        created_at: i64 = object.created_at(times),
        /// The time of this state of the organization, in milliseconds since 1970: at least 1, and
        /// never later than the delivery's tolerance allows. The state with the largest time is the
        /// newest.
        updated_at: i64 = object.updated_at(times),
        /// The whole object, unchanged, for members that have no field here.
        data: Json = Json::new(raw),
    }
    members {
        /// The name.
        name: Option<String>,
        /// The slug: its name in URLs.
        slug: Option<String>,
        /// The URL of its picture.
        image_url: Option<String>,
        /// Whether a member chose this picture.
        has_image: Option<bool>,
        /// The id of the user who created it.
        created_by: Option<String>,
        /// The number of members.
        members_count: Option<i64>,
        /// The number of open invitations.
        pending_invitations_count: Option<i64>,
        /// The largest number of members; 0 for no limit.
        max_allowed_memberships: Option<i64>,
        /// Whether no remaining member may manage it.
        missing_member_with_elevated_permissions: Option<bool>,
        /// Whether its admins may delete it.
        admin_delete_enabled: Option<bool>,
        /// The key of its set of roles.
        role_set_key: Option<String>,
        /// The public metadata: readable by every client, writable only by the Backend API.
        public_metadata: Option<Json>,
        /// The private metadata: readable and writable only by the Backend API.
        private_metadata: Option<Json>,
        /// The time of the last activity of a member, in milliseconds since 1970.
        last_active_at: Option<i64>,
    }
}

object! {
    /// A deleted organization, from `organization.deleted`.
    DeletedOrganization shows [id]
    reads |_, object, _| {
        /// Clerk's id. It is optional in Clerk's own types: without it, no organization is meant,
        /// and nothing may be deleted.
        id: Option<OrganizationId> = object.optional_id("id", OrganizationId::parse)?,
    }
    members {
        /// The slug: its name in URLs.
        slug: Option<String>,
    }
}
