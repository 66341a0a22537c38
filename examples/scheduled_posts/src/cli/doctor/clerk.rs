//! Clerk's two APIs: whether they answer, whether both belong to the same instance, and the time of
//! their clocks.

use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::Value;
use tower_clerk::session::StaticKeys;

use crate::cli::doctor::check::Check;
use crate::cli::doctor::facts::Facts;
use crate::cli::doctor::http::{Answer, get};

/// The answers of the two APIs; `None` where there was no reason to ask.
#[derive(Default)]
pub(super) struct Answers {
    /// The keys that tokens are verified with.
    jwks: Option<Result<Answer, String>>,
    /// The keys that the issuer publishes, where they are not those above.
    published: Option<Result<Answer, String>>,
    /// The keys of the instance that the secret key belongs to.
    backend_jwks: Option<Result<Answer, String>>,
    instance: Option<Result<Answer, String>>,
    count: Option<Result<Answer, String>>,
    /// A list with the user that was changed last.
    latest: Option<Result<Answer, String>>,
}

impl Answers {
    pub(super) async fn ask(facts: &Facts) -> Self {
        let Some(clerk) = facts.clerk() else { return Self::default() };
        let jwks = async {
            match clerk.jwks_url() {
                // The Backend API's keys are asked for with the secret key.
                Some(url) if url.ends_with("/v1/jwks") => Some(get(url, clerk.secret_key()).await),
                Some(url) => Some(get(url, None).await),
                None => None,
            }
        };
        // The keys that a configured one must be among. Every issuer of Clerk's publishes them.
        let published = async {
            let url = format!("{}/.well-known/jwks.json", clerk.issuer());
            if clerk.jwks_url().is_none() { Some(get(&url, None).await) } else { None }
        };
        let backend = async |path: &str| match clerk.secret_key() {
            Some(key) => Some(get(&format!("{}{path}", clerk.api_url()), Some(key)).await),
            None => None,
        };
        let (jwks, published, backend_jwks, instance, count, latest) = tokio::join!(
            jwks,
            published,
            backend("/v1/jwks"),
            backend("/v1/instance"),
            backend("/v1/users/count"),
            backend("/v1/users?order_by=-updated_at&limit=1")
        );
        Self { jwks, published, backend_jwks, instance, count, latest }
    }

    /// Returns the number of Clerk's users, if it is known.
    pub(super) fn users(&self) -> Option<u64> {
        let answer = self.count.as_ref()?.as_ref().ok()?;
        answer.body["total_count"].as_u64().filter(|_| answer.status == StatusCode::OK)
    }

    /// Returns the time of the latest change of any of Clerk's users, in milliseconds since 1970: 0
    /// without users, and `None` if it is not known.
    pub(super) fn latest_change(&self) -> Option<i64> {
        let answer = self.latest.as_ref()?.as_ref().ok()?;
        let list = answer.body.as_array().or_else(|| answer.body["data"].as_array());
        match list.filter(|_| answer.status == StatusCode::OK)?.as_slice() {
            [] => Some(0),
            [user, ..] => user["updated_at"].as_i64(),
        }
    }

    /// Returns the ids of the keys that tokens are verified with, if they could be fetched.
    pub(super) fn kids(&self) -> Option<Vec<&str>> {
        self.jwks.as_ref()?.as_ref().ok().and_then(kids)
    }
}

pub(super) fn checks(facts: &Facts, answers: &Answers) -> Vec<Check> {
    if facts.stand_in && !matches!(&answers.jwks, Some(Ok(_))) {
        return vec![Check::skipped(
            "jwks",
            "the dev Clerk is not running; it starts with the server",
        )];
    }
    vec![jwks(facts, answers), secret_key(facts, answers), clock(answers)]
}

fn jwks(facts: &Facts, answers: &Answers) -> Check {
    const NAME: &str = "jwks";
    let todo = if facts.is_set("CLERK_JWKS_URL") {
        "check CLERK_JWKS_URL, the network and proxies; without keys every request is answered 503"
    } else {
        "check that CLERK_PUBLISHABLE_KEY is complete and that its instance still exists, and \
         check the network and proxies; without keys every request is answered 503"
    };
    match &answers.jwks {
        None if facts.clerk().is_some() => jwt_key(facts, answers),
        None => Check::skipped(NAME, "the settings of Clerk cannot be used"),
        Some(Err(silence)) => Check::fail(NAME, format!("the JWKS URL {silence}"), todo),
        Some(Ok(Answer { status, .. })) if *status != StatusCode::OK => {
            Check::fail(NAME, format!("the JWKS URL answers {status}"), todo)
        }
        Some(Ok(answer)) => match StaticKeys::from_jwks(&answer.body.to_string()) {
            Ok(_) => {
                let count = kids(answer).map_or(0, |kids| kids.len());
                let keys = if count == 1 { "key" } else { "keys" };
                Check::ok(NAME, format!("the JWKS URL answers with {count} {keys}"))
            }
            Err(error) => {
                Check::fail(NAME, format!("the JWKS URL's answer is unusable: {error}"), todo)
            }
        },
    }
}

/// Compares `CLERK_JWT_KEY` with the keys that its instance publishes.
fn jwt_key(facts: &Facts, answers: &Answers) -> Check {
    const NAME: &str = "jwks";
    let named = facts.env.get("CLERK_JWT_KEY").and_then(der).unwrap_or_default();
    let sources = [
        (&answers.published, "the issuer publishes"),
        (&answers.backend_jwks, "CLERK_SECRET_KEY's instance has"),
    ];
    let mut compared = false;
    for (source, whose) in sources {
        let Some(Ok(answer)) = source else { continue };
        let Some(keys) = answer.body["keys"].as_array().filter(|keys| !keys.is_empty()) else {
            continue;
        };
        compared = true;
        let is_it = |key: &Value| {
            let modulus = key["n"].as_str().and_then(|n| URL_SAFE_NO_PAD.decode(n).ok());
            // A public key's DER holds the modulus as it is.
            modulus.is_some_and(|n| !n.is_empty() && named.windows(n.len()).any(|part| part == n))
        };
        if !keys.iter().any(is_it) {
            return Check::fail(
                NAME,
                format!("CLERK_JWT_KEY is none of the keys that {whose}: every token is refused"),
                "set the PEM public key that Clerk's Dashboard shows under API keys, of the same \
                 instance as CLERK_PUBLISHABLE_KEY or CLERK_ISSUER",
            );
        }
    }
    if compared {
        return Check::ok(NAME, "CLERK_JWT_KEY is one of its instance's keys; nothing is fetched");
    }
    Check::ok(NAME, "CLERK_JWT_KEY is the key; it could not be compared with its instance's")
}

/// Returns the key's DER, in any of the forms that `CLERK_JWT_KEY` may have.
fn der(text: &str) -> Option<Vec<u8>> {
    let text = text.replace("\\n", "\n");
    let text = match text.contains("-----") {
        true => text,
        false => {
            let decoded = STANDARD.decode(text.split_whitespace().collect::<String>()).ok()?;
            match String::from_utf8(decoded) {
                Ok(pem) if pem.contains("-----") => pem,
                Ok(der) => return Some(der.into_bytes()),
                Err(der) => return Some(der.into_bytes()),
            }
        }
    };
    let body = text.split("-----").nth(2)?;
    STANDARD.decode(body.split_whitespace().collect::<String>()).ok()
}

fn secret_key(facts: &Facts, answers: &Answers) -> Check {
    const NAME: &str = "secret_key";
    let Some(instance) = &answers.instance else {
        let unset = "CLERK_SECRET_KEY is unset: neither backfill nor this check can ask Clerk";
        return match facts.clerk() {
            Some(_) => Check::skipped(NAME, unset),
            None => Check::skipped(NAME, "the settings of Clerk cannot be used"),
        };
    };
    let url = "check CLERK_API_URL (default: https://api.clerk.com), the network and proxies";
    let answer = match instance {
        Ok(answer) => answer,
        Err(silence) => return Check::fail(NAME, format!("the Backend API {silence}"), url),
    };
    match answer.status {
        StatusCode::OK => {}
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            return Check::fail(
                NAME,
                format!("the Backend API refuses CLERK_SECRET_KEY ({})", answer.status),
                "set the sk_… that Clerk's Dashboard shows under API keys; it may have been \
                 replaced there",
            );
        }
        // Emulators and older proxies list users and know no instance.
        StatusCode::NOT_FOUND if answers.users().is_some() => {
            return Check::warn(
                NAME,
                "the Backend API takes it, but does not tell which instance it belongs to (404)",
                "nothing, if CLERK_API_URL is not Clerk's own on purpose; `backfill --remove-gone` \
                 refuses to remove users without it",
            );
        }
        status => return Check::fail(NAME, format!("the Backend API answers {status}"), url),
    }
    let backend = answers.backend_jwks.as_ref().and_then(|asked| asked.as_ref().ok());
    let backend = backend.and_then(kids).unwrap_or_default();
    match answers.kids() {
        Some(own) if !own.is_empty() && !backend.is_empty() => {
            if own.iter().any(|kid| backend.contains(kid)) {
                Check::ok(NAME, format!("belongs to {}, whose keys are fetched", name_of(answer)))
            } else {
                Check::fail(
                    NAME,
                    format!(
                        "CLERK_SECRET_KEY belongs to {}, but the keys that tokens are verified \
                         with belong to another instance",
                        name_of(answer)
                    ),
                    "set CLERK_PUBLISHABLE_KEY and CLERK_SECRET_KEY from the same page of \
                     Clerk's Dashboard, and unset CLERK_JWKS_URL",
                )
            }
        }
        _ => Check::ok(
            NAME,
            format!("belongs to {}; its keys could not be compared", name_of(answer)),
        ),
    }
}

/// Compares this machine's clock with Clerk's. A token lasts a minute, and a clock skew of 5 s is
/// tolerated in both directions.
fn clock(answers: &Answers) -> Check {
    const NAME: &str = "clock";
    let asked = [&answers.jwks, &answers.instance];
    let ahead = asked.into_iter().flatten().flatten().find_map(|answer| answer.ahead);
    let Some(ahead) = ahead else {
        return Check::skipped(NAME, "no answer contained the time");
    };
    // `Date` has no fractions of a second, and the answer took some time too.
    let seconds = ahead.num_milliseconds().div_euclid(1000);
    let todo = "switch time synchronisation on (timedatectl set-ntp true), in the host of a \
                container or virtual machine";
    let word = if seconds < 0 { "behind" } else { "ahead of" };
    let what = format!("this machine's clock is {} s {word} Clerk's", seconds.unsigned_abs());
    match seconds {
        -2..=2 => Check::ok(NAME, "this machine's clock is within 2 s of Clerk's"),
        -5..=5 => Check::warn(NAME, format!("{what}: 5 s are tolerated"), todo),
        _ => Check::fail(
            NAME,
            format!(
                "{what}: valid tokens are refused, or expired tokens accepted; beyond 5 minutes \
                 webhooks are refused too"
            ),
            todo,
        ),
    }
}

fn kids(answer: &Answer) -> Option<Vec<&str>> {
    let keys = answer.body["keys"].as_array().filter(|_| answer.status == StatusCode::OK)?;
    Some(keys.iter().filter_map(|key| key["kid"].as_str()).collect())
}

/// Returns an instance's id and kind, as far as they look like Clerk's.
fn name_of(answer: &Answer) -> String {
    let word = |value: &Value| {
        let text = value.as_str()?;
        let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        (plain && (1..=64).contains(&text.len())).then(|| text.to_owned())
    };
    let id = word(&answer.body["id"]).filter(|id| id.starts_with("ins_"));
    let kind = word(&answer.body["environment_type"]);
    match (id, kind) {
        (Some(id), Some(kind)) => format!("{id} ({kind})"),
        (Some(id), None) => id,
        (None, _) => "an instance without an id".to_owned(),
    }
}
