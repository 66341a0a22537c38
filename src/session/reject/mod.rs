//! What a client is told: the one table from `AuthErrorKind` to an answer, and the trait for
//! those who want to say it otherwise.

mod grpc;
mod json;

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Response, StatusCode};

use super::error::{AuthError, AuthErrorKind};

pub use grpc::GrpcResponder;
pub use json::{EmptyResponder, JsonResponder, ProblemResponder};

/// Says a refusal in the client's language.
///
/// The layer adds `Cache-Control: no-store` unless it is set, and leaves the [`AuthError`] in the
/// response's extensions. Whatever a responder says, it should not tell the client why a token is
/// bad beyond what [`Refusal`] does: that would help who makes tokens up.
///
/// ```
/// use bytes::Bytes;
/// use http::{Response, request::Parts};
/// use tower_clerk::session::{AuthError, Refusal, Responder};
///
/// /// Plain text, and where to sign in.
/// #[derive(Debug)]
/// struct Plain;
///
/// impl Responder for Plain {
///     fn respond(&self, error: &AuthError, request: &Parts) -> Response<Bytes> {
///         let refusal = Refusal::of(error);
///         let text = format!("{}; sign in and come back to {}", refusal.detail(), request.uri);
///         refusal.response(Bytes::from(text))
///     }
/// }
/// ```
pub trait Responder: fmt::Debug + Send + Sync + 'static {
    /// The answer to a request that is refused. The request's body has not been read.
    fn respond(&self, error: &AuthError, request: &Parts) -> Response<Bytes>;
}

/// Whose fault it is, and what may be said. Nothing that was found before the signature was
/// verified is told apart; "expired" comes after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    verdict: Verdict,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// Nobody asked to be let in.
    NotAuthenticated,
    /// What was shown is not good.
    Invalid(&'static str),
    /// It is good, and not enough.
    NotAllowed,
    /// We have no keys to judge by.
    NoKeys(Duration),
}

impl Refusal {
    /// What may be said of an error.
    #[must_use]
    pub fn of(error: &AuthError) -> Self {
        let verdict = match error.kind() {
            AuthErrorKind::MissingCredentials | AuthErrorKind::PendingSession => {
                Verdict::NotAuthenticated
            }
            AuthErrorKind::KeysUnavailable => {
                Verdict::NoKeys(error.retry_after().unwrap_or(Duration::from_secs(1)))
            }
            AuthErrorKind::Expired => Verdict::Invalid("Token expired"),
            AuthErrorKind::Impersonation => Verdict::NotAllowed,
            AuthErrorKind::AudienceMismatch
            | AuthErrorKind::AudienceMissing
            | AuthErrorKind::AuthorizedPartyMismatch
            | AuthErrorKind::AuthorizedPartyMissing
            | AuthErrorKind::BadSignature
            | AuthErrorKind::CriticalHeader
            | AuthErrorKind::InvalidClaims
            | AuthErrorKind::IssuedInFuture
            | AuthErrorKind::IssuerMismatch
            | AuthErrorKind::Malformed
            | AuthErrorKind::NotYetValid
            | AuthErrorKind::TooLarge
            | AuthErrorKind::UnknownKey
            | AuthErrorKind::UnsupportedAlgorithm
            | AuthErrorKind::WrongTokenType => Verdict::Invalid("Invalid token"),
        };
        Self { verdict }
    }

    /// 401, 403 or 503.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self.verdict {
            Verdict::NotAuthenticated | Verdict::Invalid(_) => StatusCode::UNAUTHORIZED,
            Verdict::NotAllowed => StatusCode::FORBIDDEN,
            Verdict::NoKeys(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The gRPC status code, in decimal: 16 (unauthenticated), 7 (permission denied) or 14
    /// (unavailable).
    #[must_use]
    pub fn grpc_status(&self) -> &'static str {
        match self.verdict {
            Verdict::NotAuthenticated | Verdict::Invalid(_) => "16",
            Verdict::NotAllowed => "7",
            Verdict::NoKeys(_) => "14",
        }
    }

    /// A few plain words, free of anything that would have to be escaped.
    #[must_use]
    pub fn detail(&self) -> &'static str {
        match self.verdict {
            Verdict::NotAuthenticated => "Not authenticated",
            Verdict::Invalid(detail) => detail,
            Verdict::NotAllowed => "Not allowed",
            Verdict::NoKeys(_) => "Authentication keys unavailable",
        }
    }

    /// An answer with this status, with `WWW-Authenticate` or `Retry-After` where they belong
    /// (RFC 6750 3, and 3.1: no error code for who sent no credentials), and with `body`.
    #[must_use]
    pub fn response(&self, body: Bytes) -> Response<Bytes> {
        let mut response = Response::new(body);
        *response.status_mut() = self.status();
        self.write_headers(response.headers_mut());
        response
    }

    fn write_headers(&self, headers: &mut HeaderMap) {
        match self.verdict {
            Verdict::NotAuthenticated => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            Verdict::Invalid(_) => {
                let challenge = HeaderValue::from_static(r#"Bearer error="invalid_token""#);
                headers.insert(WWW_AUTHENTICATE, challenge);
            }
            Verdict::NotAllowed => {}
            Verdict::NoKeys(pause) => {
                // Rounded up: who asks again too early has waited for nothing.
                let seconds = pause.as_millis().div_ceil(1000).max(1);
                let seconds = u64::try_from(seconds).unwrap_or(u64::MAX);
                headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
            }
        }
    }
}
