//! Responses to refused requests: the one mapping from `AuthErrorKind` to a response, and the trait
//! for other formats.

mod grpc;
mod inside;
mod json;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, RETRY_AFTER, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Response, StatusCode};

use super::error::{AuthError, AuthErrorKind};
use super::reverification::Reverification;
use super::scope::Scope;

pub use grpc::GrpcResponder;
pub(super) use inside::Entrance;
pub(crate) use inside::{Anonymous, refuse_session};
pub use json::{EmptyResponder, JsonResponder, ProblemResponder};

/// Builds the response to a refused request.
///
/// A closure implements it; a type of your own can hold data.
/// [`ClerkAuthLayer::respond_with`](super::ClerkAuthLayer::respond_with) takes either, and uses it
/// for the layer and for the guards and extractors behind it.
///
/// The layer adds `Cache-Control: no-store` unless the response has that header, and puts the
/// [`AuthError`] into its extensions. A response should reveal no more of the reason than
/// [`Refusal`] does: more would help an attacker who forges tokens.
///
/// A closure has to name the types of both parameters, also of one that it ignores.
///
/// The request that a responder is given has the method, the path and the version that the layer saw,
/// also where a guard or an extractor refuses. An extractor builds the response when it runs, whether or not the
/// handler sends it: a responder should have no side effects.
///
/// ```
/// use bytes::Bytes;
/// use http::request::Parts;
/// use tower_clerk::session::{AuthError, ClerkAuthLayer, Refusal, Verifier};
///
/// /// Returns a layer that refuses with plain text.
/// fn layer(verifier: Verifier) -> ClerkAuthLayer {
///     ClerkAuthLayer::new(verifier).respond_with(|error: &AuthError, request: &Parts| {
///         let refusal = Refusal::of(error);
///         let text = format!("{}; sign in and come back to {}", refusal.detail(), request.uri);
///         refusal.response(Bytes::from(text))
///     })
/// }
/// ```
pub trait Responder: Send + Sync + 'static {
    /// Returns the response to a refused request, whose body has not been read.
    fn respond(&self, error: &AuthError, request: &Parts) -> Response<Bytes>;
}

impl<F> Responder for F
where
    F: Fn(&AuthError, &Parts) -> Response<Bytes> + Send + Sync + 'static,
{
    fn respond(&self, error: &AuthError, request: &Parts) -> Response<Bytes> {
        self(error, request)
    }
}

impl<R: Responder + ?Sized> Responder for Arc<R> {
    fn respond(&self, error: &AuthError, request: &Parts) -> Response<Bytes> {
        R::respond(self, error, request)
    }
}

/// Returns the complete response to a refused request: what `responder` builds, not to be stored by
/// caches, with the error in its extensions.
pub(crate) fn refuse(
    responder: &dyn Responder,
    error: AuthError,
    request: &Parts,
) -> Response<Bytes> {
    finish(responder.respond(&error, request), error)
}

/// Adds to a refusal's response what all refusals have.
pub(crate) fn finish(mut response: Response<Bytes>, error: AuthError) -> Response<Bytes> {
    let no_store = HeaderValue::from_static("no-store");
    response.headers_mut().entry(CACHE_CONTROL).or_insert(no_store);
    response.extensions_mut().insert(error);
    response
}

/// The part of an [`AuthError`] that a client may learn: whose fault it is, and a short text. It
/// does not tell apart the reasons why a token is bad, except for one that has expired, which is
/// known only after the signature was verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    verdict: Verdict,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// No credentials, or a pending session.
    NotAuthenticated,
    /// A good token that has expired.
    Expired,
    /// A good token of a session that has ended.
    Ended,
    /// Bad credentials, or a session that a check of the server's own refuses.
    Invalid,
    /// A good session that this server does not allow.
    NotAllowed,
    /// A good session with another active organization, or none.
    OtherOrganization,
    /// A good session of a user who has to verify again, and how.
    Reverify(Reverification),
    /// A cookie that a page of another site may have made a browser send.
    CrossSite,
    /// A good token of a caller who lacks a scope, and which.
    LacksScope(Scope),
    /// No keys to verify with, and the time to wait before the next try.
    NoKeys(Duration),
    /// No answer about an opaque token, and the time to wait before the next try.
    NoAnswer(Duration),
}

impl Refusal {
    /// Returns what a client may learn of an error.
    #[must_use]
    pub fn of(error: &AuthError) -> Self {
        let verdict = match error.kind() {
            AuthErrorKind::MissingCredentials | AuthErrorKind::PendingSession => {
                Verdict::NotAuthenticated
            }
            AuthErrorKind::KeysUnavailable | AuthErrorKind::NotJudged => {
                Verdict::NoKeys(error.retry_after().unwrap_or(Duration::from_secs(1)))
            }
            AuthErrorKind::Expired => Verdict::Expired,
            AuthErrorKind::SessionEnded => Verdict::Ended,
            AuthErrorKind::CheckForbidden
            | AuthErrorKind::Impersonation
            | AuthErrorKind::RequirementNotMet => Verdict::NotAllowed,
            AuthErrorKind::OtherOrganization => Verdict::OtherOrganization,
            AuthErrorKind::ReverificationRequired => {
                error.reverification().map_or(Verdict::NotAllowed, Verdict::Reverify)
            }
            AuthErrorKind::CrossSiteRequest => Verdict::CrossSite,
            AuthErrorKind::InsufficientScope => {
                error.scope().map_or(Verdict::NotAllowed, Verdict::LacksScope)
            }
            AuthErrorKind::IntrospectionUnavailable => {
                Verdict::NoAnswer(error.retry_after().unwrap_or(Duration::from_secs(1)))
            }
            AuthErrorKind::AudienceMismatch
            | AuthErrorKind::AudienceMissing
            | AuthErrorKind::AuthorizedPartyMismatch
            | AuthErrorKind::AuthorizedPartyMissing
            | AuthErrorKind::BadSignature
            | AuthErrorKind::CheckUnauthorized
            | AuthErrorKind::ClientMismatch
            | AuthErrorKind::CriticalHeader
            | AuthErrorKind::InactiveToken
            | AuthErrorKind::InvalidClaims
            | AuthErrorKind::IssuedInFuture
            | AuthErrorKind::IssuerMismatch
            | AuthErrorKind::LifetimeTooLong
            | AuthErrorKind::Malformed
            | AuthErrorKind::MembershipEnded
            | AuthErrorKind::NotYetValid
            | AuthErrorKind::TooLarge
            | AuthErrorKind::UnknownKey
            | AuthErrorKind::UnsupportedAlgorithm
            | AuthErrorKind::WrongTokenType => Verdict::Invalid,
        };
        Self { verdict }
    }

    /// Returns the HTTP status: 401, 403 or 503.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self.verdict {
            Verdict::NotAuthenticated | Verdict::Ended | Verdict::Expired | Verdict::Invalid => {
                StatusCode::UNAUTHORIZED
            }
            Verdict::NotAllowed
            | Verdict::OtherOrganization
            | Verdict::Reverify(_)
            | Verdict::LacksScope(_)
            | Verdict::CrossSite => StatusCode::FORBIDDEN,
            Verdict::NoKeys(_) | Verdict::NoAnswer(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Returns the gRPC status code in decimal: 16 (unauthenticated), 7 (permission denied) or 14
    /// (unavailable).
    #[must_use]
    pub fn grpc_status(&self) -> &'static str {
        match self.verdict {
            Verdict::NotAuthenticated | Verdict::Ended | Verdict::Expired | Verdict::Invalid => {
                "16"
            }
            Verdict::NotAllowed
            | Verdict::OtherOrganization
            | Verdict::Reverify(_)
            | Verdict::LacksScope(_)
            | Verdict::CrossSite => "7",
            Verdict::NoKeys(_) | Verdict::NoAnswer(_) => "14",
        }
    }

    /// Returns a stable word for the kind of refusal, for formats of your own:
    ///
    /// | code | status | when |
    /// |---|---|---|
    /// | `not_authenticated` | 401 | there is no token, or the session is pending |
    /// | `token_expired` | 401 | the token was good, but has expired |
    /// | `session_ended` | 401 | the token was good, but its session has ended, or its user is banned |
    /// | `invalid_token` | 401 | the token is bad in any other way, or a check of the server's own refuses it so |
    /// | `not_allowed` | 403 | the session is good, but this server does not allow it |
    /// | `other_organization` | 403 | the session is good, but another organization is active in it, or none |
    /// | `reverification_required` | 403 | the session is good, but the user has to verify again |
    /// | `cross_site_request` | 403 | a page of another site may have made a browser send the session cookie |
    /// | `insufficient_scope` | 403 | the token of a caller who is not a user is good, but lacks a scope |
    /// | `keys_unavailable` | 503 | there are no keys to verify with |
    /// | `introspection_unavailable` | 503 | Clerk could not be asked about an opaque token |
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self.verdict {
            Verdict::NotAuthenticated => "not_authenticated",
            Verdict::Ended => "session_ended",
            Verdict::Expired => "token_expired",
            Verdict::Invalid => "invalid_token",
            Verdict::NotAllowed => "not_allowed",
            Verdict::OtherOrganization => "other_organization",
            Verdict::Reverify(_) => "reverification_required",
            Verdict::CrossSite => "cross_site_request",
            Verdict::LacksScope(_) => "insufficient_scope",
            Verdict::NoKeys(_) => "keys_unavailable",
            Verdict::NoAnswer(_) => "introspection_unavailable",
        }
    }

    /// Returns a short text, without characters that would have to be escaped.
    #[must_use]
    pub fn detail(&self) -> &'static str {
        match self.verdict {
            Verdict::NotAuthenticated => "Not authenticated",
            Verdict::Ended => "Session ended",
            Verdict::Expired => "Token expired",
            Verdict::Invalid => "Invalid token",
            Verdict::NotAllowed | Verdict::LacksScope(_) => "Not allowed",
            Verdict::OtherOrganization => "Another organization is active",
            Verdict::Reverify(_) => "Reverification required",
            Verdict::CrossSite => "Cross-site request",
            Verdict::NoKeys(_) => "Authentication keys unavailable",
            Verdict::NoAnswer(_) => "Token cannot be checked now",
        }
    }

    /// Returns how the user has to verify again before the request can be repeated. A format of your
    /// own should then contain what [`Reverification::clerk_error`] does, on which Clerk's front-end
    /// components ask the user.
    #[must_use]
    pub fn reverification(&self) -> Option<Reverification> {
        match self.verdict {
            Verdict::Reverify(asked) => Some(asked),
            Verdict::NotAuthenticated
            | Verdict::Ended
            | Verdict::Expired
            | Verdict::Invalid
            | Verdict::NotAllowed
            | Verdict::OtherOrganization
            | Verdict::CrossSite
            | Verdict::LacksScope(_)
            | Verdict::NoKeys(_)
            | Verdict::NoAnswer(_) => None,
        }
    }

    /// Returns a response with this status, with `WWW-Authenticate` or `Retry-After` where they
    /// belong (RFC 6750 3, and 3.1: no error code for a request without credentials), and with
    /// `body`.
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
            Verdict::Ended | Verdict::Expired | Verdict::Invalid => {
                let challenge = HeaderValue::from_static(r#"Bearer error="invalid_token""#);
                headers.insert(WWW_AUTHENTICATE, challenge);
            }
            Verdict::NotAllowed
            | Verdict::OtherOrganization
            | Verdict::Reverify(_)
            | Verdict::CrossSite => {}
            Verdict::LacksScope(scope) => {
                headers.insert(WWW_AUTHENTICATE, scope.challenge());
            }
            Verdict::NoKeys(pause) | Verdict::NoAnswer(pause) => {
                // Rounded up, so that a client does not ask again too early.
                let seconds = pause.as_millis().div_ceil(1000).max(1);
                let seconds = u64::try_from(seconds).unwrap_or(u64::MAX);
                headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
            }
        }
    }
}
