//! What the sender is told. The one table from outcomes and errors to HTTP.

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};
use http_body_util::Full;

use super::error::{DeliveryError, DeliveryErrorKind};
use crate::detail::with_detail;

/// The delivery arrived and is stored.
pub(crate) fn accepted() -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// The delivery was not stored. The error goes along in the extensions.
pub(crate) fn refused(error: DeliveryError) -> Response<Full<Bytes>> {
    let (status, detail) = row(error.kind());
    let mut response = with_detail(Response::new(()), detail).map(Full::new);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(ALLOW, HeaderValue::from_static("POST"));
    }
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_SECONDS));
    }
    response.extensions_mut().insert(error);
    response
}

/// What is wrong with a delivery that
/// is not known to be Clerk's has one text only.
fn row(kind: DeliveryErrorKind) -> (StatusCode, &'static str) {
    use DeliveryErrorKind as Kind;
    match kind {
        Kind::BodyTimeout => (StatusCode::REQUEST_TIMEOUT, "Body took too long"),
        Kind::BodyTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "Body too large"),
        Kind::BodyUnreadable => (StatusCode::BAD_REQUEST, "Body could not be read"),
        Kind::DeadlinePassed | Kind::SinkUnavailable => {
            (StatusCode::SERVICE_UNAVAILABLE, "Try again later")
        }
        Kind::InvalidEvent => (StatusCode::BAD_REQUEST, "Unusable event"),
        Kind::InvalidHeaders | Kind::InvalidSignature | Kind::TimestampOutOfTolerance => {
            (StatusCode::BAD_REQUEST, "Invalid webhook")
        }
        Kind::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "Method not allowed"),
        Kind::OtherInstance => (StatusCode::BAD_REQUEST, "Event of another instance"),
        Kind::SinkRefused => (StatusCode::INTERNAL_SERVER_ERROR, "Internal error"),
    }
}

/// Svix waits between its own delay and twice that, whatever stands here.
const RETRY_AFTER_SECONDS: &str = "5";
