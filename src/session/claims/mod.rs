//! ⑥ What handlers see: the claims of a verified token, typed. Their JSON is in `wire`.

mod authorize;
mod org;
pub(super) mod wire;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::de::DeserializeOwned;

use super::error::AuthErrorKind;

pub use authorize::{Authorization, FactorLevel, Reverification};
pub use org::Organization;

/// A verified session: who sent the request.
///
/// The layer puts it into the request's extensions; with the feature `axum` it is an extractor.
/// Cheap to clone, and immutable: nothing a handler does to it reaches the next request.
#[derive(Clone, PartialEq, Eq)]
pub struct Session {
    claims: Arc<Claims>,
}

/// The claims of a session token, of version 1 or 2 alike.
///
/// Source: Clerk's page on session tokens, and for version 2 its JavaScript SDK.
#[derive(PartialEq, Eq)]
pub struct Claims {
    sub: Box<str>,
    iss: Box<str>,
    sid: Option<Box<str>>,
    azp: Option<Box<str>>,
    exp: SystemTime,
    iat: Option<SystemTime>,
    factor_ages: Option<FactorAges>,
    pending: bool,
    impersonated: bool,
    actor: Option<Actor>,
    organization: Option<Organization>,
    features: Vec<Entitlement>,
    plans: Vec<Entitlement>,
    payload: Box<[u8]>,
    reported: Option<AuthErrorKind>,
}

impl Session {
    pub(super) fn new(claims: Claims) -> Self {
        Self { claims: Arc::new(claims) }
    }

    /// All claims.
    #[must_use]
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// Whose session it is, `user_…`: `sub`. Under impersonation the impersonated user.
    #[must_use]
    pub fn user_id(&self) -> &str {
        &self.claims.sub
    }

    /// The session's id, `sess_…`: `sid`.
    #[must_use]
    pub fn session_id(&self) -> Option<&str> {
        self.claims.sid.as_deref()
    }

    /// The active organization.
    #[must_use]
    pub fn organization(&self) -> Option<&Organization> {
        self.claims.organization.as_ref()
    }

    /// Whether somebody else acts for the user: there is an `act`, whether it can be read or not.
    #[must_use]
    pub fn is_impersonated(&self) -> bool {
        self.claims.impersonated
    }

    /// Who really sits there, when the user is being impersonated and `act` says by whom.
    #[must_use]
    pub fn actor(&self) -> Option<&Actor> {
        self.claims.actor.as_ref()
    }

    /// Whether the user is, has and has proved all that is required: Clerk's `has()`.
    ///
    /// ```
    /// # use tower_clerk::session::{Authorization, Session};
    /// fn may_publish(session: &Session) -> bool {
    ///     session.has(&Authorization::permission("posts:publish"))
    /// }
    /// ```
    #[must_use]
    pub fn has(&self, required: &Authorization) -> bool {
        required.holds_for(&self.claims)
    }
}

impl Claims {
    /// Who issued the token, the instance's Frontend API: `iss`.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.iss
    }

    /// The origin that the token was made for: `azp`.
    #[must_use]
    pub fn authorized_party(&self) -> Option<&str> {
        self.azp.as_deref()
    }

    /// From when on the token is no longer valid, without skew: `exp`, in whole seconds.
    #[must_use]
    pub fn expires_at(&self) -> SystemTime {
        self.exp
    }

    /// When the token was issued: `iat`, in whole seconds.
    #[must_use]
    pub fn issued_at(&self) -> Option<SystemTime> {
        self.iat
    }

    /// How long ago the user was verified: `fva`. `None` when the instance does not say.
    #[must_use]
    pub fn factor_ages(&self) -> Option<FactorAges> {
        self.factor_ages
    }

    /// Whether the session is pending (`sts`): the user has still to do something.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        self.pending
    }

    /// The features of user and organization: `fea`.
    #[must_use]
    pub fn features(&self) -> &[Entitlement] {
        &self.features
    }

    /// The plans of user and organization: `pla`.
    #[must_use]
    pub fn plans(&self) -> &[Entitlement] {
        &self.plans
    }

    /// About how much memory the claims take, in bytes.
    #[cfg(feature = "moka")]
    pub(super) fn approximate_bytes(&self) -> usize {
        // The payload, and what was copied out of it: at most as much again.
        let organization = self.organization.as_ref().map_or(0, Organization::approximate_bytes);
        size_of::<Self>() + 2 * self.payload.len() + organization
    }

    /// The rule that the token breaks, when the rule's policy is to report instead of to refuse.
    #[must_use]
    pub fn reported(&self) -> Option<AuthErrorKind> {
        self.reported
    }

    /// The token's claims as a type of your own: custom claims and whatever is not offered here.
    ///
    /// ```
    /// # use tower_clerk::session::Session;
    /// #[derive(serde::Deserialize)]
    /// struct Custom {
    ///     locale: Option<String>,
    /// }
    ///
    /// fn locale(session: &Session) -> Option<String> {
    ///     session.claims().custom::<Custom>().ok()?.locale
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// The claims do not fit the type. The message does not repeat them.
    pub fn custom<T: DeserializeOwned>(&self) -> Result<T, CustomClaimsError> {
        serde_json::from_slice(&self.payload).map_err(|_| CustomClaimsError(()))
    }
}

/// Nobody's claims belong into a log.
impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("user_id", &self.user_id()).finish_non_exhaustive()
    }
}

/// Nobody's claims belong into a log.
impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claims").field("sub", &self.sub).finish_non_exhaustive()
    }
}

/// Who impersonates the user: `act`.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Actor {
    /// The impersonator's user id: `act.sub`.
    pub user_id: Box<str>,
    /// The impersonator's own session: `act.sid`.
    pub session_id: Option<Box<str>>,
}

impl fmt::Debug for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Actor").field("user_id", &self.user_id).finish_non_exhaustive()
    }
}

/// How long ago the two factors were verified; Clerk counts in minutes. `None`: not enrolled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FactorAges {
    /// The first factor.
    pub first: Option<Duration>,
    /// The second factor.
    pub second: Option<Duration>,
}

/// A feature or a plan, and who has it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entitlement {
    /// Its name, without scope.
    pub slug: Box<str>,
    /// The user has it: scope `u`, `uo` or `ou`.
    pub of_user: bool,
    /// The active organization has it: scope `o`, `uo` or `ou`.
    pub of_organization: bool,
}

/// The claims do not fit the type they were asked for as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CustomClaimsError(());

impl fmt::Display for CustomClaimsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the token's claims do not fit the type")
    }
}

impl std::error::Error for CustomClaimsError {}

#[cfg(test)]
mod tests;
