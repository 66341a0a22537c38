//! An entry of the waiting list.

use super::json::Json;
use super::object::{object, open_enum};

object! {
    /// An entry of the waiting list, from an event of `waitlistEntry.…`.
    WaitlistEntry shows [id, status]
    members {
        /// Clerk's id, `wle_…`.
        id: Option<String>,
        /// The waiting person's e-mail address.
        email_address: Option<String>,
        /// The status.
        status: Option<WaitlistStatus>,
        /// Whether its status can no longer be changed.
        is_locked: Option<bool>,
        /// The invitation that Clerk sent.
        invitation: Option<Json>,
        /// The time of creation, in milliseconds since 1970.
        created_at: Option<i64>,
        /// The time of the last change, in milliseconds since 1970.
        updated_at: Option<i64>,
    }
}

open_enum! {
    /// The status of an entry of the waiting list.
    WaitlistStatus {
        Completed = "completed",
        Invited = "invited",
        Pending = "pending",
        Rejected = "rejected",
    }
}
