//! Opaque tokens of machines: `verifyMachineAuthToken`, by what the Backend API answers.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use http::{Request, Response};
use http_body_util::Empty;
use serde::Deserialize;
use serde_json::Value;
use tower::{Layer as _, ServiceExt as _, service_fn};
use tower_clerk::session::machine::{
    Answer, Introspect, IntrospectError, Introspection, MachineTokens, Principal, Question,
};
use tower_clerk::session::{AuthError, ClerkAuthLayer, Verifier};
use tower_clerk::test_util::ManualClock;

use crate::tally::Way::TheyAccept;
use crate::tally::{Class, Tally, Verdict};
use crate::theirs::{ISS, NOW, ask};

#[derive(Deserialize)]
struct Input {
    token: String,
    status: u16,
    body: String,
    theirs: Option<Theirs>,
    error: Option<String>,
}

#[derive(Deserialize)]
struct Theirs {
    subject: Option<Value>,
}

impl Input {
    fn member(&self, name: &str) -> Option<Value> {
        serde_json::from_str::<Value>(&self.body).ok()?.get(name).cloned()
    }

    fn is(&self, name: &str, value: &Value) -> bool {
        self.member(name).as_ref() == Some(value)
    }

    /// Whether an answer of 200 lacks this.
    fn lacks(&self, good: impl FnOnce(&Self) -> bool) -> bool {
        self.status == 200 && !good(self)
    }
}

const INACTIVE: &[&str] = &["inactive_token"];

const CLASSES: &[Class<Input>] = &[
    Class {
        name: "a token that is not active",
        way: TheyAccept(INACTIVE),
        reason: "RFC 7662 2.2: such a token is not good; they take every 200 for a good one",
        holds: |input| input.status == 200 && input.is("active", &false.into()),
    },
    Class {
        name: "a token that is revoked, or of which it is not said that it is not",
        way: TheyAccept(INACTIVE),
        reason: "They take every 200 for a good token",
        holds: |input| input.lacks(|input| input.is("revoked", &false.into())),
    },
    Class {
        name: "a token that has expired, or of which it is not said that it has not",
        way: TheyAccept(INACTIVE),
        reason: "They take every 200 for a good token",
        holds: |input| {
            input.lacks(|input| {
                let end = input.member("expiration");
                let is_over = match end {
                    None | Some(Value::Null) => false,
                    Some(end) => end.as_f64().is_none_or(|end| end <= NOW as f64 * 1000.0),
                };
                input.is("expired", &false.into()) && !is_over
            })
        },
    },
    Class {
        name: "another object, or one without an id",
        way: TheyAccept(INACTIVE),
        reason: "What is not a token of this kind says nothing about one",
        holds: |input| {
            input.lacks(|input| {
                let object = match input.token.split_once('_') {
                    Some(("ak", _)) => "api_key",
                    Some(("mt", _)) => "machine_to_machine_token",
                    _ => "clerk_idp_oauth_access_token",
                };
                let id = input.member("id");
                let has_id = id.as_ref().and_then(Value::as_str).is_some_and(|id| !id.is_empty());
                input.is("object", &object.into()) && has_id
            })
        },
    },
    Class {
        name: "a token of nobody, or of somebody who can have none",
        way: TheyAccept(INACTIVE),
        reason: "Whose data may be read is decided by the subject, so there must be one of the right kind",
        holds: |input| {
            input.lacks(|input| {
                let subject = input.member("subject");
                let subject = subject.as_ref().and_then(Value::as_str).unwrap_or_default();
                let kinds: &[&str] = match input.token.split_once('_') {
                    Some(("ak", _)) => &["user_", "org_", "mch_"],
                    Some(("mt", _)) => &["mch_"],
                    _ => &["user_"],
                };
                kinds.iter().any(|kind| subject.starts_with(kind))
            })
        },
    },
    Class {
        name: "another success than 200",
        way: TheyAccept(&["introspection_unavailable"]),
        reason: "Clerk answers with 200; what else answers so is not asked about tokens",
        holds: |input| input.status == 201,
    },
];

/// An answer that was given.
struct Given(Answer);

impl Introspect for Given {
    async fn ask(&self, _: Question<'_>) -> Result<Answer, IntrospectError> {
        Ok(self.0.clone())
    }
}

#[tokio::test]
async fn a_machines_token_passes_by_the_answers_by_which_it_passes_clerks_sdk() {
    let Some(theirs) = ask::<Input>("machines", 1_500) else { return };
    let clock = Arc::new(ManualClock::new());
    clock.set_wall(UNIX_EPOCH + Duration::from_secs(NOW));
    let verifier = Verifier::builder(ISS, theirs.keys.pem()).build().unwrap();
    let mut tally = Tally::new(CLASSES);
    for input in theirs.inputs {
        let given = Given(Answer::new(input.status, input.body.clone()));
        let introspection = Introspection::builder(given).clock(clock.clone()).build();
        let machines = MachineTokens::new(&introspection);
        let machines = machines.accept_api_keys().accept_m2m().accept_oauth();
        let layer = ClerkAuthLayer::new(verifier.clone()).machines(machines);
        let ours = subject(&layer, &input.token).await;
        let theirs = match &input.theirs {
            Some(found) => Ok(found.subject.clone().unwrap_or_default()),
            None => Err(input.error.clone().unwrap_or_default()),
        };
        tally.compare(&input, &ours, &theirs, || format!("{} {}", input.status, input.body));
    }
    tally.close("machines", 100);
}

/// Returns whose a token is for a layer, or why it refuses it.
async fn subject(layer: &ClerkAuthLayer, token: &str) -> Verdict<Value> {
    let who = service_fn(async |request: Request<()>| {
        let mut response = Response::new(Empty::<bytes::Bytes>::new());
        response.extensions_mut().insert(Principal::of(request.extensions()).unwrap());
        Ok::<_, Infallible>(response)
    });
    let request = Request::builder().header("authorization", format!("Bearer {token}"));
    let response = layer.layer(who).oneshot(request.body(()).unwrap()).await.unwrap();
    match response.extensions().get::<Principal>() {
        Some(principal) => Ok(principal.subject().into()),
        None => Err(response.extensions().get::<AuthError>().unwrap().kind().as_str().to_owned()),
    }
}
