//! Whom Clerk no longer has is removed; nobody else, ever.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use serde_json::json;
use tower_clerk::backfill::BackfillErrorKind;
use tower_clerk::test_util::ManualClock;
use tower_clerk::webhook::SinkError;

use super::api::{ClerkApi, Fault, user, users};
use super::backfill;
use super::target::{Memory, run};
use crate::support::servers::within;

/// Two who are there, three who are gone.
const IDS: [&str; 5] = ["user_01", "user_02", "user_gone_1", "user_gone_2", "user_gone_3"];

fn filled() -> Arc<Memory> {
    Arc::new(Memory::holding(&IDS, "ins_1", true))
}

#[tokio::test]
async fn who_is_gone_is_removed_for_ever_and_nobody_else() {
    let api = ClerkApi::start(users(2)).await;
    let target = filled();
    let removed = within(backfill(&api, &target).remove_gone(3)).await.unwrap();
    assert_eq!((removed.removed, removed.kept, removed.gone_already), (3, 0, 0));
    assert_eq!(target.ids(), ["user_01", "user_02"]);
    let buried: Vec<_> = target.state().buried.iter().cloned().collect();
    assert_eq!(buried, &IDS[2..]);
    let again = within(backfill(&api, &target).remove_gone(0)).await.unwrap();
    assert_eq!(again.removed, 0);
}

#[tokio::test]
async fn fault_s15_who_was_created_within_the_last_hour_is_neither_gone_nor_removed() {
    const NOW: i64 = 1_900_000_000_000;
    const HOUR: i64 = 60 * 60 * 1000;
    let api = ClerkApi::start(users(2)).await;
    api.state().date = Some("Sun, 17 Mar 2030 17:46:40 GMT");
    let target = filled();
    target.state().created =
        [("user_gone_1".into(), NOW - HOUR + 1), ("user_gone_2".into(), NOW - HOUR)].into();
    let clock = Arc::new(ManualClock::new());
    clock.set_wall(UNIX_EPOCH + Duration::from_secs(1_900_000_000));
    let backfill = backfill(&api, &target).clock(clock);
    let gone = within(backfill.dry_run()).await.unwrap().gone.unwrap();
    assert_eq!(gone.examples, ["user_gone_2", "user_gone_3"]);
    // No candidate, so that the number allowed is one of others.
    let removed = within(backfill.remove_gone(2)).await.unwrap();
    assert_eq!((removed.removed, removed.kept), (2, 0));
    assert_eq!(target.ids(), ["user_01", "user_02", "user_gone_1"]);
    assert!(api.requests().iter().all(|request| !request.contains("/v1/users/user_gone_1")));
}

#[tokio::test]
async fn more_than_allowed_removes_nobody_and_says_how_many() {
    let api = ClerkApi::start(users(2)).await;
    let target = filled();
    let error = within(backfill(&api, &target).remove_gone(2)).await.unwrap_err();
    assert_eq!(error.kind(), BackfillErrorKind::TooManyGone);
    let text = error.to_string();
    assert!(text.contains("at least 3") && text.contains("more than 2"), "{text}");
    assert_eq!(target.state().changes, 0);
}

#[tokio::test]
async fn who_is_there_at_the_second_look_stays() {
    let api = ClerkApi::start(users(2)).await;
    let target = filled();
    // The list leaves everybody out; asked for each, Clerk knows two.
    api.fails("user_id=", Fault::body("[]"));
    let removed = within(backfill(&api, &target).remove_gone(5)).await.unwrap();
    assert_eq!((removed.removed, removed.kept), (3, 2));
    assert_eq!(target.ids(), ["user_01", "user_02"]);

    let target = filled();
    api.fails("user_id=", Fault::body("[]"));
    api.state().users.push(user("user_gone_2", 5000));
    let removed = within(backfill(&api, &target).remove_gone(5)).await.unwrap();
    assert_eq!((removed.removed, removed.kept), (2, 3));
    assert_eq!(target.ids(), ["user_01", "user_02", "user_gone_2"]);
}

#[tokio::test]
async fn an_answer_that_is_not_clerks_removes_nobody() {
    let other = json!({ "errors": [{ "code": "not_found" }] }).to_string();
    for (status, body) in [
        (404, "<html>no such page</html>".to_owned()),
        (404, String::new()),
        (404, "{}".to_owned()),
        (404, json!({ "errors": [] }).to_string()),
        (404, json!({ "code": "resource_not_found" }).to_string()),
        (404, other),
        (410, json!({ "errors": [{ "code": "resource_not_found" }] }).to_string()),
        (204, String::new()),
        (302, String::new()),
    ] {
        let api = ClerkApi::start(users(2)).await;
        let target = filled();
        // The last of the three: those before it were gone beyond doubt.
        api.fails("/v1/users/user_gone_3", Fault::Says(status, None, body.clone()));
        let error = within(backfill(&api, &target).remove_gone(5)).await.unwrap_err();
        assert_eq!(error.kind(), BackfillErrorKind::UnexpectedAnswer, "{status} {body}");
        assert!(!error.to_string().contains("user_"), "{error}");
        assert_eq!(target.state().changes, 0);
    }
}

#[tokio::test]
async fn an_api_that_is_away_or_refuses_removes_nobody() {
    for (fault, kind) in [
        (Fault::status(503), BackfillErrorKind::Unavailable),
        (Fault::status(401), BackfillErrorKind::KeyRefused),
    ] {
        for request in ["/v1/instance", "user_id=", "/v1/users/user_gone_3"] {
            let api = ClerkApi::start(users(2)).await;
            let target = filled();
            api.always_fails(request, &fault);
            let error = within(backfill(&api, &target).remove_gone(5)).await.unwrap_err();
            assert_eq!(error.kind(), kind, "{request}");
            assert_eq!(target.state().changes, 0);
        }
    }
}

#[tokio::test]
async fn only_a_target_wholly_filled_from_this_one_instance_is_cleaned() {
    use BackfillErrorKind::{NotFilled, OtherInstance};
    let api = ClerkApi::start(users(2)).await;
    for (runs, kind) in [
        (vec![], NotFilled),
        (vec![run("ins_1", false)], NotFilled),
        (vec![run("ins_other", true)], OtherInstance),
        (vec![run("ins_1", true), run("ins_other", true)], OtherInstance),
        (vec![run("ins_other", false), run("ins_1", true)], OtherInstance),
    ] {
        let target = filled();
        target.state().runs = runs;
        for backfill in [backfill(&api, &target), backfill(&api, &target).several_instances()] {
            let error = within(backfill.remove_gone(100)).await.unwrap_err();
            assert_eq!(error.kind(), kind);
            assert!(error.to_string().starts_with("no user was removed"), "{error}");
        }
        assert_eq!(target.state().changes, 0);
    }
    assert!(api.requests().iter().all(|request| request.starts_with("/v1/instance")));
}

#[tokio::test]
async fn nobody_is_removed_before_all_were_asked_for() {
    let api = ClerkApi::start(users(2)).await;
    let target = filled();
    api.fails("/v1/users/user_gone_3", Fault::Silent);
    let cleaning = backfill(&api, &target);
    let killed = tokio::spawn(async move { cleaning.remove_gone(5).await });
    api.saw(5).await;
    killed.abort();
    assert!(killed.await.unwrap_err().is_cancelled());
    assert!(api.requests().last().unwrap().contains("user_gone_3"));
    assert_eq!(target.state().changes, 0);
}

#[tokio::test]
async fn who_was_removed_meanwhile_is_told_apart() {
    let api = ClerkApi::start(users(2)).await;
    let target = filled();
    target.state().overtaken = Some("user_gone_2");
    let removed = within(backfill(&api, &target).remove_gone(5)).await.unwrap();
    assert_eq!((removed.removed, removed.kept, removed.gone_already), (2, 0, 1));
}

#[tokio::test]
async fn a_target_that_fails_in_between_is_asked_again_or_cleaned_by_the_next_call() {
    let api = ClerkApi::start(users(2)).await;
    let target = filled();
    let away = || SinkError::transient("away");
    target.state().failures = [away(), away()].into();
    target.state().failures_at = (1, [away(), away()].into());
    let removed = within(backfill(&api, &target).remove_gone(5)).await.unwrap();
    assert_eq!((removed.removed, removed.gone_already), (3, 0));

    let target = filled();
    target.state().failures_at = (1, [SinkError::permanent("no such table")].into());
    let error = within(backfill(&api, &target).remove_gone(5)).await.unwrap_err();
    assert_eq!(error.kind(), BackfillErrorKind::TargetFailed);
    assert_eq!(target.ids().len(), 4);
    let removed = within(backfill(&api, &target).remove_gone(5)).await.unwrap();
    assert_eq!(removed.removed, 2);
    assert_eq!(target.ids(), ["user_01", "user_02"]);
}
