//! Whether the process lives, and whether it should get requests.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use crate::error::answer;
use crate::state::AppState;

pub(crate) async fn healthz() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

pub(crate) async fn readyz(State(state): State<AppState>) -> Response {
    if state.stopping.has_begun() {
        return answer(StatusCode::SERVICE_UNAVAILABLE, "Shutting down");
    }
    if !state.store.answers().await {
        return answer(StatusCode::SERVICE_UNAVAILABLE, "Database unavailable");
    }
    Json(json!({ "status": "ready" })).into_response()
}
