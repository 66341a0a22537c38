//! Roles and permissions.

use super::object::object;

object! {
    /// A role, from `role.created` or `role.updated`. Times are milliseconds since 1970.
    Role shows [id, key]
    members {
        /// Clerk's id, `role_…`.
        id: Option<String>,
        /// Its name for people.
        name: Option<String>,
        /// Its name in tokens, for example `org:admin`.
        key: Option<String>,
        /// What it is for.
        description: Option<String>,
        /// Whether who creates an organization may have it.
        is_creator_eligible: Option<bool>,
        /// What it allows.
        permissions: Vec<Permission>,
        /// When it was made.
        created_at: Option<i64>,
        /// When it last changed.
        updated_at: Option<i64>,
    }
}

object! {
    /// A permission, from `permission.created` or `permission.updated`. Times are milliseconds
    /// since 1970.
    Permission shows [id, key]
    members {
        /// Clerk's id, `perm_…`.
        id: Option<String>,
        /// Its name for people.
        name: Option<String>,
        /// Its name in tokens, for example `org:invoices:create`.
        key: Option<String>,
        /// What it is for.
        description: Option<String>,
        /// The member `type`: `user` for the application's own, `system` for Clerk's.
        kind ("type"): Option<String>,
        /// When it was made.
        created_at: Option<i64>,
        /// When it last changed.
        updated_at: Option<i64>,
    }
}
