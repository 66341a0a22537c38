//! ⑦ What a client is told: the one table from `AuthErrorKind` to an answer.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Response, StatusCode};

use super::body::AuthBody;
use super::error::{AuthError, AuthErrorKind};
use crate::trace::event;

/// Which language the client reads refusals in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// A status and a JSON body.
    Http,
    /// `grpc-status` in the headers of an answer without a body ("Trailers-Only").
    Grpc,
}

impl Dialect {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let content_type = headers.get(CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
        match content_type.strip_prefix(b"application/grpc") {
            Some(b"" | [b';' | b'+' | b'-', ..]) => Self::Grpc,
            _ => Self::Http,
        }
    }
}

/// Whose fault it is, and what is said. Nothing that was found before the signature was verified
/// is told apart; "expired" comes after it.
enum Verdict {
    /// Nobody asked to be let in (RFC 6750 3.1: then no error code).
    NotAuthenticated,
    /// What was shown is not good.
    Invalid(&'static str),
    /// We have no keys to judge by.
    NoKeys(Duration),
}

impl Verdict {
    fn of(error: &AuthError) -> Self {
        match error.kind() {
            AuthErrorKind::MissingCredentials | AuthErrorKind::PendingSession => {
                Self::NotAuthenticated
            }
            AuthErrorKind::KeysUnavailable => {
                Self::NoKeys(error.retry_after().unwrap_or(Duration::from_secs(1)))
            }
            AuthErrorKind::Expired => Self::Invalid("Token expired"),
            AuthErrorKind::AuthorizedPartyMismatch
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
            | AuthErrorKind::WrongTokenType => Self::Invalid("Invalid token"),
        }
    }

    fn detail(&self) -> &'static str {
        match self {
            Self::NotAuthenticated => "Not authenticated",
            Self::Invalid(detail) => detail,
            Self::NoKeys(_) => "Authentication keys unavailable",
        }
    }
}

/// The answer to a request that has no session. The reason goes into its extensions.
pub(crate) fn refusal<B>(error: AuthError, dialect: Dialect) -> Response<AuthBody<B>> {
    event!(debug, reason = error.kind().as_str(), "request refused: no session");
    let verdict = Verdict::of(&error);
    let mut response = match dialect {
        Dialect::Http => http_answer(&verdict),
        Dialect::Grpc => grpc_answer(&verdict),
    };
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.extensions_mut().insert(error);
    response
}

fn http_answer<B>(verdict: &Verdict) -> Response<AuthBody<B>> {
    // The details are plain words: nothing in them needs escaping.
    let body = Bytes::from(format!(r#"{{"detail":"{}"}}"#, verdict.detail()));
    let mut response = Response::new(AuthBody::refusal(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let status = match verdict {
        Verdict::NotAuthenticated => {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            StatusCode::UNAUTHORIZED
        }
        Verdict::Invalid(_) => {
            let challenge = HeaderValue::from_static(r#"Bearer error="invalid_token""#);
            headers.insert(WWW_AUTHENTICATE, challenge);
            StatusCode::UNAUTHORIZED
        }
        Verdict::NoKeys(pause) => {
            // Rounded up: who asks again too early has waited for nothing.
            let seconds = pause.as_millis().div_ceil(1000).max(1);
            let seconds = u64::try_from(seconds).unwrap_or(u64::MAX);
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
            StatusCode::SERVICE_UNAVAILABLE
        }
    };
    *response.status_mut() = status;
    response
}

fn grpc_answer<B>(verdict: &Verdict) -> Response<AuthBody<B>> {
    let mut response = Response::new(AuthBody::refusal(Bytes::new()));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    let status = match verdict {
        Verdict::NotAuthenticated | Verdict::Invalid(_) => UNAUTHENTICATED,
        Verdict::NoKeys(_) => UNAVAILABLE,
    };
    headers.insert("grpc-status", HeaderValue::from_static(status));
    headers.insert("grpc-message", HeaderValue::from_static(verdict.detail()));
    response
}

const UNAUTHENTICATED: &str = "16";
const UNAVAILABLE: &str = "14";
