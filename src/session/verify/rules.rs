//! ④ The rules for a token whose signature is good. Pure: claims, policy and time come in.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::super::claims::wire::{NumericDate, TextClaim, Wire};
use super::super::error::AuthErrorKind;

/// What a verifier demands of a token.
#[derive(Clone, Debug)]
pub(super) struct Policy {
    pub(super) issuer: String,
    pub(super) authorized_parties: Option<Vec<String>>,
    pub(super) skew: Duration,
}

/// Clerk's rules in Clerk's order (`sub`, `azp`, `exp`, `nbf`, `iat`), after two that Clerk's
/// `verifyToken` leaves out: `iss` exactly, and no machine's subject.
pub(super) fn check(
    claims: &Wire<'_>,
    policy: &Policy,
    now: SystemTime,
) -> Result<(), AuthErrorKind> {
    // 1. `iss` is one string, compared byte for byte (RFC 7519 2: no canonicalisation).
    if claims.iss.text() != Some(&*policy.issuer) {
        return Err(AuthErrorKind::IssuerMismatch);
    }
    // 2. `sub` is the user. Clerk lets an empty one pass; ownership of data hangs on it.
    let sub = claims.sub.text().filter(|sub| !sub.is_empty());
    let sub = sub.ok_or(AuthErrorKind::InvalidClaims)?;
    // 3. A machine's token is none of a session, whatever its header says.
    if sub.starts_with("mch_") {
        return Err(AuthErrorKind::WrongTokenType);
    }
    // 4. `azp` is one of the authorized parties; with none configured, anything passes.
    if let Some(parties) = &policy.authorized_parties {
        match &claims.azp {
            TextClaim::Text(azp) if azp.is_empty() => {
                return Err(AuthErrorKind::AuthorizedPartyMissing);
            }
            TextClaim::Text(azp) if parties.iter().any(|party| *party == **azp) => {}
            TextClaim::Text(_) | TextClaim::WrongType => {
                return Err(AuthErrorKind::AuthorizedPartyMismatch);
            }
            TextClaim::Missing => return Err(AuthErrorKind::AuthorizedPartyMissing),
        }
    }
    // 5. `exp` is required; expired at the very millisecond exp + skew (RFC 7519 4.1.4).
    let now = milliseconds(now);
    let skew = i64::try_from(policy.skew.as_millis()).unwrap_or(i64::MAX);
    let exp = claims.exp.ok_or(AuthErrorKind::InvalidClaims)?;
    if exp.milliseconds() <= now.saturating_sub(skew) {
        return Err(AuthErrorKind::Expired);
    }
    // 6. and 7. `nbf` and `iat` may be absent, but not lie ahead.
    let ahead = |time: Option<NumericDate>| {
        time.is_some_and(|time| time.milliseconds() > now.saturating_add(skew))
    };
    if ahead(claims.nbf) {
        return Err(AuthErrorKind::NotYetValid);
    }
    if ahead(claims.iat) {
        return Err(AuthErrorKind::IssuedInFuture);
    }
    // 8. A pending session counts as signed out.
    if claims.is_pending() {
        return Err(AuthErrorKind::PendingSession);
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
