//! The decoding of a signed body into an event. Only this file reads the envelope.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::value::RawValue;

use super::json::Json;
use super::object::{Object, integer, text};
use super::times::Times;
use super::{Event, Unreadable};
use crate::webhook::error::{DeliveryError, DeliveryErrorKind};

/// An event and the other members of its envelope.
#[derive(Debug)]
pub(crate) struct Envelope {
    pub(crate) attributes: Option<Json>,
    pub(crate) data: Json,
    pub(crate) event: Event,
    pub(crate) instance_id: Option<String>,
    pub(crate) occurred_at: Option<SystemTime>,
}

/// Decodes a signed body. `sent` and `latest` are in milliseconds since 1970.
pub(crate) fn decode(body: &[u8], sent: i64, latest: i64) -> Result<Envelope, DeliveryError> {
    let envelope =
        Object::from_slice(body).ok_or_else(|| invalid("the body is not a JSON object"))?;
    let kind =
        envelope.get("type").and_then(text).ok_or_else(|| invalid("the event has no type"))?;
    let data = envelope.get("data").unwrap_or(RawValue::NULL);
    let occurred = envelope.get("timestamp").and_then(integer).and_then(millis);
    let times = Times { latest, occurred, sent };
    Ok(Envelope {
        attributes: envelope.field("event_attributes", times),
        data: Json::new(data),
        event: Event::read(kind, data, times)
            .map_err(|Unreadable { kind, problem }| invalid(problem).of_event(kind))?,
        instance_id: envelope.get("instance_id").and_then(text),
        occurred_at: occurred.and_then(time),
    })
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

fn invalid(problem: &'static str) -> DeliveryError {
    DeliveryError::new(DeliveryErrorKind::InvalidEvent, problem)
}
