//! A session as Clerk's events describe one; not to be confused with the session of a request.

use super::json::Json;
use super::object::{object, open_enum};
use super::user::User;

object! {
    /// A session, from an event of `session.…`. Times are milliseconds since 1970.
    Session shows [id, user_id, status]
    members {
        /// Clerk's id, `sess_…`.
        id: Option<String>,
        /// Whose session it is.
        user_id: Option<String>,
        /// The device, `client_…`.
        client_id: Option<String>,
        /// Who acts as the user, if somebody does.
        actor: Option<Json>,
        /// What became of the session.
        status: Option<SessionStatus>,
        /// The organization that was last active in it.
        last_active_organization_id: Option<String>,
        /// When it was last used.
        last_active_at: Option<i64>,
        /// From where it was last used: address, place and browser.
        latest_activity: Option<Json>,
        /// When it ends.
        expire_at: Option<i64>,
        /// When it is given up.
        abandon_at: Option<i64>,
        /// When it began.
        created_at: Option<i64>,
        /// When it last changed.
        updated_at: Option<i64>,
        /// The user as of the event.
        user: Option<User>,
    }
}

open_enum! {
    /// What became of a session.
    SessionStatus {
        Abandoned = "abandoned",
        Active = "active",
        Ended = "ended",
        Expired = "expired",
        Pending = "pending",
        Removed = "removed",
        Replaced = "replaced",
        Revoked = "revoked",
    }
}
