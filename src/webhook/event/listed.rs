//! A user in a list of the Backend API: the same object as in an event, without an envelope.

use serde_json::value::RawValue;

use super::object::{Member, Object, text};
use super::times::Times;
use super::user::User;

/// An element of a list of users.
pub(crate) struct ListedUser {
    /// The id as it was sent, if it is a string.
    pub(crate) id: Option<String>,
    /// `created_at` as it was sent, in milliseconds since 1970.
    pub(crate) created_at: Option<i64>,
    /// The user, unless there is no usable id.
    pub(crate) user: Option<User>,
}

impl ListedUser {
    /// Reads an element. `latest` is the latest plausible time, in milliseconds since 1970.
    pub(crate) fn read(raw: &RawValue, latest: i64) -> Self {
        let Some(object) = Object::parse(raw) else {
            return Self { id: None, created_at: None, user: None };
        };
        // A state without a time is older than every state with one.
        let times = Times { latest, occurred: None, sent: 1 };
        Self {
            id: object.get("id").and_then(text),
            created_at: object.millis("created_at"),
            user: User::read(raw, times),
        }
    }
}
