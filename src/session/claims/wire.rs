//! The JSON of claims, version 1 and 2. Uses serde; applies no rules.

use std::borrow::Cow;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer};
use serde_json::value::RawValue;

use super::super::error::AuthErrorKind;
use super::super::json::{Text, json_object, present};
use super::date::NumericDate;
use super::org::{Organization, OrganizationV1, OrganizationV2};
use super::parts::{Actor, Entitlement, FactorAges};
use super::texts::{TextName, Texts};
use super::{Claims, Decoded, Extra};

/// A payload, borrowed from its bytes. Times are strict: a wrong type or a `null` fails the whole
/// payload. Any other claim of a wrong type is kept as [`TextClaim::WrongType`] for the rules, or
/// counts as absent.
#[derive(Deserialize)]
pub(in crate::session) struct Wire<'a> {
    #[serde(borrow, default)]
    pub(in crate::session) iss: TextClaim<'a>,
    #[serde(borrow, default)]
    pub(in crate::session) sub: TextClaim<'a>,
    #[serde(borrow, default, deserialize_with = "one_or_many")]
    pub(in crate::session) aud: Option<Vec<TextClaim<'a>>>,
    #[serde(borrow, default)]
    pub(in crate::session) azp: TextClaim<'a>,
    #[serde(default, deserialize_with = "present")]
    pub(in crate::session) exp: Option<NumericDate>,
    #[serde(default, deserialize_with = "present")]
    pub(in crate::session) nbf: Option<NumericDate>,
    #[serde(default, deserialize_with = "present")]
    pub(in crate::session) iat: Option<NumericDate>,
    #[serde(borrow, default)]
    pub(in crate::session) sts: TextClaim<'a>,
    #[serde(borrow, default)]
    sid: TextClaim<'a>,
    #[serde(borrow, default)]
    v: Option<&'a RawValue>,
    #[serde(borrow, default)]
    fva: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(in crate::session) act: Option<&'a RawValue>,
    #[serde(borrow, default)]
    o: Option<&'a RawValue>,
    #[serde(borrow, default)]
    fea: TextClaim<'a>,
    #[serde(borrow, default)]
    pla: TextClaim<'a>,
    #[serde(borrow, default)]
    org_id: TextClaim<'a>,
    #[serde(borrow, default)]
    org_slug: TextClaim<'a>,
    #[serde(borrow, default)]
    org_role: TextClaim<'a>,
    #[serde(borrow, default)]
    org_permissions: Option<&'a RawValue>,
}

impl<'a> Wire<'a> {
    /// Parses a payload: one JSON object, without duplicates of the members read here.
    pub(in crate::session) fn parse(payload: &'a [u8]) -> Option<Self> {
        json_object(payload)
    }

    /// Converts a payload to the claims for handlers, with its token and the `kid` of the token's
    /// header; returns `None` if `sub`, `iss` or `exp` is missing.
    pub(in crate::session) fn into_claims(
        self,
        token: &[u8],
        kid: Option<&str>,
        reported: Option<AuthErrorKind>,
    ) -> Option<Claims> {
        let texts = Texts::new([
            (TextName::Issuer, Some(self.iss.text()?)),
            (TextName::Subject, Some(self.sub.text()?)),
            (TextName::SessionId, self.sid.text()),
            (TextName::AuthorizedParty, self.azp.text()),
            (TextName::KeyId, kid),
        ]);
        let features = self.fea.text().map(entitlements).unwrap_or_default();
        let extra = Extra {
            organization: self.organization(&features),
            features,
            plans: self.pla.text().map(entitlements).unwrap_or_default(),
            actor: lenient(self.act).map(|ActorJson { sub, sid }| Actor {
                user_id: sub.into(),
                session_id: sid.map(Into::into),
            }),
        };
        Some(Claims {
            token: token.into(),
            texts: texts?,
            exp: self.exp?,
            iat: self.iat,
            factor_ages: lenient::<Vec<f64>>(self.fva).and_then(|minutes| factor_ages(&minutes)),
            pending: self.is_pending(),
            impersonated: self.act.is_some(),
            reported,
            extra: (!extra.is_empty()).then(|| Box::new(extra)),
            decoded: Decoded::default(),
        })
    }

    /// Returns whether the token names a session.
    pub(in crate::session) fn has_session_id(&self) -> bool {
        self.sid.text().is_some_and(|sid| !sid.is_empty())
    }

    /// Returns whether the session is pending: as in Clerk's SDK, `sts` is exactly `pending`.
    pub(in crate::session) fn is_pending(&self) -> bool {
        self.sts.text() == Some("pending")
    }

    /// Returns the active organization. Version 2 is exactly the number 2, and then only `o`
    /// counts. Anything else is version 1, and only `org_*` counts.
    fn organization(&self, features: &[Entitlement]) -> Option<Organization> {
        let version_2 = self.v.and_then(|v| v.get().parse::<f64>().ok()) == Some(2.0);
        if version_2 {
            return Some(lenient::<OrganizationV2>(self.o)?.decode(features));
        }
        let v1 = OrganizationV1 {
            id: self.org_id.text()?,
            slug: self.org_slug.text(),
            role: self.org_role.text(),
            permissions: lenient(self.org_permissions).unwrap_or_default(),
        };
        Some(v1.into())
    }
}

#[derive(Deserialize)]
struct ActorJson {
    sub: String,
    #[serde(default)]
    sid: Option<String>,
}

/// Deserializes one string or a list; an empty list is `None`. Any other type is one element of a
/// wrong type.
fn one_or_many<'de: 'a, 'a, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Vec<TextClaim<'a>>>, D::Error> {
    let raw = <&RawValue>::deserialize(deserializer)?;
    let many = match serde_json::from_str::<Vec<TextClaim<'_>>>(raw.get()) {
        Ok(many) => many,
        Err(_) => vec![TextClaim::deserialize(raw).unwrap_or(TextClaim::WrongType)],
    };
    Ok((!many.is_empty()).then_some(many))
}

/// Deserializes a member to the wanted type, or returns `None`.
fn lenient<T: DeserializeOwned>(raw: Option<&RawValue>) -> Option<T> {
    serde_json::from_str(raw?.get()).ok()
}

/// Returns the ages of the factors from the minutes since the first and the second; -1 means not
/// enrolled. With any other value the claim counts as absent, so that a requirement on it fails.
fn factor_ages(minutes: &[f64]) -> Option<FactorAges> {
    let age = |minutes: f64| match minutes {
        -1.0 => Some(None),
        _ if (0.0..=MAX_MINUTES).contains(&minutes) => {
            Some(Some(Duration::from_secs_f64(minutes * 60.0)))
        }
        _ => None,
    };
    match *minutes {
        [first, second] => Some(FactorAges { first: age(first)?, second: age(second)? }),
        _ => None,
    }
}

/// Parses a list like `o:pro,u:free`. An element without a colon invalidates the whole claim, as in
/// Clerk's own SDK; unknown scopes are skipped.
fn entitlements(claim: &str) -> Vec<Entitlement> {
    let mut found = Vec::new();
    for element in claim.split(',') {
        let Some((scope, slug)) = element.trim().split_once(':') else { return Vec::new() };
        let of_user = matches!(scope, "u" | "uo" | "ou");
        let of_organization = matches!(scope, "o" | "uo" | "ou");
        if of_user || of_organization {
            found.push(Entitlement { slug: slug.into(), of_user, of_organization });
        }
    }
    found
}

/// A claim that should be a string: missing, a string, or of a wrong type (`null` included).
#[derive(Default)]
pub(in crate::session) enum TextClaim<'a> {
    #[default]
    Missing,
    Text(Cow<'a, str>),
    WrongType,
}

impl TextClaim<'_> {
    pub(in crate::session) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Missing | Self::WrongType => None,
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for TextClaim<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?;
        Ok(match serde_json::from_str::<Text<'_>>(raw.get()) {
            Ok(text) => Self::Text(text.0),
            Err(_) => Self::WrongType,
        })
    }
}

/// The greatest age of a factor, in minutes: about 1900 years.
const MAX_MINUTES: f64 = 1e9;
