//! The type of deleted domains, roles and permissions.

use super::object::object;

object! {
    /// A deleted domain, role or permission.
    DeletedObject shows [id, object]
    members {
        /// Clerk's id.
        id: Option<String>,
        /// The kind of object, for example `role`.
        object: Option<String>,
        /// The slug, its name in URLs, if it had one.
        slug: Option<String>,
        /// The application's own id for it.
        external_id: Option<String>,
    }
}
