//! The API's description, and a page that shows it and tries it out. All of it is in the binary; the page
//! loads nothing from other hosts.

use axum::extract::{Path, State};
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::error::answer;
use crate::openapi;
use crate::state::AppState;

pub(crate) async fn document() -> impl IntoResponse {
    ([content_type("application/json")], openapi::document())
}

pub(crate) async fn page(State(state): State<AppState>) -> impl IntoResponse {
    let policy = (header::CONTENT_SECURITY_POLICY, state.page.docs_policy());
    let referrer = (header::REFERRER_POLICY, "no-referrer".to_owned());
    let html = (header::CONTENT_TYPE, "text/html; charset=utf-8".to_owned());
    ([html, policy, referrer], PAGE)
}

pub(crate) async fn file(Path(wanted): Path<String>) -> Response {
    match FILES.iter().find(|(name, ..)| *name == wanted) {
        Some((_, kind, text)) => ([content_type(kind)], *text).into_response(),
        None => answer(StatusCode::NOT_FOUND, "Not found"),
    }
}

fn content_type(value: &'static str) -> (HeaderName, &'static str) {
    (header::CONTENT_TYPE, value)
}

const PAGE: &str = include_str!("../../web/docs/index.html");

/// The files that the page loads, with their types: its own, and those of the viewer.
const FILES: [(&str, &str, &str); 5] = [
    ("docs.css", CSS, include_str!("../../web/docs/docs.css")),
    ("docs.js", JAVASCRIPT, include_str!("../../web/docs/docs.js")),
    ("swagger-ui.css", CSS, include_str!(concat!(env!("OUT_DIR"), "/swagger-ui.css"))),
    (
        "swagger-ui-bundle.js",
        JAVASCRIPT,
        include_str!(concat!(env!("OUT_DIR"), "/swagger-ui-bundle.js")),
    ),
    ("LICENSE", "text/plain; charset=utf-8", include_str!(concat!(env!("OUT_DIR"), "/LICENSE"))),
];
const CSS: &str = "text/css; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
