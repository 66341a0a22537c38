//! A dry run says what differs, and changes nothing.

use std::sync::{Arc, Mutex};

use serde_json::json;
use tower_clerk::backfill::{BackfillErrorKind, Phase};
use tower_clerk::webhook::SinkError;

use super::api::{ClerkApi, Fault, user, users};
use super::backfill;
use super::target::Memory;
use crate::support::servers::within;

#[tokio::test]
async fn a_dry_run_tells_all_that_differs_and_changes_nothing() {
    let mut listed = users(6);
    listed[5]["id"] = json!("not-an-id");
    let api = ClerkApi::start(listed).await;
    let target = Arc::new(Memory::default());
    {
        let mut state = target.state();
        state.users.insert("user_01".into(), 1000);
        state.users.insert("user_02".into(), 1999);
        state.users.insert("user_03".into(), 9000);
        state.users.insert("user_gone".into(), 1);
        state.buried.insert("user_04".into());
    }
    let drift = within(backfill(&api, &target).dry_run()).await.unwrap();
    assert_eq!(drift.instance_id.as_deref(), Some("ins_1"));
    assert_eq!((drift.users, drift.unreadable), (5, 1));
    assert_eq!((drift.missing.count, drift.missing.examples), (1, vec!["user_05".to_owned()]));
    assert_eq!((drift.outdated.count, drift.outdated.examples), (1, vec!["user_02".to_owned()]));
    assert_eq!((drift.deleted.count, drift.deleted.examples), (1, vec!["user_04".to_owned()]));
    let gone = drift.gone.unwrap();
    assert_eq!((gone.count, gone.examples), (1, vec!["user_gone".to_owned()]));
    assert_eq!(target.state().changes, 0);
    assert!(target.state().runs.is_empty());
}

#[tokio::test]
async fn after_a_run_nothing_differs() {
    let api = ClerkApi::start(users(5)).await;
    let target = Arc::new(Memory::default());
    assert!(!within(backfill(&api, &target).dry_run()).await.unwrap().is_none());
    within(backfill(&api, &target).run()).await.unwrap();
    assert!(within(backfill(&api, &target).dry_run()).await.unwrap().is_none());
    api.deletes("user_03");
    assert!(!within(backfill(&api, &target).dry_run()).await.unwrap().is_none());
}

#[tokio::test]
async fn many_differences_are_counted_and_a_hundred_of_them_kept() {
    let api = ClerkApi::start(users(130)).await;
    let target = Arc::new(Memory::default());
    let gone: Vec<String> = (0..250).map(|n| format!("user_gone_{n:03}")).collect();
    let gone: Vec<&str> = gone.iter().map(String::as_str).collect();
    target.state().users = gone.iter().map(|id| ((*id).to_owned(), 1)).collect();
    let drift = within(backfill(&api, &target).page_size(50).dry_run()).await.unwrap();
    assert_eq!((drift.missing.count, drift.missing.examples.len()), (130, 100));
    let found = drift.gone.unwrap();
    assert_eq!((found.count, found.examples.len()), (250, 100));
    // In batches of a hundred, each with a limit of its own.
    let state = api.state();
    let batches = state.asked.iter().filter(|asked| asked.parameter("user_id").is_some());
    let sizes: Vec<_> = batches.map(|asked| (asked.query.len(), &*asked.query[0].1)).collect();
    assert_eq!(sizes, [(101, "100"), (101, "100"), (51, "100")]);
}

#[tokio::test]
async fn the_search_for_who_is_gone_tells_how_far_it_is() {
    use Phase::{Confirming, Listing, LookingForGone, Removing};
    let api = ClerkApi::start(users(3)).await;
    let target = Arc::new(Memory::holding(&[], "ins_1", true));
    let ids = (0..148).map(|n| format!("-none-of-clerks-{n:03}"));
    let ids = ids.chain(["user_01".into(), "user_gone_1".into(), "user_gone_2".into()]);
    target.state().users = ids.map(|id| (id, 1)).collect();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let backfill = backfill(&api, &target).on_progress({
        let seen = Arc::clone(&seen);
        move |told| seen.lock().unwrap().push((told.phase, told.users, told.total))
    });
    within(backfill.dry_run()).await.unwrap();
    let listed = [(Listing, 2, Some(3)), (Listing, 3, Some(3))];
    let searched = [(LookingForGone, 100, None), (LookingForGone, 151, None)];
    assert_eq!(seen.lock().unwrap().split_off(0), [listed, searched].concat());

    api.state().users.push(user("user_gone_2", 9000));
    api.fails("user_id=", Fault::body("[]"));
    within(backfill.remove_gone(5)).await.unwrap();
    let confirmed = [1, 2, 3].map(|n| (Confirming, n, Some(3)));
    let removed = [(Removing, 1, Some(1))];
    assert_eq!(*seen.lock().unwrap(), [&searched[..], &confirmed, &removed].concat());
}

#[tokio::test]
async fn rows_that_are_none_of_clerks_are_neither_asked_for_nor_gone() {
    let api = ClerkApi::start(users(1)).await;
    let target = Arc::new(Memory::default());
    for id in ["-user_01", "+user_01", "demo user", "", "user_01"] {
        target.state().users.insert(id.into(), 1000);
    }
    let drift = within(backfill(&api, &target).dry_run()).await.unwrap();
    assert_eq!(drift.gone.unwrap().count, 0);
    let last = api.requests().pop().unwrap();
    assert_eq!(last, "/v1/users?limit=100&user_id=user_01");
}

#[tokio::test]
async fn other_instances_users_are_not_called_gone() {
    let api = ClerkApi::start(users(1)).await;
    let target = Arc::new(Memory::holding(&["user_theirs"], "ins_other", true));
    let drift = within(backfill(&api, &target).several_instances().dry_run()).await.unwrap();
    assert_eq!(drift.gone, None);
    assert_eq!(drift.missing.count, 1);
}

#[tokio::test]
async fn an_answer_about_somebody_else_is_an_error() {
    let api = ClerkApi::start(users(3)).await;
    api.fails("user_id=", Fault::AsIf("/v1/users?limit=100"));
    let target = Arc::new(Memory::holding(&["user_gone"], "ins_1", true));
    let error = within(backfill(&api, &target).dry_run()).await.unwrap_err();
    assert_eq!(error.kind(), BackfillErrorKind::UnexpectedAnswer);
}

#[tokio::test]
async fn ids_that_do_not_go_on_are_an_error_and_no_endless_loop() {
    let api = ClerkApi::start(users(3)).await;
    for lies in [vec!["user_02", "user_01"], vec!["user_01"], vec!["user_01", "user_01"]] {
        let target = Arc::new(Memory::default());
        target.state().lies = Some(lies.into_iter().map(str::to_owned).collect());
        let error = within(backfill(&api, &target).dry_run()).await.unwrap_err();
        assert_eq!(error.kind(), BackfillErrorKind::TargetFailed);
        assert!(error.report().to_string().contains("order"), "{}", error.report());
    }
}

#[tokio::test]
async fn a_dry_run_asks_a_target_that_fails_in_passing_again() {
    let api = ClerkApi::start(users(3)).await;
    let target = Arc::new(Memory::default());
    target.state().failures = [SinkError::transient("away"), SinkError::transient("away")].into();
    assert_eq!(within(backfill(&api, &target).dry_run()).await.unwrap().missing.count, 3);
}
