//! A user as Clerk describes one. Reading only; what is missing or of another type is `None`.

use std::fmt;

use serde_json::Value;

use super::decode::Times;

/// A user, from `user.created` or `user.updated`.
///
/// Everything that Clerk may leave out is optional. The `Debug` form shows the id alone.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct User {
    /// Clerk's user id, `user_…`: letters, digits and underscores, 255 at most.
    pub id: String,
    /// When the user was created: milliseconds since 1970, never later than the delivery's
    /// tolerance allows.
    pub created_at: i64,
    /// Which state of the user this is: milliseconds since 1970, at least 1, and never later than
    /// the delivery's tolerance allows. The newest state is the one with the largest number.
    pub updated_at: i64,
    /// The primary e-mail address: the one that `primary_email_address_id` names, never another.
    pub email: Option<String>,
    /// The first name.
    pub first_name: Option<String>,
    /// The last name.
    pub last_name: Option<String>,
    /// The user name.
    pub username: Option<String>,
    /// Where the user's picture is.
    pub image_url: Option<String>,
    /// The whole object as it came, with metadata and all.
    pub data: Value,
}

impl User {
    /// Reads Clerk's user object; `None` when it has no usable id.
    pub(crate) fn read(data: Value, times: Times) -> Option<Self> {
        let id = user_id(data.get("id")?)?.to_owned();
        let millis = |name| data.get(name).and_then(integer);
        let updated_at = millis("updated_at")
            .or(times.occurred)
            .or_else(|| millis("created_at"))
            .unwrap_or(times.sent);
        let updated_at = times.within(updated_at);
        let created_at = millis("created_at").map_or(updated_at, |created| times.within(created));
        let text = |name| data.get(name).and_then(Value::as_str).map(str::to_owned);
        Some(Self {
            id,
            created_at,
            updated_at,
            email: primary_email(&data).map(str::to_owned),
            first_name: text("first_name"),
            last_name: text("last_name"),
            username: text("username"),
            image_url: text("image_url"),
            data,
        })
    }
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A user who is gone, from `user.deleted`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeletedUser {
    /// Clerk's user id. Clerk's own types make it optional: without it, nobody is meant, and
    /// nothing may be deleted.
    pub id: Option<String>,
}

impl DeletedUser {
    /// Reads Clerk's deleted object; `None` when its id is there and unusable.
    pub(crate) fn read(data: &Value) -> Option<Self> {
        let id = match data.as_object()?.get("id") {
            None | Some(Value::Null) => None,
            Some(id) => Some(user_id(id)?.to_owned()),
        };
        Some(Self { id })
    }
}

/// Whether Clerk may have given this id to a user.
pub(crate) fn is_user_id(id: &str) -> bool {
    (1..=MAX_ID_LENGTH).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn user_id(id: &Value) -> Option<&str> {
    id.as_str().filter(|id| is_user_id(id))
}

fn primary_email(data: &Value) -> Option<&str> {
    let primary = data.get("primary_email_address_id")?.as_str()?;
    let addresses = data.get("email_addresses")?.as_array()?;
    let named = |address: &&Value| address.get("id").and_then(Value::as_str) == Some(primary);
    addresses.iter().find(named)?.get("email_address")?.as_str()
}

/// Any JSON number as an integer, the ends of the range standing for what lies beyond them.
pub(super) fn integer(value: &Value) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "saturating is what is wanted")]
    value.as_i64().or_else(|| value.as_f64().map(|float| float as i64))
}

const MAX_ID_LENGTH: usize = 255;
