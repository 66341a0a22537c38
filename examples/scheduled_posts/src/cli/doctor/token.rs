//! One session token, checked against the settings. Its claims are reported as claims; only the
//! crate's verifier decides whether it is genuine. The token is never repeated.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use tower_clerk::config::ClerkConfig;
use tower_clerk::session::AuthErrorKind;

use crate::cli::doctor::check::Check;
use crate::cli::doctor::clerk::Answers;
use crate::cli::doctor::facts::Facts;
use crate::time;

pub(super) async fn checks(facts: &Facts, answers: &Answers, token: &str) -> Vec<Check> {
    let Some(clerk) = facts.clerk() else {
        return vec![Check::skipped("token", "there are no settings of Clerk to check it against")];
    };
    let Some(parts) = Parts::peek(token) else {
        return vec![Check::fail(
            "token",
            "is not a session token, which has three parts of base64url, separated by dots, with \
             JSON in the first two",
            "pass the whole text that the browser sends after `Authorization: Bearer`",
        )];
    };
    let mut checks = vec![key(clerk, answers, &parts), issuer(clerk, &parts), party(clerk, &parts)];
    checks.push(expiry(&parts));
    checks.push(verdict(clerk, token).await);
    checks
}

/// The header and the claims, unverified.
struct Parts {
    header: Value,
    claims: Value,
}

impl Parts {
    fn peek(token: &str) -> Option<Self> {
        let mut parts = token.split('.');
        let mut part = || serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts.next()?).ok()?).ok();
        let (header, claims): (Value, Value) = (part()?, part()?);
        let whole = parts.next().is_some() && parts.next().is_none();
        (whole && header.is_object() && claims.is_object()).then_some(Self { header, claims })
    }
}

fn key(clerk: &ClerkConfig, answers: &Answers, parts: &Parts) -> Check {
    const NAME: &str = "token_key";
    if clerk.jwks_url().is_none() {
        return Check::skipped(
            NAME,
            "CLERK_JWT_KEY is the only key, whichever one the token names",
        );
    }
    let Some(kids) = answers.kids() else {
        return Check::skipped(NAME, "the instance's keys could not be fetched");
    };
    match parts.header["kid"].as_str() {
        Some(kid) if kids.contains(&kid) => Check::ok(NAME, "its key is published"),
        Some(_) => Check::fail(
            NAME,
            "its key id (kid) is not among those that the JWKS URL publishes",
            "the token is from another instance, or its key was replaced: compare \
             CLERK_PUBLISHABLE_KEY with the front end's, and sign in again",
        ),
        None => Check::fail(
            NAME,
            "it has no key id (kid)",
            "pass a session token; tokens from templates and other sources have none",
        ),
    }
}

fn issuer(clerk: &ClerkConfig, parts: &Parts) -> Check {
    const NAME: &str = "token_issuer";
    match parts.claims["iss"].as_str() {
        Some(iss) if iss == clerk.issuer() => Check::ok(NAME, "its issuer is the expected one"),
        Some(iss) => Check::fail(
            NAME,
            format!("its issuer (iss) is {}, but {} is expected", shown(iss), clerk.issuer()),
            "set CLERK_PUBLISHABLE_KEY to the front end's own key; or CLERK_ISSUER, if Clerk is \
             reached through a proxy",
        ),
        None => Check::fail(NAME, "it has no issuer (iss)", "pass a session token"),
    }
}

fn party(clerk: &ClerkConfig, parts: &Parts) -> Check {
    const NAME: &str = "token_party";
    let parties = clerk.authorized_parties();
    match parts.claims["azp"].as_str() {
        _ if parties.is_empty() => {
            Check::skipped(NAME, "CLERK_AUTHORIZED_PARTIES is unset: any site's token passes")
        }
        Some(azp) if parties.iter().any(|party| party == azp) => {
            Check::ok(NAME, "it was made for an authorized party")
        }
        Some(azp) => Check::fail(
            NAME,
            format!("its authorized party (azp) is {}", shown(azp)),
            "if that is a front end of yours, add exactly this to CLERK_AUTHORIZED_PARTIES",
        ),
        None => Check::fail(
            NAME,
            "it has no authorized party (azp)",
            "pass a token from a browser: tokens from the Backend API have no azp, and are \
             refused while CLERK_AUTHORIZED_PARTIES is set",
        ),
    }
}

fn expiry(parts: &Parts) -> Check {
    const NAME: &str = "token_expiry";
    let Some(exp) = parts.claims["exp"].as_i64() else {
        return Check::fail(NAME, "it has no expiry (exp)", "pass a session token");
    };
    let left = exp.saturating_sub(time::now().timestamp());
    if left >= 0 {
        return Check::ok(NAME, format!("it is valid for another {left} s"));
    }
    Check::warn(
        NAME,
        format!("it expired {} s ago", left.unsigned_abs()),
        "session tokens last a minute: copy a newer one to check more than its expiry",
    )
}

/// Returns the result of the crate's verifier, as a request would get it.
async fn verdict(clerk: &ClerkConfig, token: &str) -> Check {
    const NAME: &str = "token";
    let verifier = match clerk.verifier() {
        Ok(verifier) => verifier,
        Err(error) => {
            return Check::fail(NAME, error.to_string(), "install the system's root certificates");
        }
    };
    let kind = match verifier.verify(token).await {
        Ok(_) => return Check::ok(NAME, "it is genuine, and a request with it is accepted"),
        Err(error) => error.kind(),
    };
    let what = format!("a request with it is refused: {}", kind.as_str());
    let todo = match kind {
        AuthErrorKind::Expired => {
            return Check::warn(
                NAME,
                "it is genuine and fits the settings, but it has expired",
                "nothing, if it is an old token; otherwise compare the clocks",
            );
        }
        AuthErrorKind::BadSignature => {
            "it was changed or forged, or CLERK_JWT_KEY belongs to another instance: copy both \
             again completely"
        }
        AuthErrorKind::UnknownKey
        | AuthErrorKind::IssuerMismatch
        | AuthErrorKind::AuthorizedPartyMismatch
        | AuthErrorKind::AuthorizedPartyMissing => "see above",
        AuthErrorKind::KeysUnavailable => "see the check of the JWKS above",
        AuthErrorKind::IssuedInFuture | AuthErrorKind::NotYetValid => {
            "this machine's clock is behind Clerk's: switch time synchronisation on"
        }
        AuthErrorKind::PendingSession => {
            "its user must complete a task in Clerk first, for example choose an organization"
        }
        AuthErrorKind::WrongTokenType => {
            "pass a session token (`getToken()` without a template); tokens from templates and \
             machine tokens are refused"
        }
        _ => "pass a whole session token as Clerk made it",
    };
    Check::fail(NAME, what, todo)
}

/// Returns text from outside, shortened and without control characters for a terminal.
fn shown(text: &str) -> String {
    text.escape_debug().take(100).collect()
}
