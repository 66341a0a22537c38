//! Organizations and memberships that Clerk no longer has: told exactly, and removed with care.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use serde_json::json;
use tower_clerk::backfill::BackfillErrorKind;
use tower_clerk::test_util::ManualClock;

use super::api::{ClerkApi, Fault, membership, organization, users};
use super::backfill;
use super::organizations::keeping;
use super::target::Memory;
use crate::support::servers::within;

/// Two organizations with two members each, and a target that has all of it.
async fn filled() -> (ClerkApi, Arc<Memory>) {
    let api = ClerkApi::start(users(2)).await;
    for (n, id) in (1..).zip(["org_1", "org_2"]) {
        api.state().organizations.push(organization(id, 1000 * n));
        for user in ["user_01", "user_02"] {
            api.state().memberships.push(membership(id, user, 2000));
        }
    }
    let target = keeping();
    within(backfill(&api, &target).run()).await.unwrap();
    (api, target)
}

fn memberships(target: &Memory) -> Vec<String> {
    let short = |id: &String| id.replace("orgmem_", "").replace("user_", "");
    target.state().memberships.keys().map(short).collect()
}

#[tokio::test]
async fn organizations_drift_is_told_exactly_and_changes_nothing() {
    let (api, target) = filled().await;
    assert!(within(backfill(&api, &target).dry_run()).await.unwrap().is_none());
    api.handle()(&|clerk| {
        clerk.organizations.push(organization("org_new", 9000));
        clerk.organizations[0]["updated_at"] = json!(9000);
        clerk.memberships.push(membership("org_new", "user_01", 9000));
        clerk.memberships[0]["updated_at"] = json!(9000);
        clerk.deletes("orgmem_org_1_user_02");
    });
    {
        let mut state = target.state();
        state.buried.insert("orgmem_org_2_user_01".into());
        state.organizations.insert("org_gone".into(), 1);
        let of_gone = ("org_gone".to_owned(), "user_01".to_owned(), 1);
        state.memberships.insert("orgmem_of_gone".into(), of_gone);
    }
    let changes = target.state().changes;
    let drift = within(backfill(&api, &target).dry_run()).await.unwrap();
    assert!(!drift.is_none());
    let (organizations, memberships) = (drift.organizations.unwrap(), drift.memberships.unwrap());
    assert_eq!(organizations.listed, 3);
    assert_eq!(organizations.missing.examples, ["org_new"]);
    assert_eq!(organizations.outdated.examples, ["org_1"]);
    assert_eq!(organizations.gone.unwrap().examples, ["org_gone"]);
    assert_eq!(memberships.listed, 4);
    assert_eq!(memberships.missing.examples, ["orgmem_org_new_user_01"]);
    assert_eq!(memberships.outdated.examples, ["orgmem_org_1_user_01"]);
    assert_eq!(memberships.deleted.examples, ["orgmem_org_2_user_01"]);
    // Those of an organization that is gone go with it.
    assert_eq!(memberships.gone.unwrap().examples, ["orgmem_org_1_user_02"]);
    assert_eq!(target.state().changes, changes);
}

#[tokio::test]
async fn organizations_and_memberships_that_are_gone_are_removed_and_nothing_else() {
    let (api, target) = filled().await;
    api.deletes("org_2");
    api.deletes("orgmem_org_1_user_02");
    let error = within(backfill(&api, &target).remove_gone(1)).await.unwrap_err();
    assert_eq!(error.kind(), BackfillErrorKind::TooManyGone);
    assert!(error.to_string().contains("at least 2"), "{error}");
    assert_eq!(target.state().memberships.len(), 4);
    let removed = within(backfill(&api, &target).remove_gone(2)).await.unwrap();
    assert_eq!((removed.removed, removed.organizations.removed), (0, 1));
    assert_eq!((removed.memberships.removed, removed.memberships.incomplete), (1, 0));
    assert_eq!(memberships(&target), ["org_1_01"]);
    let again = within(backfill(&api, &target).remove_gone(0)).await.unwrap();
    assert_eq!((again.organizations.removed, again.memberships.removed), (0, 0));
}

#[tokio::test]
async fn organizations_members_who_go_with_their_user_are_not_counted() {
    let (api, target) = filled().await;
    api.deletes("user_02");
    let drift = within(backfill(&api, &target).dry_run()).await.unwrap();
    assert_eq!((drift.gone.unwrap().count, drift.memberships.unwrap().gone.unwrap().count), (1, 0));
    let removed = within(backfill(&api, &target).remove_gone(1)).await.unwrap();
    assert_eq!((removed.removed, removed.memberships.removed), (1, 0));
}

#[tokio::test]
async fn organizations_members_whom_a_list_leaves_out_stay_where_clerk_has_them_alone() {
    let (api, target) = filled().await;
    let listed = api.state().memberships[0].clone();
    let list = json!({ "data": [listed], "total_count": 1 }).to_string();
    api.fails("org_1/memberships?limit=3", Fault::body(list));
    api.fails("/v1/organizations?limit=100", Fault::body(r#"{"data":[],"total_count":0}"#));
    let removed = within(backfill(&api, &target).remove_gone(9)).await.unwrap();
    assert_eq!((removed.organizations.kept, removed.organizations.removed), (2, 0));
    // Those of what seemed gone are left for the next time.
    assert_eq!((removed.memberships.kept, removed.memberships.removed), (0, 0));
    let removed = within(backfill(&api, &target).remove_gone(9)).await.unwrap();
    assert_eq!((removed.memberships.kept, removed.memberships.removed), (1, 0));
    assert_eq!(target.state().memberships.len(), 4);
}

#[tokio::test]
async fn organizations_lists_of_members_that_are_incomplete_remove_nobody() {
    for list in [r#"{"data":[],"total_count":2}"#, "[]", r#"{"data":[]}"#] {
        let (api, target) = filled().await;
        api.deletes("orgmem_org_2_user_02");
        api.fails("org_1/memberships", Fault::body(list));
        let removed = within(backfill(&api, &target).remove_gone(9)).await.unwrap();
        assert_eq!((removed.memberships.removed, removed.memberships.incomplete), (1, 1), "{list}");
        assert_eq!(memberships(&target), ["org_1_01", "org_1_02", "org_2_01"]);
        api.fails("org_1/memberships", Fault::body(list));
        let drift = within(backfill(&api, &target).dry_run()).await.unwrap();
        assert_eq!(drift.memberships.unwrap().gone.unwrap().count, 0, "{list}");
    }
}

#[tokio::test]
async fn organizations_removal_stops_before_anything_if_one_answer_is_not_clerks() {
    let alone = json!({ "data": [membership("org_1", "user_01", 1)], "total_count": 1 });
    for (request, fault) in [
        ("/v1/organizations/org_2?", Fault::status(404)),
        ("/v1/organizations/org_2?", Fault::status(418)),
        ("org_1/memberships?limit=100", Fault::body("<html>")),
        // The filter was ignored, so that the answer says nothing about the user.
        ("org_1/memberships?limit=100", Fault::body(alone.to_string())),
        ("/v1/organizations?limit=100", Fault::AsIf("/v1/organizations?limit=1&offset=0")),
    ] {
        let (api, target) = filled().await;
        api.deletes("org_2");
        api.deletes("orgmem_org_1_user_02");
        if request.contains("?limit=100") && !request.contains("memb") {
            api.state().organizations.insert(0, organization("org_0", 1));
        }
        let changes = target.state().changes;
        api.fails(request, fault);
        let error = within(backfill(&api, &target).remove_gone(9)).await.unwrap_err();
        assert_eq!(error.kind(), BackfillErrorKind::UnexpectedAnswer, "{request} {error}");
        assert_eq!(target.state().changes, changes, "{request}");
    }
}

#[tokio::test]
async fn organizations_and_memberships_of_the_last_hour_are_neither_gone_nor_removed() {
    const NOW: i64 = 1_900_000_000_000;
    const HOUR: i64 = 60 * 60 * 1000;
    let (api, target) = filled().await;
    api.state().date = Some("Sun, 17 Mar 2030 17:46:40 GMT");
    let clock = Arc::new(ManualClock::new());
    clock.set_wall(UNIX_EPOCH + Duration::from_secs(1_900_000_000));
    api.deletes("org_2");
    api.deletes("orgmem_org_1_user_01");
    api.deletes("orgmem_org_1_user_02");
    target.state().created = [
        ("org_2".into(), NOW - HOUR + 1),
        ("orgmem_org_1_user_01".into(), NOW - HOUR + 1),
        ("orgmem_org_1_user_02".into(), NOW - HOUR),
    ]
    .into();
    let backfill = backfill(&api, &target).clock(clock);
    let drift = within(backfill.dry_run()).await.unwrap();
    assert_eq!(drift.organizations.unwrap().gone.unwrap().count, 0);
    assert_eq!(drift.memberships.unwrap().gone.unwrap().examples, ["orgmem_org_1_user_02"]);
    let removed = within(backfill.remove_gone(1)).await.unwrap();
    assert_eq!((removed.organizations.removed, removed.memberships.removed), (0, 1));
    assert_eq!(memberships(&target), ["org_1_01", "org_2_01", "org_2_02"]);
}

#[tokio::test]
async fn organizations_of_a_target_with_other_instances_are_not_called_gone() {
    let (api, target) = filled().await;
    target.state().runs.push(super::target::run("ins_other", true));
    api.deletes("org_2");
    let drift = within(backfill(&api, &target).several_instances().dry_run()).await.unwrap();
    assert_eq!(drift.organizations.unwrap().gone, None);
    assert_eq!(drift.memberships.unwrap().gone, None);
    let error = within(backfill(&api, &target).remove_gone(9)).await.unwrap_err();
    assert_eq!(error.kind(), BackfillErrorKind::OtherInstance);
}
