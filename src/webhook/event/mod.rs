//! ④ What happened: the events that are read, and the rest as it came. Trusts its bytes to be
//! signed; knows neither headers nor time.

mod decode;
mod user;

use std::fmt;

use serde_json::Value;

pub(crate) use decode::decode;
#[cfg(feature = "sea-orm")]
pub(crate) use user::is_user_id;
pub use user::{DeletedUser, User};

/// Something that happened at Clerk.
///
/// Only the envelope's `type` says which: Clerk's list of types is open, and what is not read
/// here stays available as it came.
///
/// Source: <https://clerk.com/docs/guides/development/webhooks/overview>.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// An event that this crate does not read, for example `session.created`.
    Unknown(UnknownEvent),
    /// `user.created`.
    UserCreated(User),
    /// `user.deleted`.
    UserDeleted(DeletedUser),
    /// `user.updated`.
    UserUpdated(User),
}

impl Event {
    /// The envelope's `type`, for example `user.created`.
    #[must_use]
    pub fn kind(&self) -> &str {
        match self {
            Self::Unknown(event) => &event.kind,
            Self::UserCreated(_) => USER_CREATED,
            Self::UserDeleted(_) => USER_DELETED,
            Self::UserUpdated(_) => USER_UPDATED,
        }
    }
}

/// An event that this crate does not read.
///
/// Its `Debug` form leaves the data out: `email.created` and `sms.created` carry one-time codes.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct UnknownEvent {
    /// The envelope's `type`.
    pub kind: String,
    /// The envelope's `data`; null when it has none.
    pub data: Value,
}

impl fmt::Debug for UnknownEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnknownEvent").field("kind", &self.kind).finish_non_exhaustive()
    }
}

const USER_CREATED: &str = "user.created";
const USER_DELETED: &str = "user.deleted";
const USER_UPDATED: &str = "user.updated";

#[cfg(test)]
mod tests;
