//! What an answer about an opaque token means. Pure: the answer and the time are arguments.

use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::introspect::{Answer, IntrospectError};
use super::principal::{Details, MachineKind, Principal, claims_text, may_belong_to, principal};
use crate::session::json::json_object;

/// The meaning of an answer.
pub(super) enum Meaning {
    /// The token is good, until this time in milliseconds since 1970 if it ends.
    Good(Principal, Option<i64>),
    /// The token is not, or no longer, good.
    Bad,
    /// Nothing is known of the token, and Clerk may be asked again after this time.
    Unknown(IntrospectError, Duration),
}

/// Decides what an answer means.
///
/// Clerk's SDK takes every 200 for a good token, also with `revoked`, `expired` or `{"active":false}`. Here
/// each of them must say that it is not so, and the object and its subject must be of the token's kind.
pub(super) fn meaning(kind: MachineKind, answer: &Answer, now: i64) -> Meaning {
    match answer.status {
        200 => of_object(kind, answer, now),
        400 | 404 | 422 => Meaning::Bad,
        401 | 403 => {
            let key = match kind {
                MachineKind::ApiKey | MachineKind::OAuth => "CLERK_SECRET_KEY",
                MachineKind::M2m => {
                    "CLERK_MACHINE_SECRET_KEY, or CLERK_SECRET_KEY where that is not set"
                }
            };
            let problem = format!(
                "Clerk refuses the key with which it is asked about tokens ({}, HTTP {}); look at {key}",
                kind.as_str(),
                answer.status,
            );
            unknown(problem, answer)
        }
        status => {
            let problem = format!("Clerk answers a question about a token with HTTP {status}");
            unknown(problem, answer)
        }
    }
}

fn unknown(problem: String, answer: &Answer) -> Meaning {
    let pause = answer.retry_after.unwrap_or(PAUSE);
    Meaning::Unknown(IntrospectError::new(problem), pause.clamp(PAUSE, LONGEST_PAUSE))
}

fn of_object(kind: MachineKind, answer: &Answer, now: i64) -> Meaning {
    // An object with a member twice, or with one that no text can hold, is none either.
    let Some(object) = json_object::<Object<'_>>(&answer.body) else {
        let problem =
            "Clerk answers a question about a token with something that is no JSON object";
        return unknown(problem.to_owned(), answer);
    };
    let is_expected = text(object.object).as_deref() == Some(expected_object(kind));
    let says_no = |raw: Option<&RawValue>| raw.is_some_and(|raw| raw.get() == "false");
    let is_in_force = says_no(object.revoked) && says_no(object.expired);
    let Ok(ends_at) = end(object.expiration) else { return Meaning::Bad };
    let is_past = ends_at.is_some_and(|ends_at| ends_at <= now);
    let (Some(id), Some(subject)) = (text(object.id), text(object.subject)) else {
        return Meaning::Bad;
    };
    let is_somebodys = !id.is_empty() && may_belong_to(kind, &subject);
    if !is_expected || !is_in_force || is_past || !is_somebodys {
        return Meaning::Bad;
    }
    let scopes = object.scopes.and_then(|scopes| serde_json::from_str(scopes.get()).ok());
    let details = Details {
        id,
        subject,
        scopes: scopes.unwrap_or_default(),
        name: text(object.name),
        client_id: text(object.client_id),
        claims: claims_text(object.claims),
    };
    Meaning::Good(principal(kind, details), ends_at)
}

/// Returns when a token ends, in milliseconds since 1970; fails if that cannot be read.
fn end(expiration: Option<&RawValue>) -> Result<Option<i64>, ()> {
    match expiration.map(RawValue::get) {
        None | Some("null") => Ok(None),
        // To the nearest, for a number with an exponent too.
        #[expect(clippy::cast_possible_truncation, reason = "a float is cast to the nearest")]
        Some(number) => number.parse::<f64>().map(|time| Some(time as i64)).map_err(drop),
    }
}

fn expected_object(kind: MachineKind) -> &'static str {
    match kind {
        MachineKind::ApiKey => "api_key",
        MachineKind::M2m => "machine_to_machine_token",
        MachineKind::OAuth => "clerk_idp_oauth_access_token",
    }
}

fn text(raw: Option<&RawValue>) -> Option<String> {
    serde_json::from_str(raw?.get()).ok()
}

/// The members of an answer, whatever their types are.
#[derive(Deserialize)]
struct Object<'a> {
    #[serde(borrow, default)]
    object: Option<&'a RawValue>,
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    subject: Option<&'a RawValue>,
    #[serde(borrow, default)]
    scopes: Option<&'a RawValue>,
    #[serde(borrow, default)]
    claims: Option<&'a RawValue>,
    #[serde(borrow, default)]
    name: Option<&'a RawValue>,
    #[serde(borrow, default)]
    client_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    revoked: Option<&'a RawValue>,
    #[serde(borrow, default)]
    expired: Option<&'a RawValue>,
    #[serde(borrow, default)]
    expiration: Option<&'a RawValue>,
}

/// The pause after a failure that names none.
pub(super) const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests;
