//! From bytes to an event. The only file that reads the envelope.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value};

use super::user::{DeletedUser, User, integer};
use super::{Event, USER_CREATED, USER_DELETED, USER_UPDATED, UnknownEvent};
use crate::webhook::error::{DeliveryError, DeliveryErrorKind};

/// An event and what its envelope says about it.
#[derive(Debug)]
pub(crate) struct Envelope {
    pub(crate) event: Event,
    pub(crate) instance_id: Option<String>,
    pub(crate) occurred_at: Option<SystemTime>,
}

/// The times that a state's own are judged by, all in milliseconds since 1970.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    /// The latest that is believed: a state from the far future would win for ever.
    pub(crate) latest: i64,
    /// When the event happened, by its envelope.
    pub(crate) occurred: Option<i64>,
    /// When this try was sent.
    pub(crate) sent: i64,
}

impl Times {
    /// At least 1: 0 is older than every state that Clerk ever told.
    pub(super) fn within(self, millis: i64) -> i64 {
        millis.min(self.latest).max(1)
    }
}

/// Reads a signed body. `sent` and `latest` are milliseconds since 1970.
pub(crate) fn decode(body: &[u8], sent: i64, latest: i64) -> Result<Envelope, DeliveryError> {
    let mut envelope: Map<String, Value> =
        serde_json::from_slice(body).map_err(|_| invalid("the body is not a JSON object"))?;
    let Some(Value::String(kind)) = envelope.remove("type") else {
        return Err(invalid("the event has no type"));
    };
    let data = envelope.remove("data").unwrap_or_default();
    let occurred = envelope.get("timestamp").and_then(integer).and_then(millis);
    let times = Times { latest, occurred, sent };
    let user = |data| User::read(data, times).ok_or_else(|| invalid("the user has no usable id"));
    let event = match kind.as_str() {
        USER_CREATED => Event::UserCreated(user(data)?),
        USER_UPDATED => Event::UserUpdated(user(data)?),
        USER_DELETED => Event::UserDeleted(
            DeletedUser::read(&data).ok_or_else(|| invalid("the user's id is unusable"))?,
        ),
        _ => Event::Unknown(UnknownEvent { kind, data }),
    };
    let instance_id = envelope.get("instance_id").and_then(Value::as_str).map(str::to_owned);
    Ok(Envelope { event, instance_id, occurred_at: occurred.and_then(time) })
}

/// Clerk documents milliseconds and shows seconds in every example: what is too small for
/// milliseconds (before March 1973) is seconds.
fn millis(timestamp: i64) -> Option<i64> {
    match timestamp {
        ..=0 => None,
        1..100_000_000_000 => timestamp.checked_mul(1000),
        _ => Some(timestamp),
    }
}

fn time(millis: i64) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_millis(u64::try_from(millis).ok()?))
}

fn invalid(problem: &'static str) -> DeliveryError {
    DeliveryError::new(DeliveryErrorKind::InvalidEvent, problem)
}
