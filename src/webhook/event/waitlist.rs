//! Who waits to be let in.

use super::json::Json;
use super::object::{object, open_enum};

object! {
    /// An entry of the waiting list, from an event of `waitlistEntry.…`. Times are milliseconds
    /// since 1970.
    WaitlistEntry shows [id, status]
    members {
        /// Clerk's id, `wle_…`.
        id: Option<String>,
        /// Who waits.
        email_address: Option<String>,
        /// What became of it.
        status: Option<WaitlistStatus>,
        /// Whether nobody may decide about it any more.
        is_locked: Option<bool>,
        /// The invitation that was sent.
        invitation: Option<Json>,
        /// When it was made.
        created_at: Option<i64>,
        /// When it last changed.
        updated_at: Option<i64>,
    }
}

open_enum! {
    /// What became of an entry of the waiting list.
    WaitlistStatus {
        Completed = "completed",
        Invited = "invited",
        Pending = "pending",
        Rejected = "rejected",
    }
}
