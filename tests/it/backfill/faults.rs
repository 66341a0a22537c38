//! A Backend API that is busy, broken, or refuses.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;
use tower_clerk::backfill::{BackendApi, Backfill, BackfillErrorKind};
use tower_clerk::secret::SecretKey;

use super::api::{ClerkApi, Fault, users};
use super::target::Memory;
use super::{KEY, backfill};
use crate::support::servers::within;

#[tokio::test]
async fn a_rate_limit_is_obeyed_for_as_long_as_the_server_says() {
    let api = ClerkApi::start(users(3)).await;
    api.fails("starting_after", Fault::Says(429, Some("1"), String::new()));
    let target = Arc::new(Memory::default());
    within(backfill(&api, &target).run()).await.unwrap();
    let state = api.state();
    // Before the last, which finds nobody else.
    let last: Vec<_> = state.asked.iter().rev().skip(1).take(2).collect();
    assert_eq!(last[0].query, last[1].query);
    let waited = last[0].at - last[1].at;
    assert!(waited >= Duration::from_secs(1), "{waited:?}");
}

#[tokio::test]
async fn requests_keep_to_the_pace() {
    let api = ClerkApi::start(users(6)).await;
    let target = Arc::new(Memory::default());
    let pace = Duration::from_millis(50);
    let start = Instant::now();
    within(backfill(&api, &target).pace(pace).run()).await.unwrap();
    let state = api.state();
    for (n, asked) in (0..).zip(&state.asked) {
        let after = asked.at - start;
        assert!(after >= pace * n, "number {n} after {after:?}");
    }
    assert_eq!(state.asked.len(), 6);
}

#[tokio::test]
async fn what_passes_is_asked_again() {
    let slow = Duration::from_millis(300);
    for fault in [
        Fault::status(500),
        Fault::Says(502, None, "<html>bad gateway</html>".into()),
        Fault::status(503),
        Fault::status(504),
        Fault::status(408),
        Fault::status(429),
        Fault::Breaks,
        Fault::Silent,
    ] {
        let api = ClerkApi::start(users(3)).await;
        for request in ["/v1/instance", "order_by", "order_by", "order_by", "starting_after"] {
            api.fails(request, fault.clone());
        }
        let target = Arc::new(Memory::default());
        let key = SecretKey::parse(KEY).unwrap();
        let client = BackendApi::new(&api.url(), &key).unwrap().request_timeout(slow);
        let backfill = Backfill::new(client, Arc::clone(&target))
            .page_size(2)
            .pace(Duration::ZERO)
            .first_pause(Duration::from_millis(1));
        let report = within(backfill.run()).await.unwrap();
        assert_eq!(report.users, 3);
        assert_eq!(target.state().pages.len(), 3);
    }
}

#[tokio::test]
async fn what_does_not_pass_ends_the_run_and_says_that_another_goes_on() {
    for (fault, says) in
        [(Fault::status(503), "503"), (Fault::status(429), "pace"), (Fault::Breaks, "network")]
    {
        let api = ClerkApi::start(users(3)).await;
        api.always_fails("starting_after", &fault);
        let target = Arc::new(Memory::default());
        let error = within(backfill(&api, &target).run()).await.unwrap_err();
        assert_eq!(error.kind(), BackfillErrorKind::Unavailable, "{error}");
        let text = error.to_string();
        assert!(text.contains(says) && text.contains("resumes where it stopped"), "{text}");
        assert_eq!(api.pages().len(), 1 + 8);
        assert_eq!(target.ids().len(), 2);
        let report = error.report().to_string();
        assert!(!report.contains("user_"), "{report}");
    }
}

#[tokio::test]
async fn nobody_at_home_is_unavailable() {
    let api = BackendApi::new("http://127.0.0.1:1", &SecretKey::parse(KEY).unwrap()).unwrap();
    let target = Arc::new(Memory::default());
    let backfill =
        Backfill::new(api, target).pace(Duration::ZERO).first_pause(Duration::from_millis(1));
    let error = within(backfill.run()).await.unwrap_err();
    assert_eq!(error.kind(), BackfillErrorKind::Unavailable);
    assert!(std::error::Error::source(&error).is_some());
}

#[tokio::test]
async fn a_refused_key_ends_the_run_at_once_and_is_not_shown() {
    for status in [401, 403] {
        for request in ["/v1/instance", "/v1/users/count", "order_by", "starting_after"] {
            let api = ClerkApi::start(users(3)).await;
            let body = json!({ "errors": [{ "code": "clerk_key_invalid", "message": KEY }] });
            api.fails(request, Fault::Says(status, None, body.to_string()));
            let target = Arc::new(Memory::default());
            let error = within(backfill(&api, &target).run()).await.unwrap_err();
            assert_eq!(error.kind(), BackfillErrorKind::KeyRefused, "{request}");
            let text = format!("{error} {error:?} {}", error.report());
            assert!(text.contains("secret key") && text.contains("clerk_key_invalid"), "{text}");
            assert!(!text.contains("canary"), "{text}");
            assert!(api.requests().last().unwrap().contains(request));
            assert_eq!(api.requests().iter().filter(|r| r.contains(request)).count(), 1);
        }
    }
}

#[tokio::test]
async fn a_refusal_at_any_length_is_one() {
    let api = ClerkApi::start(users(3)).await;
    let page = " ".repeat(1024 * 1024);
    for (status, kind) in
        [(401, BackfillErrorKind::KeyRefused), (400, BackfillErrorKind::UnexpectedAnswer)]
    {
        api.fails("order_by", Fault::Says(status, None, page.clone()));
        let target = Arc::new(Memory::default());
        let error = within(backfill(&api, &target).run()).await.unwrap_err();
        assert_eq!(error.kind(), kind);
    }
}

#[tokio::test]
async fn other_refusals_end_the_run_and_repeat_nothing_but_clerks_code() {
    let api = ClerkApi::start(users(3)).await;
    let target = Arc::new(Memory::default());
    let body = json!({ "errors": [{ "code": "form_param_invalid", "message": "Ann" }] });
    for (status, body, says) in [
        (422, body.to_string(), "form_param_invalid"),
        (404, "<html>Ann</html>".into(), "404"),
        (301, String::new(), "301"),
        (204, String::new(), "204"),
        (400, json!({ "errors": [{ "code": "Ann Lee" }] }).to_string(), "400"),
    ] {
        api.fails("order_by", Fault::Says(status, None, body));
        let error = within(backfill(&api, &target).run()).await.unwrap_err();
        assert_eq!(error.kind(), BackfillErrorKind::UnexpectedAnswer, "{status}");
        let text = error.to_string();
        assert!(text.contains(says) && !text.contains("Ann"), "{text}");
    }
    assert_eq!(target.state().changes, 0);
}

#[tokio::test]
async fn an_answer_without_end_is_given_up() {
    let api = ClerkApi::start(users(3)).await;
    api.fails("order_by", Fault::Endless);
    let target = Arc::new(Memory::default());
    let error = within(backfill(&api, &target).run()).await.unwrap_err();
    assert_eq!(error.kind(), BackfillErrorKind::UnexpectedAnswer);
    assert!(error.to_string().contains("page_size"), "{error}");
}

#[test]
fn an_api_url_that_would_show_the_key_is_refused() {
    let key = SecretKey::parse(KEY).unwrap();
    for url in ["http://api.clerk.com", "https://user:secret@api.clerk.com", "api.clerk.com", ""] {
        let error = BackendApi::new(url, &key).unwrap_err();
        assert_eq!(error.setting(), "API URL");
    }
    let api = BackendApi::new("https://api.clerk.com", &key).unwrap();
    assert!(!format!("{api:?}").contains("canary"));
}
