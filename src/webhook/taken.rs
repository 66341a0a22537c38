//! The metrics of deliveries that were given to a sink.

use std::time::{SystemTime, UNIX_EPOCH};

use super::error::SinkError;
use super::event::Event;
use super::sink::Outcome;
use super::verify::{Delivery, UnreadableDelivery};
use crate::meter::{count, gauge, measure};

/// Counts a delivery by its event's type and the outcome, and notes when it came and how long after
/// the event.
pub(super) fn record(delivery: &Delivery, outcome: &Result<Outcome, SinkError>, now: SystemTime) {
    // A type that is not known here may be any text.
    let _kind = match delivery.event() {
        Event::Unknown(_) => "unknown".to_owned(),
        event => event.kind().to_owned(),
    };
    record_one(
        _kind,
        outcome.as_ref().map_or("failed", |one| one.as_str()),
        delivery.occurred_at(),
        now,
    );
}

/// Does what [`record`] does for a delivery that a sink was asked to park. `None` is the outcome where
/// it does not.
pub(super) fn record_unreadable(
    delivery: &UnreadableDelivery,
    outcome: &Result<Option<Outcome>, SinkError>,
    now: SystemTime,
) {
    let outcome = match outcome {
        Ok(Some(outcome)) => outcome.as_str(),
        Ok(None) | Err(_) => "failed",
    };
    record_one(delivery.kind().to_owned(), outcome, delivery.occurred_at(), now);
}

fn record_one(
    _kind: String,
    _outcome: &'static str,
    occurred_at: Option<SystemTime>,
    now: SystemTime,
) {
    count!("clerk_webhook_deliveries_total", "event" => _kind, "outcome" => _outcome);
    if let Ok(_since) = now.duration_since(UNIX_EPOCH) {
        gauge!("clerk_webhook_last_delivery_seconds", _since.as_secs_f64());
    }
    if let Some(_lag) = occurred_at.and_then(|at| now.duration_since(at).ok()) {
        measure!("clerk_webhook_lag_seconds", _lag.as_secs_f64());
    }
}
