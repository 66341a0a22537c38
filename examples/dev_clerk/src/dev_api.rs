//! Deliveries and their faults, for programs. Clerk has none of these routes.

use axum::extract::{Path, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::body::Body;
use crate::error::ClerkError;
use crate::instance::Instance;
use crate::webhooks::{Attempt, Entry, Faults, GivenFaults, ReplayId};

/// Returns the routes, which the caller puts behind the secret key.
pub(super) fn routes() -> Router<Instance> {
    Router::new()
        .route("/dev/deliveries", get(list_deliveries))
        .route("/dev/deliveries/{id}", get(show_delivery))
        .route("/dev/deliveries/{id}/replay", post(replay))
        .route("/dev/faults", get(show_faults).put(set_faults).delete(clear_faults))
}

async fn list_deliveries(State(instance): State<Instance>) -> Json<Value> {
    let entries = instance.outbox().deliveries();
    Json(entries.iter().map(|entry| entry_json(&instance, entry)).collect())
}

async fn show_delivery(
    State(instance): State<Instance>,
    Path(id): Path<String>,
) -> Result<Json<Value>, ClerkError> {
    let entry = instance.outbox().delivery(&id).ok_or_else(no_delivery)?;
    let mut json = entry_json(&instance, &entry);
    json["payload"] = serde_json::from_str(&entry.delivery.body).unwrap_or_default();
    Ok(Json(json))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Replay {
    #[serde(default)]
    new_id: bool,
}

async fn replay(
    State(instance): State<Instance>,
    Path(id): Path<String>,
    Body(replay): Body<Replay>,
) -> Result<Json<Value>, ClerkError> {
    let naming = if replay.new_id { ReplayId::New } else { ReplayId::Same };
    let entry = instance.outbox().replay(&id, naming).ok_or_else(no_delivery)?;
    Ok(Json(entry_json(&instance, &entry)))
}

async fn show_faults(State(instance): State<Instance>) -> Json<Faults> {
    Json(instance.outbox().faults())
}

async fn set_faults(
    State(instance): State<Instance>,
    Body(given): Body<GivenFaults>,
) -> Result<Json<Faults>, ClerkError> {
    instance.outbox().set_faults(given.check()?);
    Ok(show_faults(State(instance)).await)
}

async fn clear_faults(State(instance): State<Instance>) -> Json<Faults> {
    instance.outbox().set_faults(Faults::default());
    show_faults(State(instance)).await
}

/// Returns a delivery as JSON. Times are milliseconds since 1970, as everywhere in Clerk's API.
fn entry_json(instance: &Instance, entry: &Entry) -> Value {
    let Entry { delivery, created_at, replay_of, pending, tries, attempts } = entry;
    json!({
        "object": "delivery", "id": delivery.id, "type": delivery.kind,
        "user_id": delivery.user_id, "user": instance.label(&delivery.user_id),
        "created_at": created_at.timestamp_millis(), "replay_of": replay_of,
        "state": entry.state(), "pending": pending, "tries": tries,
        "attempts": attempts.iter().map(attempt_json).collect::<Value>(),
    })
}

fn attempt_json(attempt: &Attempt) -> Value {
    json!({
        "at": attempt.at.timestamp_millis(),
        "outcome": attempt.outcome.name(), "status": attempt.outcome.status(),
    })
}

pub(super) fn no_delivery() -> ClerkError {
    ClerkError::not_found("recent delivery")
}
