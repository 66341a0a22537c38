//! ④ The rules for a token whose signature is good. Pure: claims, policy and time come in.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::super::claims::wire::{NumericDate, TextClaim, Wire};
use super::super::error::AuthErrorKind;
use super::policy::{AudiencePolicy, AuthorizedPartyPolicy, Policy};

/// What a token that passed is nevertheless told of, because its policy says "report".
pub(super) type Reported = Option<AuthErrorKind>;

/// Clerk's rules in Clerk's order (`sub`, `aud`, `azp`, `exp`, `nbf`, `iat`), after two that
/// Clerk's `verifyToken` leaves out: `iss` exactly, and no machine's subject.
pub(super) fn check(
    claims: &Wire<'_>,
    policy: &Policy,
    now: SystemTime,
) -> Result<Reported, AuthErrorKind> {
    issuer(&claims.iss, &policy.issuers)?;
    subject(&claims.sub)?;
    audience(claims.aud.as_ref(), &policy.audience)?;
    let reported = authorized_party(&claims.azp, policy)?;
    times(claims, policy.skew, now)?;
    // A pending session counts as signed out.
    if claims.is_pending() && !policy.pending_allowed {
        return Err(AuthErrorKind::PendingSession);
    }
    // Any `act`, also one that cannot be read: when in doubt, somebody else sits there.
    if claims.act.is_some() && policy.impersonation_denied {
        return Err(AuthErrorKind::Impersonation);
    }
    Ok(reported)
}

/// One string, compared byte for byte (RFC 7519 2: no canonicalisation).
fn issuer(iss: &TextClaim<'_>, accepted: &[String]) -> Result<(), AuthErrorKind> {
    let iss = iss.text().ok_or(AuthErrorKind::IssuerMismatch)?;
    let known = accepted.iter().any(|issuer| *issuer == *iss);
    if known { Ok(()) } else { Err(AuthErrorKind::IssuerMismatch) }
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
fn authorized_party(azp: &TextClaim<'_>, policy: &Policy) -> Result<Reported, AuthErrorKind> {
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
fn times(claims: &Wire<'_>, skew: Duration, now: SystemTime) -> Result<(), AuthErrorKind> {
    let now = milliseconds(now);
    let skew = i64::try_from(skew.as_millis()).unwrap_or(i64::MAX);
    let exp = claims.exp.ok_or(AuthErrorKind::InvalidClaims)?;
    if exp.milliseconds() <= now.saturating_sub(skew) {
        return Err(AuthErrorKind::Expired);
    }
    let ahead = |time: Option<NumericDate>| {
        time.is_some_and(|time| time.milliseconds() > now.saturating_add(skew))
    };
    if ahead(claims.nbf) {
        return Err(AuthErrorKind::NotYetValid);
    }
    if ahead(claims.iat) {
        return Err(AuthErrorKind::IssuedInFuture);
    }
    Ok(())
}

/// Milliseconds since 1970, negative before.
fn milliseconds(time: SystemTime) -> i64 {
    let whole = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => whole(since),
        Err(before) => -whole(before.duration()),
    }
}

#[cfg(test)]
mod tests;
