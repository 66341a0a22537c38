//! The web page and its files, all in the binary.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, header};
use axum::response::IntoResponse;
use serde_json::{Value, json};

use crate::state::AppState;

/// What the page must know about where it is.
#[derive(Debug)]
pub(crate) struct PageConfig {
    /// The stand-in for Clerk, when that is who signs the users in.
    pub(crate) dev_clerk: Option<String>,
    pub(crate) publishable_key: Option<String>,
}

impl PageConfig {
    /// No script, style or connection but our own, and the stand-in's for tokens.
    fn policy(&self) -> String {
        let dev_clerk = self.dev_clerk.as_deref().unwrap_or_default();
        format!(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
             connect-src 'self' {dev_clerk}; base-uri 'none'; form-action 'none'; \
             frame-ancestors 'none'"
        )
    }
}

pub(crate) async fn index(State(state): State<AppState>) -> impl IntoResponse {
    let policy = (header::CONTENT_SECURITY_POLICY, state.page.policy());
    let referrer = (header::REFERRER_POLICY, "no-referrer".to_owned());
    ([content_type("text/html; charset=utf-8"), policy, referrer], INDEX)
}

pub(crate) async fn app_js() -> impl IntoResponse {
    ([content_type(JAVASCRIPT)], APP_JS)
}

pub(crate) async fn api_js() -> impl IntoResponse {
    ([content_type(JAVASCRIPT)], API_JS)
}

pub(crate) async fn style() -> impl IntoResponse {
    ([content_type("text/css; charset=utf-8")], STYLE)
}

pub(crate) async fn config(State(state): State<AppState>) -> Json<Value> {
    let page = &state.page;
    Json(json!({ "dev_clerk": page.dev_clerk, "publishable_key": page.publishable_key }))
}

fn content_type(value: &str) -> (HeaderName, String) {
    (header::CONTENT_TYPE, value.to_owned())
}

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const INDEX: &str = include_str!("../../web/index.html");
const APP_JS: &str = include_str!("../../web/app.js");
const API_JS: &str = include_str!("../../web/api.js");
const STYLE: &str = include_str!("../../web/style.css");
