//! The rules for a token with a good signature. Pure: claims, policy and time are arguments.

use std::time::{Duration, SystemTime};

use super::super::claims::date::NumericDate;
use super::super::claims::wire::{TextClaim, Wire};
use super::super::error::AuthErrorKind;
#[cfg(feature = "machines")]
use super::super::parse::TokenKind;
use super::super::parse::{MACHINE_ID, TokenClass};
use super::super::window::{Window, milliseconds};
use super::policy::{AudiencePolicy, AuthorizedPartyPolicy, Policy};

/// A token that the rules accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Accepted {
    /// The window of time in which the rules accept it.
    pub(super) valid_during: Window,
    /// The rule that the token breaks, if the policy is to report it and not to refuse the token.
    pub(super) violation: Option<AuthErrorKind>,
}

/// Checks `iss` first, then `sub`, the token's class, `aud`, `azp`, `exp`, `nbf`, `iat` in the order of Clerk's
/// `verifyToken`, then `sts` and `act`. `verifyToken` itself neither compares `iss` nor refuses a
/// machine as `sub`.
pub(super) fn check(
    claims: &Wire<'_>,
    class: TokenClass,
    policy: &Policy,
    now: SystemTime,
) -> Result<Accepted, AuthErrorKind> {
    // One string, which decides whose token it is.
    if !claims.iss.text().is_some_and(|iss| policy.accepts_issuer(iss)) {
        return Err(AuthErrorKind::IssuerMismatch);
    }
    subject(&claims.sub)?;
    // The token of a JWT template has no session. Its category tells, if there is one.
    let of_session = class == TokenClass::Session || claims.has_session_id();
    if !of_session && !policy.templates_allowed {
        return Err(AuthErrorKind::WrongTokenType);
    }
    audience(claims.aud.as_ref(), &policy.audience)?;
    let violation = authorized_party(&claims.azp, policy)?;
    let valid_during = times(claims, policy.skew, now)?;
    lifetime(claims, policy.max_lifetime)?;
    // A pending session counts as signed out.
    if claims.is_pending() && !policy.pending_allowed {
        return Err(AuthErrorKind::PendingSession);
    }
    // Any `act`, even an unreadable one: in doubt the user is being impersonated.
    if claims.act.is_some() && policy.impersonation_denied {
        return Err(AuthErrorKind::Impersonation);
    }
    Ok(Accepted { valid_during, violation })
}

/// Checks a machine's token, or an OAuth access token: `iss` first, then `sub`, `aud` and the times. There is
/// no `azp` rule: machines have no origin. A token that acts for a user is limited in its lifetime as
/// sessions are, so that no lock-out is forgotten before it ends.
#[cfg(feature = "machines")]
pub(super) fn check_machine(
    claims: &Wire<'_>,
    kind: TokenKind,
    accepted: &AudiencePolicy,
    policy: &Policy,
    now: SystemTime,
) -> Result<(), AuthErrorKind> {
    if !claims.iss.text().is_some_and(|iss| policy.accepts_issuer(iss)) {
        return Err(AuthErrorKind::IssuerMismatch);
    }
    let sub = claims.sub.text().unwrap_or_default();
    match kind {
        TokenKind::Session => return Err(AuthErrorKind::WrongTokenType),
        TokenKind::Machine if sub.strip_prefix(MACHINE_ID).is_none_or(str::is_empty) => {
            return Err(AuthErrorKind::InvalidClaims);
        }
        TokenKind::Machine => {
            times(claims, policy.skew, now)?;
        }
        TokenKind::OAuth if sub.strip_prefix("user_").is_none_or(str::is_empty) => {
            return Err(AuthErrorKind::InvalidClaims);
        }
        TokenKind::OAuth => {
            audience(claims.aud.as_ref(), accepted)?;
            times(claims, policy.skew, now)?;
            lifetime(claims, policy.max_lifetime)?;
        }
    }
    Ok(())
}

/// Checks the user's id. Clerk accepts an empty `sub`; here it is refused, because it decides who
/// owns data. A machine's token is never a session's, whatever its header contains.
fn subject(sub: &TextClaim<'_>) -> Result<(), AuthErrorKind> {
    match sub.text() {
        None | Some("") => Err(AuthErrorKind::InvalidClaims),
        Some(sub) if sub.starts_with(MACHINE_ID) => Err(AuthErrorKind::WrongTokenType),
        Some(_) => Ok(()),
    }
}

/// Checks the audience, one string or a list of strings (RFC 7519 4.1.3). Clerk's SDK accepts any
/// other type; here it does not match. An empty list counts as no audience.
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

/// Checks the authorized party; returns a violation that is only to be reported. Any `azp` passes
/// if no parties are configured.
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
        // An empty `azp` is not a missing one: no browser sends it.
        AuthorizedPartyPolicy::MissingAllowed if matches!(azp, TextClaim::Missing) => Ok(None),
        AuthorizedPartyPolicy::MissingAllowed | AuthorizedPartyPolicy::Required => Err(broken),
    }
}

/// Checks the times and returns the window in which they are right. `exp` is required, and the
/// token expires at exactly exp + skew, to the millisecond (RFC 7519 4.1.4: "on or after"). `nbf`
/// and `iat` may be absent, but must not lie further ahead than the skew.
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

/// Checks how long the token is valid, `exp` less `iat`. Without `iat` nobody can tell.
fn lifetime(claims: &Wire<'_>, most: Option<Duration>) -> Result<(), AuthErrorKind> {
    let Some(most) = most else { return Ok(()) };
    let (Some(exp), Some(iat)) = (claims.exp, claims.iat) else {
        return Err(AuthErrorKind::InvalidClaims);
    };
    let lifetime = exp.milliseconds().saturating_sub(iat.milliseconds());
    let most = i64::try_from(most.as_millis()).unwrap_or(i64::MAX);
    if lifetime <= most { Ok(()) } else { Err(AuthErrorKind::LifetimeTooLong) }
}

#[cfg(test)]
mod tests;
