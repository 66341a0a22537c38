//! The decoding of a signed body into an event. Only this file reads the envelope.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::value::RawValue;

use super::json::Json;
use super::object::{Object, integer, text};
use super::times::Times;
use super::{Event, Unreadable};
use crate::ids::UserId;

/// An event and the other members of its envelope.
#[derive(Debug)]
pub(crate) struct Envelope {
    pub(crate) attributes: Option<Json>,
    pub(crate) data: Json,
    pub(crate) event: Event,
    pub(crate) instance_id: Option<String>,
    pub(crate) occurred_at: Option<SystemTime>,
}

/// What a body is that cannot be decoded.
#[derive(Debug)]
pub(crate) enum Undecodable {
    /// No event: the problem.
    Body(&'static str),
    /// An event of a known type, whose data lacks what is needed.
    Data(UnreadableEvent),
}

/// An event of which only the envelope could be read.
#[derive(Clone, Debug)]
pub(crate) struct UnreadableEvent {
    pub(crate) instance_id: Option<String>,
    pub(crate) kind: &'static str,
    pub(crate) occurred_at: Option<SystemTime>,
    pub(crate) problem: &'static str,
    pub(crate) user_id: Option<UserId>,
}

/// Decodes a signed body. `sent` and `latest` are in milliseconds since 1970.
pub(crate) fn decode(body: &[u8], sent: i64, latest: i64) -> Result<Envelope, Undecodable> {
    let no_event = |problem| move || Undecodable::Body(problem);
    let envelope =
        Object::from_slice(body).ok_or_else(no_event("the body is not a JSON object"))?;
    let kind = envelope.get("type").and_then(text).ok_or_else(no_event("the event has no type"))?;
    let data = envelope.get("data").unwrap_or(RawValue::NULL);
    let occurred = envelope.get("timestamp").and_then(integer).and_then(millis);
    let times = Times { latest, occurred, sent };
    let (instance_id, occurred_at) =
        (envelope.get("instance_id").and_then(text), occurred.and_then(time));
    let event = match Event::read(kind, data, times) {
        Ok(event) => event,
        Err(Unreadable { kind, problem }) => {
            let user_id = user_of(kind, data.get());
            let unreadable = UnreadableEvent { instance_id, kind, occurred_at, problem, user_id };
            return Err(Undecodable::Data(unreadable));
        }
    };
    let attributes = envelope.field("event_attributes", times);
    Ok(Envelope { attributes, data: Json::new(data), event, instance_id, occurred_at })
}

/// Returns the id of the user whom an event's data is about, if it has a usable one.
pub(crate) fn user_of(kind: &str, data: &str) -> Option<UserId> {
    let data = Object::from_slice(data.as_bytes())?;
    match kind.split_once('.')?.0 {
        "user" => data.id("id", UserId::parse),
        "organizationMembership" => {
            Object::parse(data.get("public_user_data")?)?.id("user_id", UserId::parse)
        }
        _ => data.id("user_id", UserId::parse),
    }
}

/// Returns an envelope's timestamp in milliseconds.
///
/// Clerk documents milliseconds, but its examples show seconds: a value that would be before March
/// 1973 in milliseconds is taken as seconds.
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
