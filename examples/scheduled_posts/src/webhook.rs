//! STUB
use crate::error::answer;
use crate::state::AppState;
use axum::Router;
use axum::http::StatusCode;
use axum::routing::any;
use tower_clerk::sea_orm::SeaOrmSink;
use tower_clerk::secret::SigningSecret;
pub(crate) struct Webhook;
pub(crate) fn service(_: SeaOrmSink, _: &[SigningSecret]) -> Option<Webhook> {
    None
}
pub(crate) fn route(_: Option<Webhook>) -> Router<AppState> {
    Router::new().route("/api/webhooks/clerk", any(async || answer(StatusCode::NOT_FOUND, "x")))
}
