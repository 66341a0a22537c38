//! The requirements of a verifier where Clerk leaves a choice. Strict unless a setting relaxes
//! them.

use std::time::Duration;

/// The treatment of a missing or wrong `azp` when authorized parties are configured.
///
/// Clerk's JavaScript SDK refuses a token without `azp` since 3.11.1. Genuine tokens have none if
/// they were issued without an `Origin`: by the Backend API, to native apps, or during a top-level
/// navigation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuthorizedPartyPolicy {
    /// A wrong `azp` is refused, and so is a missing one.
    #[default]
    Required,
    /// A wrong `azp` is refused; a missing one passes.
    MissingAllowed,
    /// Nothing is refused. A violation is reported: by an event, and by
    /// [`Claims::reported`](crate::session::Claims::reported).
    Report,
}

/// The audiences that tokens may be issued for. Clerk's session tokens have no `aud` unless the
/// instance is configured to add one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum AudiencePolicy {
    /// `aud` is not checked.
    #[default]
    Off,
    /// `aud` must contain one of these, compared exactly; a token without `aud` is refused.
    Required(Vec<String>),
    /// `aud`, if present, must contain one of these; a token without `aud` passes.
    IfPresent(Vec<String>),
}

/// All requirements of a verifier.
#[derive(Clone, Debug)]
pub(super) struct Policy {
    pub(super) issuers: Vec<String>,
    pub(super) authorized_parties: Option<Vec<String>>,
    pub(super) authorized_party_policy: AuthorizedPartyPolicy,
    pub(super) audience: AudiencePolicy,
    pub(super) skew: Duration,
    pub(super) max_lifetime: Option<Duration>,
    pub(super) max_token_bytes: usize,
    pub(super) pending_allowed: bool,
    pub(super) templates_allowed: bool,
    pub(super) impersonation_denied: bool,
}

impl Policy {
    pub(super) fn new(issuer: String) -> Self {
        Self {
            issuers: vec![issuer],
            authorized_parties: None,
            authorized_party_policy: AuthorizedPartyPolicy::default(),
            audience: AudiencePolicy::default(),
            skew: Duration::from_secs(5),
            max_lifetime: None,
            max_token_bytes: 8 * 1024,
            pending_allowed: false,
            templates_allowed: false,
            impersonation_denied: false,
        }
    }

    /// Returns whether the policy accepts an issuer, compared byte for byte (RFC 7519 2: no
    /// canonicalisation).
    pub(super) fn accepts_issuer(&self, iss: &str) -> bool {
        self.issuers.iter().any(|issuer| *issuer == *iss)
    }
}
