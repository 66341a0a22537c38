//! Refusals for HTTP clients: a JSON body, a problem document, or none.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderValue, Response};

use super::{Refusal, Responder};
use crate::detail::with_detail_and;
use crate::session::error::AuthError;

/// The default responder: `{"detail": "…"}` with the status 401, 403 or 503, whatever the request
/// contains, and with Clerk's `clerk_error` beside it where the user should verify again. A proxy that asks this server whether a request may pass reads only the status.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct JsonResponder;

impl JsonResponder {
    /// Returns the default responder.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }

    pub(crate) fn http(error: &AuthError) -> Response<Bytes> {
        let refusal = Refusal::of(error);
        with_detail_and(refusal.response(Bytes::new()), refusal.detail(), &further_members(refusal))
    }
}

impl Responder for JsonResponder {
    fn respond(&self, error: &AuthError, _request: &Parts) -> Response<Bytes> {
        Self::http(error)
    }
}

/// A responder with status and headers, but no body.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct EmptyResponder;

impl EmptyResponder {
    /// Returns a responder without a body.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

impl Responder for EmptyResponder {
    fn respond(&self, error: &AuthError, _request: &Parts) -> Response<Bytes> {
        Refusal::of(error).response(Bytes::new())
    }
}

/// A responder with problem documents, `application/problem+json` (RFC 9457): `title`, `status` and
/// `detail`, and Clerk's `clerk_error` where the user should verify again.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct ProblemResponder;

impl ProblemResponder {
    /// Returns a responder with problem documents.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

impl Responder for ProblemResponder {
    fn respond(&self, error: &AuthError, _request: &Parts) -> Response<Bytes> {
        let refusal = Refusal::of(error);
        let status = refusal.status();
        let title = status.canonical_reason().unwrap_or_default();
        let body = format!(
            r#"{{"title":"{title}","status":{},"detail":"{}"{}}}"#,
            status.as_u16(),
            refusal.detail(),
            further_members(refusal),
        );
        let mut response = refusal.response(Bytes::from(body));
        let problem = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(CONTENT_TYPE, problem);
        response
    }
}

/// Returns the members of a refusal's JSON beside `detail`, each with a comma before it.
fn further_members(refusal: Refusal) -> String {
    let asked = refusal.reverification();
    asked.map_or_else(String::new, |asked| format!(",{}", asked.clerk_error_member()))
}
