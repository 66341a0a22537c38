//! Roles and permissions.

use super::object::object;

object! {
    /// A role, from `role.created` or `role.updated`.
    Role shows [id, key]
    members {
        /// Clerk's id, `role_…`.
        id: Option<String>,
        /// The display name.
        name: Option<String>,
        /// The key: its name in tokens, for example `org:admin`.
        key: Option<String>,
        /// The purpose.
        description: Option<String>,
        /// Whether the creator of an organization may have it.
        is_creator_eligible: Option<bool>,
        /// The permissions that it grants.
        permissions: Vec<Permission>,
        /// The time of creation, in milliseconds since 1970.
        created_at: Option<i64>,
        /// The time of the last change, in milliseconds since 1970.
        updated_at: Option<i64>,
    }
}

object! {
    /// A permission, from `permission.created` or `permission.updated`.
    Permission shows [id, key]
    members {
        /// Clerk's id, `perm_…`.
        id: Option<String>,
        /// The display name.
        name: Option<String>,
        /// The key: its name in tokens, for example `org:invoices:create`.
        key: Option<String>,
        /// The purpose.
        description: Option<String>,
        /// The member `type`: `user` for the application's permissions, `system` for Clerk's.
        kind ("type"): Option<String>,
        /// The time of creation, in milliseconds since 1970.
        created_at: Option<i64>,
        /// The time of the last change, in milliseconds since 1970.
        updated_at: Option<i64>,
    }
}
