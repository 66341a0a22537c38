//! The error of a request that is refused. Responses and their HTTP statuses are in `reject`.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::reverification::Reverification;
use super::scope::Scope;

/// The reason why a request is refused: it has no session, or its session does not suffice.
///
/// Cheap to clone. The layer puts it into the response's extensions, so that logs and metrics can
/// contain the reason, which the client does not learn. [`source`](Error::source) is why keys could not
/// be fetched, why Clerk could not be asked about a token, why a check of the server's own refused, or which
/// verification or scope is missing. Two errors are equal if all but a cause of the server's is.
#[derive(Clone, Debug)]
pub struct AuthError {
    kind: AuthErrorKind,
    retry_after: Option<Duration>,
    cause: Option<Cause>,
}

/// The reason why there are no keys, why a check refused, or which verification is missing.
pub(super) type Cause = Arc<dyn Error + Send + Sync>;

/// The reasons why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AuthErrorKind {
    /// An `aud` that contains none of the configured audiences, or is neither a string nor a list
    /// of strings.
    AudienceMismatch,
    /// A missing `aud`, when an audience is required.
    AudienceMissing,
    /// An `azp` that is none of the configured authorized parties, or not a string.
    AuthorizedPartyMismatch,
    /// A missing or empty `azp`, when authorized parties are configured.
    AuthorizedPartyMissing,
    /// A signature that is not the instance's.
    BadSignature,
    /// A good session that a [check of the server's own](crate::session::VerifierBuilder::check)
    /// refuses with 403.
    CheckForbidden,
    /// A good session that a [check of the server's own](crate::session::VerifierBuilder::check)
    /// refuses with 401.
    CheckUnauthorized,
    /// A token of an OAuth application that is none of the accepted ones (`client_id`).
    ClientMismatch,
    /// A header with `crit` or `b64`, neither of which is implemented (RFC 7515 4.1.11).
    CriticalHeader,
    /// A session cookie in a request that a page of another site may have made a browser send
    /// ([`SessionCookies`](crate::session::source::SessionCookies)).
    CrossSiteRequest,
    /// A token with a good signature whose `exp` plus the skew is past.
    Expired,
    /// An impersonated user (`act`), when the server does not allow impersonation.
    Impersonation,
    /// An opaque token that Clerk does not know, or that was revoked or has expired.
    InactiveToken,
    /// A token, of a caller who is not a user, without the scope that a
    /// [guard](crate::session::RequireLayer::scope) asks for.
    InsufficientScope,
    /// An opaque token about which Clerk could not be asked: the server's fault, not the client's.
    IntrospectionUnavailable,
    /// A payload that is not a JSON object, or in which a claim that the rules need is missing,
    /// empty or of the wrong type.
    InvalidClaims,
    /// An `iat` further ahead than the skew.
    IssuedInFuture,
    /// An `iss` that is none of the configured issuers.
    IssuerMismatch,
    /// Verification keys that are unavailable: the server's fault, not the client's.
    KeysUnavailable,
    /// A token that is valid for longer than the configured maximum.
    LifetimeTooLong,
    /// A token whose active organization the user has left, or that is gone.
    MembershipEnded,
    /// Credentials that are not one token of three base64url parts, or an `Authorization` header that
    /// is not `Bearer` and one token.
    Malformed,
    /// A request without a token in any place where the layer looks for one.
    MissingCredentials,
    /// A token that a report-only layer could not judge at once, because no key was at hand.
    NotJudged,
    /// An `nbf` further ahead than the skew.
    NotYetValid,
    /// Another active organization than the one that the request is about, or none: a
    /// [guard](crate::session::RequireLayer::organization) refuses a good session.
    OtherOrganization,
    /// A pending session (`sts`): the user has to do something before it counts.
    PendingSession,
    /// A good session that lacks what a [guard](crate::session::RequireLayer) or
    /// [`Session::require`](crate::session::Session::require) asks for.
    RequirementNotMet,
    /// A good session that lacks nothing but a recent verification of the user.
    ReverificationRequired,
    /// A token of a session that has ended, or of a user who is banned: see `lockout`.
    SessionEnded,
    /// A token that is longer than the maximum, which is more than any genuine one by default.
    TooLarge,
    /// A `kid` that none of the instance's keys has, or no `kid` although keys are found by it.
    UnknownKey,
    /// An `alg` other than RS256.
    UnsupportedAlgorithm,
    /// A token of another category: a JWT template's, a machine's or an OAuth token.
    WrongTokenType,
}

impl AuthError {
    pub(crate) fn new(kind: AuthErrorKind) -> Self {
        Self { kind, retry_after: None, cause: None }
    }

    pub(super) fn keys_unavailable(retry_after: Duration, cause: Option<Cause>) -> Self {
        let kind = AuthErrorKind::KeysUnavailable;
        Self { retry_after: Some(retry_after), cause, ..Self::new(kind) }
    }

    pub(super) fn denied(kind: AuthErrorKind, cause: Option<Cause>) -> Self {
        Self { cause, ..Self::new(kind) }
    }

    /// Returns the error of a token about which Clerk could not be asked.
    #[cfg(feature = "machines")]
    pub(super) fn introspection_unavailable(retry_after: Duration, cause: Option<Cause>) -> Self {
        let kind = AuthErrorKind::IntrospectionUnavailable;
        Self { retry_after: Some(retry_after), cause, ..Self::new(kind) }
    }

    pub(super) fn reverification_required(asked: Reverification) -> Self {
        let kind = AuthErrorKind::ReverificationRequired;
        Self { cause: Some(Arc::new(Missing(asked))), ..Self::new(kind) }
    }

    /// Returns the error of a token that was not judged, instead of this one.
    pub(crate) fn into_not_judged(self) -> Self {
        Self { kind: AuthErrorKind::NotJudged, ..self }
    }

    /// Returns the reason.
    #[must_use]
    pub fn kind(&self) -> AuthErrorKind {
        self.kind
    }

    /// Returns the time to wait before the next try; `None` except with
    /// [`AuthErrorKind::KeysUnavailable`], [`AuthErrorKind::IntrospectionUnavailable`] and
    /// [`AuthErrorKind::NotJudged`].
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Returns the error of a caller who lacks a scope.
    #[cfg(feature = "machines")]
    pub(super) fn insufficient_scope(scope: Scope) -> Self {
        let kind = AuthErrorKind::InsufficientScope;
        Self { cause: Some(Arc::new(MissingScope(scope))), ..Self::new(kind) }
    }

    /// Returns the scope that the caller lacks, with [`AuthErrorKind::InsufficientScope`].
    #[must_use]
    pub fn scope(&self) -> Option<Scope> {
        self.cause.as_ref()?.downcast_ref::<MissingScope>().map(|MissingScope(scope)| *scope)
    }

    /// Returns the verification that the user lacks, with [`AuthErrorKind::ReverificationRequired`].
    #[must_use]
    pub fn reverification(&self) -> Option<Reverification> {
        self.cause.as_ref()?.downcast_ref::<Missing>().map(|Missing(asked)| *asked)
    }
}

impl AuthErrorKind {
    /// Returns the reason as one `snake_case` word, for logs and metric labels.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AudienceMismatch => "audience_mismatch",
            Self::AudienceMissing => "audience_missing",
            Self::AuthorizedPartyMismatch => "authorized_party_mismatch",
            Self::AuthorizedPartyMissing => "authorized_party_missing",
            Self::BadSignature => "bad_signature",
            Self::CheckForbidden => "check_forbidden",
            Self::CheckUnauthorized => "check_unauthorized",
            Self::ClientMismatch => "client_mismatch",
            Self::CriticalHeader => "critical_header",
            Self::CrossSiteRequest => "cross_site_request",
            Self::Expired => "expired",
            Self::Impersonation => "impersonation",
            Self::InactiveToken => "inactive_token",
            Self::InsufficientScope => "insufficient_scope",
            Self::IntrospectionUnavailable => "introspection_unavailable",
            Self::InvalidClaims => "invalid_claims",
            Self::IssuedInFuture => "issued_in_future",
            Self::IssuerMismatch => "issuer_mismatch",
            Self::KeysUnavailable => "keys_unavailable",
            Self::LifetimeTooLong => "lifetime_too_long",
            Self::Malformed => "malformed",
            Self::MembershipEnded => "membership_ended",
            Self::MissingCredentials => "missing_credentials",
            Self::NotJudged => "not_judged",
            Self::NotYetValid => "not_yet_valid",
            Self::OtherOrganization => "other_organization",
            Self::PendingSession => "pending_session",
            Self::RequirementNotMet => "requirement_not_met",
            Self::ReverificationRequired => "reverification_required",
            Self::SessionEnded => "session_ended",
            Self::TooLarge => "too_large",
            Self::UnknownKey => "unknown_key",
            Self::UnsupportedAlgorithm => "unsupported_algorithm",
            Self::WrongTokenType => "wrong_token_type",
        }
    }
}

impl From<AuthErrorKind> for AuthError {
    fn from(kind: AuthErrorKind) -> Self {
        Self::new(kind)
    }
}

impl fmt::Display for AuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            AuthErrorKind::AudienceMismatch => "the token was issued for another audience (aud)",
            AuthErrorKind::AudienceMissing => "the token names no audience (aud)",
            AuthErrorKind::AuthorizedPartyMismatch => {
                "the token was issued for another origin (azp)"
            }
            AuthErrorKind::AuthorizedPartyMissing => "the token names no origin (azp)",
            AuthErrorKind::BadSignature => "the token's signature does not match",
            AuthErrorKind::CheckForbidden => "a check of the server's own forbids the session",
            AuthErrorKind::CheckUnauthorized => "a check of the server's own refuses the session",
            AuthErrorKind::ClientMismatch => {
                "the token is one of an OAuth application that is not accepted (client_id)"
            }
            AuthErrorKind::CriticalHeader => {
                "the token's header demands an unsupported extension (crit, b64)"
            }
            AuthErrorKind::CrossSiteRequest => {
                "a session cookie came with a request that another site may have caused"
            }
            AuthErrorKind::Expired => "the token has expired",
            AuthErrorKind::Impersonation => "the user is being impersonated",
            AuthErrorKind::InactiveToken => "the token is unknown, revoked or expired at Clerk",
            AuthErrorKind::InsufficientScope => "the token lacks the scope that is required here",
            AuthErrorKind::IntrospectionUnavailable => "Clerk could not be asked about the token",
            AuthErrorKind::InvalidClaims => "a claim is missing, empty or of the wrong type",
            AuthErrorKind::IssuedInFuture => "the token was issued in the future",
            AuthErrorKind::IssuerMismatch => "the token has another issuer (iss)",
            AuthErrorKind::KeysUnavailable => "the verification keys are not available",
            AuthErrorKind::LifetimeTooLong => "the token is valid for longer than the maximum",
            AuthErrorKind::Malformed => {
                "the credentials are not one token of three base64url parts"
            }
            AuthErrorKind::MembershipEnded => {
                "the user has left the active organization, or it is gone"
            }
            AuthErrorKind::MissingCredentials => "no token was sent",
            AuthErrorKind::NotJudged => "no key was at hand to judge the token",
            AuthErrorKind::NotYetValid => "the token is not valid yet",
            AuthErrorKind::OtherOrganization => {
                "the organization of the request is not the session's active one"
            }
            AuthErrorKind::PendingSession => "the session is pending",
            AuthErrorKind::RequirementNotMet => "the session lacks what is required here",
            AuthErrorKind::ReverificationRequired => {
                "the user was not verified as recently as is required here"
            }
            AuthErrorKind::SessionEnded => "the session has ended, or the user is banned",
            AuthErrorKind::TooLarge => "the token is too long",
            AuthErrorKind::UnknownKey => "no known key has the token's key id (kid)",
            AuthErrorKind::UnsupportedAlgorithm => "the token's algorithm is not RS256",
            AuthErrorKind::WrongTokenType => "the token is not a session token",
        })
    }
}

impl PartialEq for AuthError {
    fn eq(&self, other: &Self) -> bool {
        let compared = |it: &Self| (it.kind, it.retry_after, it.reverification(), it.scope());
        compared(self) == compared(other)
    }
}

impl Eq for AuthError {}

impl Error for AuthError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}

/// A verification that the user lacks. It is a cause, so that the errors of a hit's path stay small.
#[derive(Debug)]
struct Missing(Reverification);

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(asked) = self;
        write!(
            f,
            "the verification is to be {:?}, less than {:?} ago",
            asked.level(),
            asked.within()
        )
    }
}

impl Error for Missing {}

/// A scope that the caller lacks, as a cause.
#[derive(Debug)]
struct MissingScope(Scope);

impl fmt::Display for MissingScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the scope is {:?}", self.0.as_str())
    }
}

impl Error for MissingScope {}
