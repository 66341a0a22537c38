//! The rules for a token whose signature is good. Pure: claims, policy and time come in.

use std::time::{Duration, SystemTime};

use super::super::claims::date::NumericDate;
use super::super::claims::wire::{TextClaim, Wire};
use super::super::error::AuthErrorKind;
use super::super::window::{Window, milliseconds};
use super::policy::{AudiencePolicy, AuthorizedPartyPolicy, Policy};

/// A token that the rules accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Accepted {
    /// The times at which they accept it.
    pub(super) valid_during: Window,
    /// The rule that the token breaks, where the policy is to report instead of to refuse.
    pub(super) violation: Option<AuthErrorKind>,
}

/// Clerk's rules in Clerk's order (`sub`, `aud`, `azp`, `exp`, `nbf`, `iat`), after two that
/// Clerk's `verifyToken` leaves out: `iss` exactly, and no machine's subject.
pub(super) fn check(
    claims: &Wire<'_>,
    policy: &Policy,
    now: SystemTime,
) -> Result<Accepted, AuthErrorKind> {
    // One string; whose token it is, hangs on it.
    if !claims.iss.text().is_some_and(|iss| policy.accepts_issuer(iss)) {
        return Err(AuthErrorKind::IssuerMismatch);
    }
    subject(&claims.sub)?;
    audience(claims.aud.as_ref(), &policy.audience)?;
    let violation = authorized_party(&claims.azp, policy)?;
    let valid_during = times(claims, policy.skew, now)?;
    // A pending session counts as signed out.
    if claims.is_pending() && !policy.pending_allowed {
        return Err(AuthErrorKind::PendingSession);
    }
    // Any `act`, also one that cannot be read: when in doubt, somebody else sits there.
    if claims.act.is_some() && policy.impersonation_denied {
        return Err(AuthErrorKind::Impersonation);
    }
    Ok(Accepted { valid_during, violation })
}

/// The user. Clerk lets an empty `sub` pass; ownership of data hangs on it. A machine's token is
/// none of a session, whatever its header says.
fn subject(sub: &TextClaim<'_>) -> Result<(), AuthErrorKind> {
    match sub.text() {
        None | Some("") => Err(AuthErrorKind::InvalidClaims),
        Some(sub) if sub.starts_with("mch_") => Err(AuthErrorKind::WrongTokenType),
        Some(_) => Ok(()),
    }
}

/// One text or a list of texts (RFC 7519 4.1.3). Clerk's SDK lets any other shape pass; here it
/// does not match. An empty list is no audience at all.
fn audience(
    aud: Option<&Vec<TextClaim<'_>>>,
    policy: &AudiencePolicy,
) -> Result<(), AuthErrorKind> {
    let (accepted, missing) = match policy {
        AudiencePolicy::Off => return Ok(()),
        AudiencePolicy::Required(accepted) => (accepted, Err(AuthErrorKind::AudienceMissing)),
        AudiencePolicy::IfPresent(accepted) => (accepted, Ok(())),
    };
    let Some(aud) = aud else { return missing };
    let texts = aud.iter().map(TextClaim::text).collect::<Option<Vec<_>>>();
    let texts = texts.ok_or(AuthErrorKind::AudienceMismatch)?;
    let known = texts.iter().any(|aud| accepted.iter().any(|accepted| accepted == aud));
    if known { Ok(()) } else { Err(AuthErrorKind::AudienceMismatch) }
}

/// One of the authorized parties; with none configured, anything passes.
fn authorized_party(
    azp: &TextClaim<'_>,
    policy: &Policy,
) -> Result<Option<AuthErrorKind>, AuthErrorKind> {
    let Some(parties) = &policy.authorized_parties else { return Ok(None) };
    let broken = match azp {
        TextClaim::Missing => AuthErrorKind::AuthorizedPartyMissing,
        TextClaim::Text(azp) if azp.is_empty() => AuthErrorKind::AuthorizedPartyMissing,
        TextClaim::Text(azp) if parties.iter().any(|party| *party == **azp) => return Ok(None),
        TextClaim::Text(_) | TextClaim::WrongType => AuthErrorKind::AuthorizedPartyMismatch,
    };
    match policy.authorized_party_policy {
        AuthorizedPartyPolicy::Report => Ok(Some(broken)),
        // Missing is missing: an empty `azp` is something that no browser sends.
        AuthorizedPartyPolicy::MissingAllowed if matches!(azp, TextClaim::Missing) => Ok(None),
        AuthorizedPartyPolicy::MissingAllowed | AuthorizedPartyPolicy::Required => Err(broken),
    }
}

/// `exp` is required, and the token expires at the very millisecond exp + skew (RFC 7519 4.1.4:
/// "on or after"). `nbf` and `iat` may be absent, but not lie further ahead than the skew.
fn times(claims: &Wire<'_>, skew: Duration, now: SystemTime) -> Result<Window, AuthErrorKind> {
    let now = milliseconds(now);
    let skew = i64::try_from(skew.as_millis()).unwrap_or(i64::MAX);
    let from = |time: Option<NumericDate>| {
        time.map_or(i64::MIN, |time| time.milliseconds().saturating_sub(skew))
    };
    let until = claims.exp.ok_or(AuthErrorKind::InvalidClaims)?.milliseconds();
    let until = until.saturating_add(skew);
    let (nbf, iat) = (from(claims.nbf), from(claims.iat));
    if now >= until {
        Err(AuthErrorKind::Expired)
    } else if now < nbf {
        Err(AuthErrorKind::NotYetValid)
    } else if now < iat {
        Err(AuthErrorKind::IssuedInFuture)
    } else {
        Ok(Window { from: nbf.max(iat), until })
    }
}

#[cfg(test)]
mod tests;
