//! One session token: what of it fits the settings. What it says of itself is shown as such; whether
//! it is genuine only the crate's verifier says. Never repeats the token.

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
        return vec![Check::skipped("token", "there are no settings of Clerk's to judge it by")];
    };
    let Some(parts) = Parts::peek(token) else {
        return vec![Check::fail(
            "token",
            "is not a session token: three parts of base64url, separated by dots, with JSON in \
             the first two",
            "give what the browser sends after `Authorization: Bearer`, without that word and \
             whole",
        )];
    };
    let mut checks = vec![key(clerk, answers, &parts), issuer(clerk, &parts), party(clerk, &parts)];
    checks.push(expiry(&parts));
    checks.push(verdict(clerk, token).await);
    checks
}

/// Header and claims, which nobody has verified.
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
        return Check::skipped(NAME, "CLERK_JWT_KEY is the only key, whatever the token names");
    }
    let Some(kids) = answers.kids() else {
        return Check::skipped(NAME, "the instance's keys could not be had");
    };
    match parts.header["kid"].as_str() {
        Some(kid) if kids.contains(&kid) => Check::ok(NAME, "its key is one that is published"),
        Some(_) => Check::fail(
            NAME,
            "its key (kid) is none of those that the JWKS URL publishes",
            "it is of another instance, or of keys that were replaced since: compare \
             CLERK_PUBLISHABLE_KEY with the front end's, and sign in again",
        ),
        None => Check::fail(
            NAME,
            "it names no key (kid)",
            "give a session token; templates and other makers of tokens leave it out",
        ),
    }
}

fn issuer(clerk: &ClerkConfig, parts: &Parts) -> Check {
    const NAME: &str = "token_issuer";
    match parts.claims["iss"].as_str() {
        Some(iss) if iss == clerk.issuer() => Check::ok(NAME, "its issuer is the expected one"),
        Some(iss) => Check::fail(
            NAME,
            format!("it says that {} made it; expected is {}", shown(iss), clerk.issuer()),
            "set CLERK_PUBLISHABLE_KEY to the front end's own key; or CLERK_ISSUER, if Clerk is \
             reached by a proxy",
        ),
        None => Check::fail(NAME, "it does not say who made it (iss)", "give a session token"),
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
            format!("it says that it was made for {}", shown(azp)),
            "if that is a front end of yours, add it to CLERK_AUTHORIZED_PARTIES, exactly so",
        ),
        None => Check::fail(
            NAME,
            "it does not say for which site it was made (azp)",
            "take a token that a browser got: those of the Backend API have no azp, and are \
             refused while CLERK_AUTHORIZED_PARTIES is set",
        ),
    }
}

fn expiry(parts: &Parts) -> Check {
    const NAME: &str = "token_expiry";
    let Some(exp) = parts.claims["exp"].as_i64() else {
        return Check::fail(
            NAME,
            "it does not say until when it is good (exp)",
            "give a session token",
        );
    };
    let left = exp.saturating_sub(time::now().timestamp());
    if left >= 0 {
        return Check::ok(NAME, format!("it is good for another {left} s"));
    }
    Check::warn(
        NAME,
        format!("it expired {} s ago", left.unsigned_abs()),
        "session tokens last a minute: copy a newer one, if this is to be about more than that",
    )
}

/// The crate's own judgement, as a request would get it.
async fn verdict(clerk: &ClerkConfig, token: &str) -> Check {
    const NAME: &str = "token";
    let verifier = match clerk.verifier() {
        Ok(verifier) => verifier,
        Err(error) => {
            return Check::fail(NAME, error.to_string(), "install the system's root certificates");
        }
    };
    let kind = match verifier.verify(token).await {
        Ok(_) => return Check::ok(NAME, "it is genuine, and a request with it is let through"),
        Err(error) => error.kind(),
    };
    let what = format!("a request with it is refused: {}", kind.as_str());
    let todo = match kind {
        AuthErrorKind::Expired => {
            return Check::warn(
                NAME,
                "it is genuine and fits the settings, but it has expired",
                "nothing, if it is an old one; otherwise look at the clocks",
            );
        }
        AuthErrorKind::BadSignature => {
            "it was changed on the way or made up, or CLERK_JWT_KEY is another instance's: copy \
             both again, whole"
        }
        AuthErrorKind::UnknownKey
        | AuthErrorKind::IssuerMismatch
        | AuthErrorKind::AuthorizedPartyMismatch
        | AuthErrorKind::AuthorizedPartyMissing => "see above",
        AuthErrorKind::KeysUnavailable => "see what is said of the JWKS above",
        AuthErrorKind::IssuedInFuture | AuthErrorKind::NotYetValid => {
            "this machine's clock is behind Clerk's: switch time synchronisation on"
        }
        AuthErrorKind::PendingSession => {
            "its user has still something to do in Clerk (choose an organization, for example)"
        }
        AuthErrorKind::WrongTokenType => {
            "give a session token (`getToken()` without a template); templates and machine tokens \
             are not taken"
        }
        _ => "give a session token as Clerk made it, whole",
    };
    Check::fail(NAME, what, todo)
}

/// Text of somebody's, harmless to a terminal and short.
fn shown(text: &str) -> String {
    text.escape_debug().take(100).collect()
}
