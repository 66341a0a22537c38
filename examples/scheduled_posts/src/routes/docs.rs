//! The API's description, and a page that renders it. All of it is in the binary; the page loads
//! nothing from other hosts.

use axum::http::{HeaderName, header};
use axum::response::IntoResponse;

use crate::openapi;

pub(crate) async fn document() -> impl IntoResponse {
    ([content_type("application/json")], openapi::document())
}

pub(crate) async fn page() -> impl IntoResponse {
    let policy = (header::CONTENT_SECURITY_POLICY, POLICY);
    let referrer = (header::REFERRER_POLICY, "no-referrer");
    ([content_type("text/html; charset=utf-8"), policy, referrer], PAGE)
}

pub(crate) async fn script() -> impl IntoResponse {
    ([content_type("text/javascript; charset=utf-8")], SCRIPT)
}

pub(crate) async fn style() -> impl IntoResponse {
    ([content_type("text/css; charset=utf-8")], STYLE)
}

fn content_type(value: &'static str) -> (HeaderName, &'static str) {
    (header::CONTENT_TYPE, value)
}

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const PAGE: &str = include_str!("../../web/docs/index.html");
const SCRIPT: &str = include_str!("../../web/docs/docs.js");
const STYLE: &str = include_str!("../../web/docs/docs.css");
