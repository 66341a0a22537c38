//! `/metrics`, on a separate listener without access control.

use axum::Router;
use axum::http::{StatusCode, header};
use axum::routing::get;
use metrics::counter;
use metrics_exporter_prometheus::PrometheusHandle;
use sea_orm::DatabaseConnection;

use super::{LOST_LINES, pool};
use crate::error::answer;
use serving::Lines;

/// Returns the router with the metrics in Prometheus's format, and nothing else.
pub(crate) fn router(handle: PrometheusHandle, db: DatabaseConnection, log: Lines) -> Router {
    let metrics = async move || {
        pool::measure(&db);
        counter!(LOST_LINES).absolute(log.lost());
        ([(header::CONTENT_TYPE, TEXT)], handle.render())
    };
    Router::new()
        .route("/metrics", get(metrics))
        .fallback(async || answer(StatusCode::NOT_FOUND, "Not found"))
}

const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
