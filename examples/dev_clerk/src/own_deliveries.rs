//! The deliveries about the signed-in user, for a page on this machine. Clerk has no such route.

use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::error::ClerkError;
use crate::instance::Instance;
use crate::sessions::{Client, own_session};
use crate::webhooks::Entry;

pub(super) fn routes() -> Router<Instance> {
    Router::new().route("/dev/sessions/{id}/deliveries", get(list))
}

/// Lists the deliveries about the signed-in user, the newest first.
async fn list(
    State(instance): State<Instance>,
    Path(id): Path<String>,
    Query(client): Query<Client>,
    headers: HeaderMap,
) -> Result<Json<Value>, ClerkError> {
    let session = own_session(&instance, &id, client, &headers)?;
    let entries = instance.outbox().deliveries();
    let own = entries.iter().filter(|entry| entry.delivery.user_id == session.user_id);
    Ok(Json(own.map(entry_json).collect()))
}

/// Returns less of a delivery than the secret key shows: neither its id, for a replay, nor its
/// data.
fn entry_json(entry: &Entry) -> Value {
    let status = entry.attempts.back().and_then(|attempt| attempt.outcome.status());
    json!({
        "type": entry.delivery.kind, "state": entry.state(), "tries": entry.tries,
        "status": status,
    })
}
