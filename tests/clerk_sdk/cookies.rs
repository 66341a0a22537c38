//! Cookie headers: which token counts, by `authenticateRequest`.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use http::Request;
use http::header::COOKIE;
use serde::Deserialize;
use serde_json::Value;
use tower_clerk::PublishableKey;
use tower_clerk::session::source::{SessionCookies, TokenSource as _};
use tower_clerk::test_util::ManualClock;

use crate::tally::Way::WeAccept;
use crate::tally::{Class, Tally, Verdict};
use crate::theirs::{NOW, ask, payload};

#[derive(Deserialize)]
struct Input {
    key: String,
    /// The row of the matrix, to be shown.
    row: Value,
    cookie: String,
    /// Whether there are the cookies by which a development instance knows the browser.
    browser: bool,
    theirs: Answer,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Answer {
    User(String),
    Reason(String),
}

/// A token that was found. Whose it is can be compared only if the SDK accepts it.
type Found = Option<String>;

impl Answer {
    fn verdict(&self) -> Verdict<Found> {
        match self {
            Self::User(user) => Ok(Some(user.clone())),
            Self::Reason(reason) if NOTHING_FOUND.contains(&&**reason) => Err(reason.clone()),
            Self::Reason(_) => Ok(None),
        }
    }
}

/// The reasons for which the SDK looks at no token: it would send a browser to Clerk for one.
const NOTHING_FOUND: &[&str] = &[
    "client-uat-but-no-session-token",
    "dev-browser-missing",
    "session-token-and-uat-missing",
    "session-token-but-no-client-uat",
    "session-token-iat-before-client-uat",
];

const CLASSES: &[Class<Input>] = &[Class {
    name: "a development instance without the cookie of its browser",
    way: WeAccept(&["dev-browser-missing"]),
    reason: "Clerk is told by it which browser comes for a new cookie; of the session cookie it says nothing",
    holds: |request| !request.browser && request.key.starts_with("pk_test_"),
}];

#[test]
fn the_cookie_counts_that_counts_for_clerks_sdk() {
    let Some(theirs) = ask::<Input>("cookies", 6_000) else { return };
    let clock = Arc::new(ManualClock::new());
    clock.set_wall(UNIX_EPOCH + Duration::from_secs(NOW));
    let mut tally = Tally::new(CLASSES);
    for input in theirs.inputs {
        let key = PublishableKey::parse(&input.key).unwrap();
        let source = SessionCookies::new(&key).clock(clock.clone());
        let request = Request::get("/").header(COOKIE, &input.cookie).body(()).unwrap();
        let theirs = input.theirs.verdict();
        let ours = match source.find((&request).into()).unwrap() {
            None => Err("nothing".to_owned()),
            Some(_) if theirs == Ok(None) => Ok(None),
            Some(token) => Ok(Some(user(&token))),
        };
        tally.compare(&input, &ours, &theirs, || format!("{} {}", input.row, input.cookie));
    }
    tally.close("cookies", 500);
}

/// Returns the user whom a token names, if it is one.
fn user(token: &[u8]) -> String {
    let claims = std::str::from_utf8(token).ok().and_then(payload);
    let user = claims.as_ref().and_then(|claims| claims.get("sub")).and_then(Value::as_str);
    user.unwrap_or("nobody").to_owned()
}
