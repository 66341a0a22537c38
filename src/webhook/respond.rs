//! The responses to the sender: the only mapping from results and errors to HTTP.

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};
use http_body_util::Full;

use super::error::{DeliveryError, DeliveryErrorKind};
use crate::detail::with_detail;

/// Builds the response to a delivery that the sink has taken.
pub(crate) fn accepted() -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// Builds the response to a refused delivery, with the error in its extensions.
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

/// Returns the status and the `detail` for a kind of error.
///
/// All errors in headers and signatures share one text: the sender may not be Clerk.
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
        Kind::SinkRefused => (StatusCode::INTERNAL_SERVER_ERROR, "Internal error"),
    }
}

/// Svix waits between one and two times its own delay, whatever this value is.
const RETRY_AFTER_SECONDS: &str = "5";
