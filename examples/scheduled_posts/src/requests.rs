//! The id of each request and its line in the log, and the limit on its URI. The layer for the id
//! is the outermost one, so that every answer has an id.

use std::time::Duration;

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, StatusCode, Version, header};
use axum::middleware::Next;
use axum::response::Response;
use tokio::time::Instant;
use tracing::Instrument as _;
use uuid::Uuid;

use crate::error::answer;
use serving::{Host, Seldom};

/// Gives a request its id: the client's if it is safe in a log, else a new one. All log lines of
/// the request contain it, and so does the answer.
pub(crate) async fn identified(request: Request, next: Next) -> Response {
    let id = given_id(&request).unwrap_or_else(new_id);
    let shown = id.to_str().unwrap_or_default();
    let span = tracing::info_span!("request", id = shown);
    let mut response = logged(request, next).instrument(span).await;
    response.headers_mut().insert(X_REQUEST_ID, id);
    response
}

/// Logs a request: at `debug`, but failures at `warn` or `error`.
async fn logged(request: Request, next: Next) -> Response {
    let began = Instant::now();
    let method = request.method().clone();
    // Without the query, which may contain personal data; quoted, since a path may contain
    // anything.
    let path = request.uri().path().to_owned();
    let response = next.run(request).await;
    let status = response.status();
    let (code, ms) = (status.as_u16(), began.elapsed().as_millis());
    if status == StatusCode::INTERNAL_SERVER_ERROR {
        tracing::error!(%method, ?path, status = code, ms, "a request failed");
    } else if status.is_server_error() {
        // Some of these routes, such as `/readyz`, have no limit on requests.
        if let Some(left_out) = UNSERVED.left_out() {
            tracing::warn!(%method, ?path, status = code, ms, left_out, "a request could not be served");
        }
    } else {
        tracing::debug!(%method, ?path, status = code, ms, "answered");
    }
    response
}

/// Refuses a URI that is longer than any valid one.
pub(crate) async fn of_bounded_length(request: Request, next: Next) -> Response {
    let length = request.uri().path_and_query().map_or(0, |path| path.as_str().len());
    if length > LONGEST_URI {
        return answer(StatusCode::URI_TOO_LONG, "The URI is too long");
    }
    next.run(request).await
}

/// Refuses a request of HTTP/1.1 without a `Host`, or with several, or with one that is no host (RFC
/// 9112 3.2), and one of HTTP/2 with several.
pub(crate) async fn of_one_host(request: Request, next: Next) -> Response {
    let count = request.headers().get_all(header::HOST).iter().count();
    let is_one = match request.version() {
        Version::HTTP_11 => count == 1 && Host::of_header(&request).is_some(),
        _ => count <= 1,
    };
    if !is_one {
        return answer(StatusCode::BAD_REQUEST, "The Host header must name one host");
    }
    next.run(request).await
}

fn given_id(request: &Request) -> Option<HeaderValue> {
    let mut ids = request.headers().get_all(X_REQUEST_ID).iter();
    let id = ids.next().filter(|_| ids.next().is_none())?;
    let harmless = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let is_id = (1..=64).contains(&id.len()) && id.as_bytes().iter().all(harmless);
    is_id.then(|| id.clone())
}

fn new_id() -> HeaderValue {
    let id = Uuid::new_v4().to_string();
    // A UUID consists of letters, digits and hyphens only.
    HeaderValue::from_str(&id).unwrap_or(HeaderValue::from_static("none"))
}

/// The limit on this line, because every request fails while the database or Clerk is unavailable.
static UNSERVED: Seldom = Seldom::new(Duration::from_secs(1));
pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The longest URI, in bytes. Those of this server's clients are far shorter.
const LONGEST_URI: usize = 8 * 1024;

/// The longest body of the API, in bytes. A post is 280 characters; escaped as JSON they take at
/// most a few kilobytes.
pub(crate) const BODY_LIMIT: usize = 64 * 1024;
