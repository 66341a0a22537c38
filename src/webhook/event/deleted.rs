//! What is left of a thing that was deleted.

use super::object::object;

object! {
    /// What is left of a domain, a role or a permission that was deleted.
    DeletedObject shows [id, object]
    members {
        /// The thing's id.
        id: Option<String>,
        /// What kind of thing it was, for example `role`.
        object: Option<String>,
        /// Its name in addresses, if it had one.
        slug: Option<String>,
        /// The application's own id for it.
        external_id: Option<String>,
    }
}
