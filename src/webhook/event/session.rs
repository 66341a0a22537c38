//! A session in Clerk's events, as opposed to the verified session of a request.

use super::json::Json;
use super::object::{object, open_enum};
use super::user::User;

object! {
    /// A session, from an event of `session.…`.
    Session shows [id, user_id, status]
    members {
        /// Clerk's id, `sess_…`.
        id: Option<String>,
        /// The user's id.
        user_id: Option<String>,
        /// The device's id, `client_…`.
        client_id: Option<String>,
        /// The actor, if another user acts as this one.
        actor: Option<Json>,
        /// The status.
        status: Option<SessionStatus>,
        /// The id of the organization that was last active in it.
        last_active_organization_id: Option<String>,
        /// The time of the last use, in milliseconds since 1970.
        last_active_at: Option<i64>,
        /// The origin of the last use: address, place and browser.
        latest_activity: Option<Json>,
        /// The time of expiry, in milliseconds since 1970.
        expire_at: Option<i64>,
        /// The time at which it counts as abandoned, in milliseconds since 1970.
        abandon_at: Option<i64>,
        /// The time of creation, in milliseconds since 1970.
        created_at: Option<i64>,
        /// The time of the last change, in milliseconds since 1970.
        updated_at: Option<i64>,
        /// The user at the time of the event.
        user: Option<User>,
    }
}

open_enum! {
    /// The status of a session.
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
