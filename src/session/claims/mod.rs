//! The typed claims of a verified token, for handlers. Their JSON is in `wire`.

mod authorize;
mod custom;
pub(super) mod date;
mod org;
mod parts;
mod texts;
pub(super) mod wire;

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::time::SystemTime;

use serde::de::DeserializeOwned;

use self::custom::Decoded;
use self::date::NumericDate;
use self::texts::{TextName, Texts};
use super::error::AuthErrorKind;

pub use authorize::Authorization;
pub(super) use authorize::Lack;
pub use custom::CustomClaimsError;
pub use org::Organization;
pub use parts::{Actor, Entitlement, FactorAges};

/// The claims of a session token, the same for version 1 and 2.
///
/// Source: Clerk's page on session tokens, and for version 2 its JavaScript SDK.
pub struct Claims {
    /// The whole token, by which the cache finds it. Claims that are seldom used are read from it
    /// again.
    token: Box<[u8]>,
    texts: Texts,
    exp: NumericDate,
    iat: Option<NumericDate>,
    factor_ages: Option<FactorAges>,
    pending: bool,
    impersonated: bool,
    reported: Option<AuthErrorKind>,
    extra: Option<Box<Extra>>,
    decoded: Decoded,
}

/// The claims that a plain session does not have.
#[derive(Default)]
struct Extra {
    actor: Option<Actor>,
    organization: Option<Organization>,
    features: Vec<Entitlement>,
    plans: Vec<Entitlement>,
}

impl Claims {
    /// Returns the token's issuer, the instance's Frontend API: `iss`.
    #[must_use]
    pub fn issuer(&self) -> &str {
        self.texts.get(TextName::Issuer).unwrap_or_default()
    }

    /// Returns the id of the session's user, `user_…`: `sub`.
    #[must_use]
    pub fn user_id(&self) -> &str {
        self.texts.get(TextName::Subject).unwrap_or_default()
    }

    /// Returns the session's id, `sess_…`: `sid`.
    #[must_use]
    pub fn session_id(&self) -> Option<&str> {
        self.texts.get(TextName::SessionId)
    }

    /// Returns the origin that the token was issued for: `azp`.
    #[must_use]
    pub fn authorized_party(&self) -> Option<&str> {
        self.texts.get(TextName::AuthorizedParty)
    }

    /// Returns the active organization.
    #[must_use]
    pub fn organization(&self) -> Option<&Organization> {
        self.extra.as_ref()?.organization.as_ref()
    }

    /// Returns the impersonator, if `act` is readable.
    #[must_use]
    pub fn actor(&self) -> Option<&Actor> {
        self.extra.as_ref()?.actor.as_ref()
    }

    /// Returns whether another person acts for the user: whether there is an `act`, readable or
    /// not.
    #[must_use]
    pub fn is_impersonated(&self) -> bool {
        self.impersonated
    }

    /// Returns the time from which the token is invalid, without skew: `exp`, in whole seconds.
    #[must_use]
    pub fn expires_at(&self) -> SystemTime {
        self.exp.to_system_time()
    }

    /// Returns `iat` in milliseconds since 1970.
    #[cfg(feature = "lockouts")]
    pub(crate) fn issued_at_milliseconds(&self) -> Option<i64> {
        self.iat.map(NumericDate::milliseconds)
    }

    /// Returns the time at which the token was issued: `iat`, in whole seconds.
    #[must_use]
    pub fn issued_at(&self) -> Option<SystemTime> {
        self.iat.map(NumericDate::to_system_time)
    }

    /// Returns how long ago the user was verified: `fva`. `None` if the token does not contain it.
    #[must_use]
    pub fn factor_ages(&self) -> Option<FactorAges> {
        self.factor_ages
    }

    /// Returns whether the session is pending (`sts`): the user has to do something before it
    /// counts.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        self.pending
    }

    /// Returns the features of the user and the organization: `fea`.
    #[must_use]
    pub fn features(&self) -> &[Entitlement] {
        self.extra.as_ref().map_or(&[], |extra| &extra.features)
    }

    /// Returns the plans of the user and the organization: `pla`.
    #[must_use]
    pub fn plans(&self) -> &[Entitlement] {
        self.extra.as_ref().map_or(&[], |extra| &extra.plans)
    }

    /// Returns the token of these claims.
    #[cfg(feature = "moka")]
    pub(super) fn token(&self) -> &[u8] {
        &self.token
    }

    /// Returns the key id in the token's header: `kid`.
    pub(super) fn key_id(&self) -> Option<&str> {
        self.texts.get(TextName::KeyId)
    }

    /// Returns about how much memory the claims take, in bytes, the token included.
    #[cfg(feature = "moka")]
    pub(super) fn approximate_bytes(&self) -> usize {
        let extra = self.extra.as_ref().map_or(0, |extra| extra.approximate_bytes());
        size_of::<Self>() + self.token.len() + self.texts.bytes() + extra
    }

    /// Returns the rule that the token breaks, if its policy is to report it and not to refuse the
    /// token.
    #[must_use]
    pub fn reported(&self) -> Option<AuthErrorKind> {
        self.reported
    }

    /// Returns the token's claims as a type of your own: custom claims, and any that have no method
    /// here. They are deserialized when they are first asked for as this type, and kept with the session: requests with the same
    /// token share them, so a type with a lock or a counter in it would carry it from one to the next.
    /// `cache_bytes` of the verifier does not count them.
    ///
    /// ```
    /// # use tower_clerk::session::Session;
    /// #[derive(serde::Deserialize)]
    /// struct Custom {
    ///     locale: Option<String>,
    /// }
    ///
    /// fn locale(session: &Session) -> Option<&str> {
    ///     session.claims().custom::<Custom>().ok()?.locale.as_deref()
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// The claims do not fit the type. The error names the member by the token's own names, but does not repeat its value.
    pub fn custom<T>(&self) -> Result<&T, CustomClaimsError>
    where
        T: DeserializeOwned + Send + Sync + RefUnwindSafe + UnwindSafe + 'static,
    {
        self.decoded.get_or_decode(self.payload())
    }

    /// Returns the token's second part.
    fn payload(&self) -> &[u8] {
        self.token.split(|byte| *byte == b'.').nth(1).unwrap_or_default()
    }
}

/// Compares the payloads and the reported rules: tokens with one payload have the same claims,
/// whatever their signatures.
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
        let Self { actor, organization, features, plans } = self;
        let organization = organization.as_ref().map_or(0, Organization::approximate_bytes);
        let slugs = features.iter().chain(plans);
        let slugs: usize = slugs.map(|one| one.slug.len() + size_of::<Entitlement>()).sum();
        let actor = actor.as_ref().map_or(0, |actor| {
            actor.user_id.len() + actor.session_id.as_ref().map_or(0, |id| id.len())
        });
        size_of::<Self>() + organization + slugs + actor
    }
}

/// Shows only the user id: other claims do not belong in a log.
impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claims").field("sub", &self.user_id()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
