//! Refusals for gRPC clients: a status in the headers of a response without a body.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Response};

use super::{Refusal, Responder};
use crate::session::error::AuthError;

/// A responder with "Trailers-Only" responses: `grpc-status` 16 (unauthenticated), 7 (permission
/// denied) or 14 (unavailable), as in the gRPC protocol over HTTP/2.
///
/// Their HTTP status is 200. It must not stand behind a proxy that takes 2xx for permission, such as
/// nginx's `auth_request`.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct GrpcResponder;

impl GrpcResponder {
    /// Returns a responder for servers that speak only gRPC.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

impl Responder for GrpcResponder {
    fn respond(&self, error: &AuthError, request: &Parts) -> Response<Bytes> {
        let refusal = Refusal::of(error);
        let mut response = Response::new(Bytes::new());
        let headers = response.headers_mut();
        // gRPC-Web expects its own content type in return; others accept the plain one.
        let asked = request.headers.get(CONTENT_TYPE).filter(|_| is_grpc(&request.headers));
        let plain = HeaderValue::from_static("application/grpc");
        headers.insert(CONTENT_TYPE, asked.cloned().unwrap_or(plain));
        headers.insert("grpc-status", HeaderValue::from_static(refusal.grpc_status()));
        headers.insert("grpc-message", HeaderValue::from_static(refusal.detail()));
        response
    }
}

/// Returns whether a request is a gRPC call: its content type is `application/grpc`, alone or with
/// a suffix or a parameter.
fn is_grpc(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    let rest = content_type.strip_prefix(b"application/grpc");
    matches!(rest, Some(b"" | [b';' | b'+' | b'-', ..]))
}
