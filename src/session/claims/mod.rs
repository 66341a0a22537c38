//! What handlers see: the claims of a verified token, typed. Their JSON is in `wire`.

mod authorize;
pub(super) mod date;
mod org;
mod parts;
mod texts;
pub(super) mod wire;

use std::fmt;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;

use self::date::NumericDate;
use self::texts::{Name, Texts};
use super::error::AuthErrorKind;

pub use authorize::{Authorization, FactorLevel, Reverification};
pub use org::Organization;
pub use parts::{Actor, Entitlement, FactorAges};

/// The claims of a session token, of version 1 or 2 alike.
///
/// Source: Clerk's page on session tokens, and for version 2 its JavaScript SDK.
pub struct Claims {
    /// The whole token, which a cache finds it by. What is asked for seldom is read from it again.
    token: Box<[u8]>,
    texts: Texts,
    exp: NumericDate,
    iat: Option<NumericDate>,
    factor_ages: Option<FactorAges>,
    pending: bool,
    impersonated: bool,
    reported: Option<AuthErrorKind>,
    extra: Option<Box<Extra>>,
}

/// What a plain session has nothing of.
#[derive(Default)]
struct Extra {
    actor: Option<Actor>,
    organization: Option<Organization>,
    features: Vec<Entitlement>,
    plans: Vec<Entitlement>,
}

impl Claims {
    /// Who issued the token, the instance's Frontend API: `iss`.
    #[must_use]
    pub fn issuer(&self) -> &str {
        self.texts.get(Name::Issuer).unwrap_or_default()
    }

    /// Whose session it is, `user_…`: `sub`.
    #[must_use]
    pub fn user_id(&self) -> &str {
        self.texts.get(Name::Subject).unwrap_or_default()
    }

    /// The session's id, `sess_…`: `sid`.
    #[must_use]
    pub fn session_id(&self) -> Option<&str> {
        self.texts.get(Name::SessionId)
    }

    /// The origin that the token was made for: `azp`.
    #[must_use]
    pub fn authorized_party(&self) -> Option<&str> {
        self.texts.get(Name::AuthorizedParty)
    }

    /// The active organization.
    #[must_use]
    pub fn organization(&self) -> Option<&Organization> {
        self.extra.as_ref()?.organization.as_ref()
    }

    /// Who impersonates the user, where `act` can be read.
    #[must_use]
    pub fn actor(&self) -> Option<&Actor> {
        self.extra.as_ref()?.actor.as_ref()
    }

    /// Whether somebody else acts for the user: there is an `act`, whether it can be read or not.
    #[must_use]
    pub fn is_impersonated(&self) -> bool {
        self.impersonated
    }

    /// From when on the token is no longer valid, without skew: `exp`, in whole seconds.
    #[must_use]
    pub fn expires_at(&self) -> SystemTime {
        self.exp.to_system_time()
    }

    /// When the token was issued: `iat`, in whole seconds.
    #[must_use]
    pub fn issued_at(&self) -> Option<SystemTime> {
        self.iat.map(NumericDate::to_system_time)
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
        self.extra.as_ref().map_or(&[], |extra| &extra.features)
    }

    /// The plans of user and organization: `pla`.
    #[must_use]
    pub fn plans(&self) -> &[Entitlement] {
        self.extra.as_ref().map_or(&[], |extra| &extra.plans)
    }

    /// The token whose claims they are.
    #[cfg(feature = "moka")]
    pub(super) fn token(&self) -> &[u8] {
        &self.token
    }

    /// The id of the key that signed it, as the token's header has it: `kid`.
    pub(super) fn key_id(&self) -> Option<&str> {
        self.texts.get(Name::KeyId)
    }

    /// About how much memory the claims take, in bytes, the token included.
    #[cfg(feature = "moka")]
    pub(super) fn approximate_bytes(&self) -> usize {
        let extra = self.extra.as_ref().map_or(0, |extra| extra.approximate_bytes());
        size_of::<Self>() + self.token.len() + self.texts.bytes() + extra
    }

    /// The rule that the token breaks, when the rule's policy is to report instead of to refuse.
    #[must_use]
    pub fn reported(&self) -> Option<AuthErrorKind> {
        self.reported
    }

    /// The token's claims as a type of your own: custom claims and whatever is not offered here.
    /// Read from the token at each call: keep what it gives.
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
        let payload = URL_SAFE_NO_PAD.decode(self.payload()).map_err(|_| CustomClaimsError(()))?;
        serde_json::from_slice(&payload).map_err(|_| CustomClaimsError(()))
    }

    /// The token's second part.
    fn payload(&self) -> &[u8] {
        self.token.split(|byte| *byte == b'.').nth(1).unwrap_or_default()
    }
}

/// Two tokens of one payload have the same claims, whoever signed them.
impl PartialEq for Claims {
    fn eq(&self, other: &Self) -> bool {
        self.payload() == other.payload() && self.reported == other.reported
    }
}

impl Eq for Claims {}

impl Extra {
    fn is_empty(&self) -> bool {
        let Self { actor, organization, features, plans } = self;
        actor.is_none() && organization.is_none() && features.is_empty() && plans.is_empty()
    }

    #[cfg(feature = "moka")]
    fn approximate_bytes(&self) -> usize {
        let organization = self.organization.as_ref().map_or(0, Organization::approximate_bytes);
        let slugs = self.features.iter().chain(&self.plans);
        let slugs: usize = slugs.map(|one| one.slug.len() + size_of::<Entitlement>()).sum();
        let actor = self.actor.as_ref().map_or(0, |actor| {
            actor.user_id.len() + actor.session_id.as_ref().map_or(0, |id| id.len())
        });
        size_of::<Self>() + organization + slugs + actor
    }
}

/// Nobody's claims belong into a log.
impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claims").field("sub", &self.user_id()).finish_non_exhaustive()
    }
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
