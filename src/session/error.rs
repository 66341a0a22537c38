//! Why a request has no session. Knows no HTTP status: what a client is told is in `reject`.

use std::error::Error;
use std::fmt;
use std::time::Duration;

/// Why a request could not be given a session.
///
/// Cheap to copy about. The layer leaves it in the response's extensions, so that logging and metrics
/// can see the reason that the client is not told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthError {
    kind: AuthErrorKind,
    retry_after: Option<Duration>,
}

/// The reasons, one word each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AuthErrorKind {
    /// `aud` holds none of the configured audiences, or is neither text nor a list of texts.
    AudienceMismatch,
    /// An audience is demanded and the token has no `aud`.
    AudienceMissing,
    /// `azp` is none of the configured authorized parties, or not text.
    AuthorizedPartyMismatch,
    /// Authorized parties are configured and the token has no `azp`.
    AuthorizedPartyMissing,
    /// The signature is not this instance's.
    BadSignature,
    /// The header has `crit` or `b64`, of which nothing is implemented (RFC 7515 4.1.11).
    CriticalHeader,
    /// `exp` and the skew are past. The signature was good.
    Expired,
    /// The user is being impersonated (`act`), which this server does not allow.
    Impersonation,
    /// A claim that decides something is missing or of a wrong type.
    InvalidClaims,
    /// `iat` lies further ahead than the skew.
    IssuedInFuture,
    /// `iss` is none of the configured issuers.
    IssuerMismatch,
    /// No verification keys could be had: our side's fault, not the client's.
    KeysUnavailable,
    /// Not `Bearer` and one token of three base64url parts.
    Malformed,
    /// No bearer token was sent.
    MissingCredentials,
    /// `nbf` lies further ahead than the skew.
    NotYetValid,
    /// The session is pending (`sts`): the user has still to do something before it counts.
    PendingSession,
    /// The token is longer than any genuine one.
    TooLarge,
    /// The instance publishes no key with the token's `kid`.
    UnknownKey,
    /// `alg` is not RS256.
    UnsupportedAlgorithm,
    /// A token of another category: JWT template, machine or OAuth token.
    WrongTokenType,
}

impl AuthError {
    pub(crate) fn new(kind: AuthErrorKind) -> Self {
        Self { kind, retry_after: None }
    }

    pub(crate) fn keys_unavailable(retry_after: Duration) -> Self {
        Self { kind: AuthErrorKind::KeysUnavailable, retry_after: Some(retry_after) }
    }

    /// The reason.
    #[must_use]
    pub fn kind(&self) -> AuthErrorKind {
        self.kind
    }

    /// When it is worth asking again; only with [`AuthErrorKind::KeysUnavailable`].
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }
}

impl AuthErrorKind {
    /// The reason as one `snake_case` word, for logs and metric labels.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AudienceMismatch => "audience_mismatch",
            Self::AudienceMissing => "audience_missing",
            Self::AuthorizedPartyMismatch => "authorized_party_mismatch",
            Self::AuthorizedPartyMissing => "authorized_party_missing",
            Self::BadSignature => "bad_signature",
            Self::CriticalHeader => "critical_header",
            Self::Expired => "expired",
            Self::Impersonation => "impersonation",
            Self::InvalidClaims => "invalid_claims",
            Self::IssuedInFuture => "issued_in_future",
            Self::IssuerMismatch => "issuer_mismatch",
            Self::KeysUnavailable => "keys_unavailable",
            Self::Malformed => "malformed",
            Self::MissingCredentials => "missing_credentials",
            Self::NotYetValid => "not_yet_valid",
            Self::PendingSession => "pending_session",
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
            AuthErrorKind::AudienceMismatch => "the token was made for another audience",
            AuthErrorKind::AudienceMissing => "the token does not say for which audience",
            AuthErrorKind::AuthorizedPartyMismatch => "the token was made for another origin",
            AuthErrorKind::AuthorizedPartyMissing => "the token does not say for which origin",
            AuthErrorKind::BadSignature => "the token's signature is not good",
            AuthErrorKind::CriticalHeader => "the token's header demands an extension",
            AuthErrorKind::Expired => "the token has expired",
            AuthErrorKind::Impersonation => "the user is being impersonated",
            AuthErrorKind::InvalidClaims => "a claim is missing or of a wrong type",
            AuthErrorKind::IssuedInFuture => "the token was issued in the future",
            AuthErrorKind::IssuerMismatch => "the token is another issuer's",
            AuthErrorKind::KeysUnavailable => "no verification keys can be had",
            AuthErrorKind::Malformed => "not one bearer token of three base64url parts",
            AuthErrorKind::MissingCredentials => "no bearer token was sent",
            AuthErrorKind::NotYetValid => "the token is not valid yet",
            AuthErrorKind::PendingSession => "the session is pending",
            AuthErrorKind::TooLarge => "the token is too long",
            AuthErrorKind::UnknownKey => "no published key has the token's key id",
            AuthErrorKind::UnsupportedAlgorithm => "the token's algorithm is not RS256",
            AuthErrorKind::WrongTokenType => "not a session token",
        })
    }
}

impl Error for AuthError {}
