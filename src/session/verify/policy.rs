//! What a verifier demands where Clerk leaves a choice. Strict unless relaxed by name.

use std::time::Duration;

/// What a missing or wrong `azp` means once authorized parties are configured.
///
/// Clerk's JavaScript SDK refuses a token without `azp` since 3.11.1; genuine tokens lack it when
/// they were minted without an `Origin`: by the Backend API, by native apps, during a top-level
/// navigation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuthorizedPartyPolicy {
    /// A wrong `azp` is refused, and so is a missing one.
    #[default]
    Required,
    /// A wrong `azp` is refused; a missing one passes.
    MissingAllowed,
    /// Nothing is refused. What would be is told: an event, and
    /// [`Claims::reported`](crate::session::Claims::reported).
    Report,
}

/// Which audiences a token may have been made for. Clerk's session tokens have no `aud` unless
/// the instance was told to add one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum AudiencePolicy {
    /// `aud` is not looked at.
    #[default]
    Off,
    /// `aud` must hold one of these, to the letter; a token without `aud` is refused.
    Required(Vec<String>),
    /// `aud`, when there is one, must hold one of these; a token without `aud` passes.
    IfPresent(Vec<String>),
}

/// Everything that a verifier demands of a token.
#[derive(Clone, Debug)]
pub(super) struct Policy {
    pub(super) issuers: Vec<String>,
    pub(super) authorized_parties: Option<Vec<String>>,
    pub(super) authorized_party_policy: AuthorizedPartyPolicy,
    pub(super) audience: AudiencePolicy,
    pub(super) skew: Duration,
    pub(super) pending_allowed: bool,
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
            pending_allowed: false,
            impersonation_denied: false,
        }
    }

    /// Whether tokens of an issuer are this policy's: byte for byte (RFC 7519 2: no
    /// canonicalisation).
    pub(super) fn accepts_issuer(&self, iss: &str) -> bool {
        self.issuers.iter().any(|issuer| *issuer == *iss)
    }
}
