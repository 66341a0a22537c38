//! The metrics of deliveries that were given to a sink.

use std::time::{SystemTime, UNIX_EPOCH};

use super::error::SinkError;
use super::event::Event;
use super::sink::Outcome;
use super::verify::Delivery;
use crate::meter::{count, gauge, measure};

/// Counts a delivery by its event's type and the outcome, and notes when it came and how long after
/// the event.
pub(super) fn record(delivery: &Delivery, outcome: &Result<Outcome, SinkError>, now: SystemTime) {
    let _outcome = match outcome {
        Ok(outcome) => outcome.as_str(),
        Err(_) => "failed",
    };
    // A type that is not known here may be any text.
    let _kind = match delivery.event() {
        Event::Unknown(_) => "unknown".to_owned(),
        event => event.kind().to_owned(),
    };
    count!("clerk_webhook_deliveries_total", "event" => _kind, "outcome" => _outcome);
    if let Ok(_since) = now.duration_since(UNIX_EPOCH) {
        gauge!("clerk_webhook_last_delivery_seconds", _since.as_secs_f64());
    }
    if let Some(_lag) = delivery.occurred_at().and_then(|at| now.duration_since(at).ok()) {
        measure!("clerk_webhook_lag_seconds", _lag.as_secs_f64());
    }
}
