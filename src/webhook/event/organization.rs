//! An organization, and one that is gone.

use super::json::Json;
use super::object::object;
use crate::ids::OrganizationId;

object! {
    /// An organization, from `organization.created` or `organization.updated`.
    ///
    /// Times are milliseconds since 1970.
    Organization shows [id]
    reads |raw, object, times| {
        /// Clerk's id, `org_…`.
        id: OrganizationId = object.id("id", OrganizationId::parse)?,
        /// When it was created; never later than the delivery's tolerance allows.
        created_at: i64 = object.created_at(times),
        /// Which state of the organization this is: at least 1, and never later than the
        /// delivery's tolerance allows. The newest state is the one with the largest number.
        updated_at: i64 = object.updated_at(times),
        /// The whole object as it came, for what is not read here.
        data: Json = Json::new(raw),
    }
    members {
        /// Its name.
        name: Option<String>,
        /// Its name in addresses.
        slug: Option<String>,
        /// Where its picture is.
        image_url: Option<String>,
        /// Whether somebody chose that picture.
        has_image: Option<bool>,
        /// The user who created it.
        created_by: Option<String>,
        /// How many members it has.
        members_count: Option<i64>,
        /// How many invitations are open.
        pending_invitations_count: Option<i64>,
        /// How many members it may have; 0 for any number.
        max_allowed_memberships: Option<i64>,
        /// Whether nobody is left who may manage it.
        missing_member_with_elevated_permissions: Option<bool>,
        /// Whether its admins may delete it.
        admin_delete_enabled: Option<bool>,
        /// Which set of roles it uses.
        role_set_key: Option<String>,
        /// What everybody may read and only the Backend API may write.
        public_metadata: Option<Json>,
        /// What only the Backend API may read and write.
        private_metadata: Option<Json>,
        /// When somebody was last active in it.
        last_active_at: Option<i64>,
    }
}

object! {
    /// An organization that is gone, from `organization.deleted`.
    DeletedOrganization shows [id]
    reads |_, object, _| {
        /// Clerk's id. Clerk's own types make it optional: without it none is meant, and nothing
        /// may be deleted.
        id: Option<OrganizationId> = object.optional_id("id", OrganizationId::parse)?,
    }
    members {
        /// Its name in addresses.
        slug: Option<String>,
    }
}
