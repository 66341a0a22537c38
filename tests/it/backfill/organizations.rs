//! Organizations and their members, after the users: all of them once, whatever happens meanwhile.

use std::sync::Arc;
use std::time::UNIX_EPOCH;

use serde_json::json;
use tower_clerk::backfill::{BackfillErrorKind, OrganizationsRun, RecordKind};
use tower_clerk::clock::{Clock, SystemClock};

use super::api::{ClerkApi, Fault, membership, organization, users};
use super::backfill;
use super::target::{Memory, run};
use crate::support::servers::within;

/// As many organizations, created one after another, each with as many members.
async fn clerk(organizations: i64, members: i64) -> ClerkApi {
    let api = ClerkApi::start(users(members)).await;
    for n in 1..=organizations {
        let id = format!("org_{n:02}");
        api.state().organizations.push(organization(&id, 1000 * n));
        for m in 1..=members {
            let member = membership(&id, &format!("user_{m:02}"), 1000 * m);
            api.state().memberships.push(member);
        }
    }
    api
}

pub(super) fn keeping() -> Arc<Memory> {
    let target = Arc::new(Memory::default());
    target.state().keeps_organizations = true;
    target
}

/// The requests about organizations, without what is the same in each.
fn asked(api: &ClerkApi) -> Vec<String> {
    let lists = api.requests().into_iter().filter_map(|request| {
        let about = request.strip_prefix("/v1/organizations")?;
        Some(about.replace("&order_by=+created_at", ""))
    });
    lists.collect()
}

#[tokio::test]
async fn organizations_and_their_members_follow_the_users_page_by_page() {
    for is_bare in [false, true] {
        let api = clerk(3, 3).await;
        api.state().is_bare = is_bare;
        let target = keeping();
        let report = within(backfill(&api, &target).run()).await.unwrap();
        let (organizations, memberships) =
            (report.organizations.clone().unwrap(), report.memberships.clone().unwrap());
        assert_eq!((report.users, organizations.processed, memberships.processed), (3, 3, 9));
        assert_eq!((organizations.written, memberships.written), (3, 9));
        assert!(!report.is_short() && report.all_refused() == 0);
        assert_eq!(target.state().organizations.len(), 3);
        assert_eq!(target.state().memberships.len(), 9);
        let stored = target.state().runs[0].organizations.clone().unwrap();
        assert_eq!((stored.organizations, stored.memberships, stored.finished), (3, 9, true));

        // Each page begins with the last one's end.
        let members = |id: &str| {
            let mut pages = vec![
                format!("/{id}/memberships?limit=3&offset=0"),
                format!("/{id}/memberships?limit=3&offset=2"),
            ];
            pages.truncate(if is_bare { 2 } else { 1 });
            pages
        };
        let mut expected = vec!["?limit=3&offset=0".to_owned()];
        for id in ["org_01", "org_02", "org_03"] {
            expected.extend(members(id));
        }
        expected.extend(is_bare.then(|| "?limit=3&offset=2".to_owned()));
        assert_eq!(asked(&api), expected);

        let again = within(backfill(&api, &target).run()).await.unwrap();
        assert_eq!(again.organizations.unwrap().unchanged, 3);
        assert_eq!(again.memberships.unwrap().unchanged, 9);
    }
}

#[tokio::test]
async fn organizations_are_not_asked_for_where_the_target_does_not_keep_them() {
    let api = clerk(2, 2).await;
    let target = Arc::new(Memory::default());
    let report = within(backfill(&api, &target).run()).await.unwrap();
    assert_eq!((report.organizations, report.memberships), (None, None));
    let drift = within(backfill(&api, &target).dry_run()).await.unwrap();
    assert_eq!((drift.organizations, drift.memberships), (None, None));
    within(backfill(&api, &target).remove_gone(9)).await.unwrap();
    assert_eq!(asked(&api), Vec::<String>::new());
    assert_eq!(target.state().runs[0].organizations, None);
}

#[tokio::test]
async fn organizations_switched_on_later_are_brought_in_and_nothing_is_removed_before() {
    let api = clerk(2, 2).await;
    let target = Arc::new(Memory::default());
    within(backfill(&api, &target).run()).await.unwrap();
    target.state().keeps_organizations = true;
    let error = within(backfill(&api, &target).remove_gone(9)).await.unwrap_err();
    assert_eq!(error.kind(), BackfillErrorKind::NotFilled);
    let drift = within(backfill(&api, &target).dry_run()).await.unwrap();
    assert!(!drift.is_none());
    assert_eq!(drift.organizations.unwrap().missing.examples, ["org_01", "org_02"]);
    assert_eq!(drift.memberships.unwrap().missing.count, 4);
    let report = within(backfill(&api, &target).run()).await.unwrap();
    assert!(!report.resumed);
    assert_eq!((report.unchanged, report.memberships.unwrap().written), (2, 4));
    assert!(within(backfill(&api, &target).dry_run()).await.unwrap().is_none());
    within(backfill(&api, &target).remove_gone(0)).await.unwrap();
}

#[tokio::test]
async fn organizations_and_members_deleted_while_they_are_listed_hide_nothing_else() {
    // What is deleted once the first page of organizations is done: before it, its last, after it.
    for gone in [&["org_01"][..], &["org_03"], &["org_01", "org_02", "org_03"], &["org_07"]] {
        let api = clerk(8, 1).await;
        let target = keeping();
        let handle = api.handle();
        let deletes = gone.to_vec();
        let backfill = backfill(&api, &target).on_progress(move |progress| {
            if progress.kind == RecordKind::Organization && progress.users == 3 {
                handle(&|clerk| deletes.iter().for_each(|id| clerk.deletes(id)));
            }
        });
        let report = within(backfill.run()).await.unwrap();
        let known = target.state().organizations.clone();
        for n in 1..=8 {
            let id = format!("org_{n:02}");
            assert!(known.contains_key(&id) || gone.contains(&&*id), "{id} {gone:?}");
        }
        assert!(!report.is_short(), "{gone:?}");
        assert!(target.state().runs[0].organizations.as_ref().unwrap().finished);
    }
    let api = clerk(1, 8).await;
    let target = keeping();
    let handle = api.handle();
    let backfill = backfill(&api, &target).on_progress(move |progress| {
        if progress.kind == RecordKind::Membership && progress.users == 3 {
            handle(&|clerk| clerk.deletes("orgmem_org_01_user_02"));
        }
    });
    within(backfill.run()).await.unwrap();
    assert_eq!(target.state().memberships.len(), 8);
}

#[tokio::test]
async fn organizations_of_a_killed_run_are_gone_on_with_after_the_last_whole_one() {
    let api = clerk(5, 3).await;
    let target = keeping();
    api.fails("org_04/memberships", Fault::Silent);
    let (first, so_far) = (backfill(&api, &target), api.requests().len());
    let killed = tokio::spawn(async move { first.run().await });
    // Instance, count, users (3), organizations, three lists, organizations again and the list that never
    // comes.
    api.saw(so_far + 11).await;
    killed.abort();
    assert!(killed.await.unwrap_err().is_cancelled());
    let stored = target.state().runs[0].clone();
    let mark = stored.organizations.unwrap();
    assert!(stored.finished && !mark.finished);
    assert_eq!(mark.last_organization_id.as_deref(), Some("org_03"));
    let written: usize = target.state().pages.iter().map(Vec::len).sum();

    api.state().asked.clear();
    // Somebody deletes one of those that are done, so that all others move.
    api.deletes("org_01");
    let report = within(backfill(&api, &target).run()).await.unwrap();
    assert!(report.resumed);
    assert_eq!(report.organizations.unwrap().processed, 5);
    assert_eq!(report.memberships.unwrap().processed, 15);
    let lists: Vec<_> = asked(&api).into_iter().filter(|list| list.contains("memb")).collect();
    assert!(
        lists.iter().all(|list| list.contains("org_04") || list.contains("org_05")),
        "{lists:?}"
    );
    // The users of the first run were not listed again, and no more than one page was written twice.
    assert_eq!(api.pages()[0], "after user_03");
    let all: usize = target.state().pages.iter().map(Vec::len).sum();
    assert!(all - written <= 2 + 2 * 3, "{all} {written}");
    assert_eq!(target.state().memberships.len(), 15);
}

#[tokio::test]
async fn organizations_whose_mark_was_deleted_all_come_again() {
    let api = clerk(5, 1).await;
    let target = keeping();
    let mut begun = run("ins_1", true);
    begun.last_user_id = Some("user_01".into());
    begun.last_created_at = Some(1000);
    begun.users = 1;
    let now = SystemClock::new().now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    begun.started_at = Some(i64::try_from(now).unwrap());
    let mut mark = OrganizationsRun::default();
    mark.last_organization_id = Some("org_deleted".into());
    (mark.organizations, mark.memberships) = (4, 4);
    begun.organizations = Some(mark);
    target.state().runs = vec![begun];
    let report = within(backfill(&api, &target).run()).await.unwrap();
    assert!(report.resumed);
    assert_eq!(report.organizations.unwrap().processed, 5);
    assert_eq!(report.memberships.unwrap().processed, 5);
    assert_eq!(target.state().organizations.len(), 5);
}

#[tokio::test]
async fn organizations_that_are_switched_off_at_clerk_are_no_error_and_none_is_gone() {
    let api = clerk(2, 2).await;
    let target = keeping();
    within(backfill(&api, &target).run()).await.unwrap();
    api.state().has_no_organizations = true;
    let report = within(backfill(&api, &target).run()).await.unwrap();
    assert_eq!((report.organizations.clone(), report.is_short()), (None, false));
    let drift = within(backfill(&api, &target).dry_run()).await.unwrap();
    assert_eq!((drift.organizations.clone(), drift.is_none()), (None, true));
    let removed = within(backfill(&api, &target).remove_gone(9)).await.unwrap();
    assert_eq!((removed.organizations.removed, removed.memberships.removed), (0, 0));
    assert_eq!(target.state().memberships.len(), 4);

    // Another 403 is one about the key.
    api.state().has_no_organizations = false;
    api.fails("/v1/organizations?", Fault::status(403));
    let error = within(backfill(&api, &target).run()).await.unwrap_err();
    assert_eq!(error.kind(), BackfillErrorKind::KeyRefused);
}

#[tokio::test]
async fn organizations_lists_with_somebody_elses_members_or_without_an_end_are_errors() {
    for (request, fault) in [
        ("org_01/memb", Fault::AsIf("/v1/organizations/org_02/memberships?limit=3&offset=0")),
        ("org_01/memb", Fault::body("<html>")),
        ("/v1/organizations?", Fault::body("{}")),
        ("/v1/organizations?", Fault::body(r#"{"data":[{},{},{}],"total_count":9}"#)),
        ("/v1/organizations?", Fault::status(404)),
        ("org_01/memb", Fault::status(404)),
    ] {
        let api = clerk(2, 2).await;
        let target = keeping();
        api.fails(request, fault);
        let error = within(backfill(&api, &target).run()).await.unwrap_err();
        assert_eq!(error.kind(), BackfillErrorKind::UnexpectedAnswer, "{error}");
        let text = format!("{error} {}", error.report());
        assert!(!text.contains("org_") && !text.contains("user_"), "{text}");
        assert!(target.state().memberships.is_empty());
        assert!(!target.state().runs[0].organizations.as_ref().unwrap().finished);
    }
    // A proxy that always answers with the first page.
    let api = clerk(6, 0).await;
    api.state().is_bare = true;
    let first = Fault::AsIf("/v1/organizations?limit=3&offset=0&order_by=%2Bcreated_at");
    for _ in 0..4 {
        api.always_fails("/v1/organizations?", &first);
    }
    let error = within(backfill(&api, &keeping()).run()).await.unwrap_err();
    assert_eq!(error.kind(), BackfillErrorKind::UnexpectedAnswer);
}

#[tokio::test]
async fn organizations_without_usable_ids_or_refused_by_the_target_are_counted_and_named() {
    let api = clerk(4, 3).await;
    api.state().organizations[1]["id"] = json!("org-02");
    api.state().organizations[3]["id"] = json!(null);
    api.state().memberships[1]["public_user_data"] = json!(null);
    let target = keeping();
    target.state().refuses = ["org_03".into(), "orgmem_org_01_user_01".into()].into();
    let report = within(backfill(&api, &target).run()).await.unwrap();
    let (organizations, memberships) =
        (report.organizations.clone().unwrap(), report.memberships.clone().unwrap());
    assert_eq!((organizations.written, organizations.unreadable), (1, 2));
    assert_eq!((organizations.refused, &*organizations.first_refused[0].id), (1, "org_03"));
    assert_eq!((memberships.written, memberships.unreadable, memberships.refused), (4, 1, 1));
    assert_eq!(report.all_refused(), 2);
    assert!(!report.is_short());
}

#[tokio::test]
async fn organizations_lists_that_are_shorter_than_their_count_are_told_as_short() {
    for request in ["/v1/organizations?", "org_02/memberships"] {
        let api = clerk(2, 1).await;
        let mut listed = json!({ "data": [], "total_count": 2 });
        let organizations = api.state().organizations.clone();
        let members = api.state().memberships.clone();
        listed["data"] = match request {
            "/v1/organizations?" => json!([organizations[0]]),
            _ => json!([members[1]]),
        };
        let target = keeping();
        api.always_fails(request, &Fault::body(listed.to_string()));
        let report = within(backfill(&api, &target).run()).await.unwrap();
        assert!(report.is_short(), "{request}");
        let drift = within(backfill(&api, &target).dry_run()).await.unwrap();
        assert!(drift.is_short(), "{request}");
    }
}
