//! A GET request to one of Clerk's two APIs, with a short time limit. Knows no rules.

use std::error::Error as _;
use std::time::Duration;

use axum::http::{HeaderMap, StatusCode, Uri, header};
use chrono::{DateTime, TimeDelta};
use reqwest::redirect::Policy;
use serde_json::Value;
use tower_clerk::secret::SecretKey;

use crate::time;

/// An answer of any status.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// The body; null when it is not JSON.
    pub(super) body: Value,
    /// How far this machine's clock is ahead of the API's.
    pub(super) ahead: Option<TimeDelta>,
}

/// Sends a GET request, as [`get_with`] does, with a secret key of Clerk's.
pub(super) async fn get(url: &str, key: Option<&SecretKey>) -> Result<Answer, String> {
    get_with(url, key.map(SecretKey::expose)).await
}

/// Sends a GET request. The error states why there is no answer and repeats nothing of the request.
pub(super) async fn get_with(url: &str, key: Option<&str>) -> Result<Answer, String> {
    let mut client = reqwest::Client::builder()
        .timeout(PATIENCE)
        .redirect(Policy::none())
        .user_agent(concat!("scheduled-posts-doctor/", env!("CARGO_PKG_VERSION")));
    if url.starts_with("http://") {
        // Root certificates are needed, and loaded, for `https:` only.
        client = client.tls_certs_only([]);
    }
    if is_loopback(url) {
        client = client.no_proxy();
    }
    let client = client.build().map_err(|_| NO_ROOTS.to_owned())?;
    let mut request = client.get(url);
    if let Some(key) = key {
        request = request.bearer_auth(key);
    }
    let mut response = request.send().await.map_err(|error| silence(&error))?;
    let ahead = ahead(response.headers());
    let status = response.status();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| silence(&error))? {
        body.extend_from_slice(&chunk);
        if body.len() > LONGEST {
            return Err("sends an answer that is larger than any of Clerk's".into());
        }
    }
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    Ok(Answer { status, body, ahead })
}

fn silence(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("does not answer within {} s", PATIENCE.as_secs());
    }
    let mut cause = error.source();
    while let Some(deeper) = cause.and_then(|cause| cause.source()) {
        cause = Some(deeper);
    }
    let cause = cause.map(|cause| format!(": {cause}")).unwrap_or_default();
    if error.is_connect() {
        return format!("cannot be reached{cause}");
    }
    format!("breaks its answer off{cause}")
}

/// Returns the difference of the clocks, by `Date` and by the `Age` that a cache on the way adds
/// (RFC 9111 4.2.3).
fn ahead(headers: &HeaderMap) -> Option<TimeDelta> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let date = DateTime::parse_from_rfc2822(text(header::DATE)?).ok()?.to_utc();
    let age = text(header::AGE).and_then(|age| age.trim().parse().ok()).unwrap_or(0);
    let theirs = date.checked_add_signed(TimeDelta::try_seconds(age)?)?;
    Some(time::now() - theirs)
}

fn is_loopback(url: &str) -> bool {
    let uri: Option<Uri> = url.parse().ok();
    let host = uri.as_ref().and_then(Uri::host).unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || address.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

const NO_ROOTS: &str =
    "cannot be asked: TLS cannot be set up; install the system's root certificates";
const PATIENCE: Duration = Duration::from_secs(5);
const LONGEST: usize = 1024 * 1024;
