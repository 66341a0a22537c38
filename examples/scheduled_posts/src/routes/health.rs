//! Health checks: whether the process is alive, and whether it should get requests.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::{Error, answer};
use crate::openapi::EveryAnswer;
use crate::state::AppState;
use crate::store::NotReady;

/// The state of the server, in one word.
#[derive(Serialize, ToSchema)]
pub(crate) struct Health {
    status: &'static str,
}

/// Whether the process is alive
#[utoipa::path(
    get, path = "/healthz", operation_id = "healthz", tag = "Health", security(),
    responses((status = 200, description = "It is alive.", body = Health), EveryAnswer)
)]
pub(crate) async fn healthz() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// Whether the server should get requests
#[utoipa::path(
    get, path = "/readyz", operation_id = "readyz", tag = "Health", security(),
    responses(
        (status = 200, description = "It should get requests.", body = Health),
        (status = 503, description = "The database is unavailable or cannot be written to, or the process is ending.", body = Error),
        EveryAnswer
    )
)]
pub(crate) async fn readyz(State(state): State<AppState>) -> Response {
    if state.stopping.has_begun() {
        return answer(StatusCode::SERVICE_UNAVAILABLE, "Shutting down");
    }
    let problem = match state.store.is_ready().await {
        Ok(()) => return Json(Health { status: "ready" }).into_response(),
        Err(NotReady::Unavailable) => "Database unavailable",
        Err(NotReady::Unwritable) => "Database cannot be written to",
    };
    answer(StatusCode::SERVICE_UNAVAILABLE, problem)
}
