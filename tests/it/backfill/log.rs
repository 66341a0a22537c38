//! The chapter's table of events is true, and nothing in the log is about a person.

use std::sync::Arc;

use serde_json::json;
use tower_clerk::backfill::RecordKind;
use tower_clerk::webhook::SinkError;

use super::api::{ClerkApi, Fault, membership, organization, users};
use super::organizations::keeping;
use super::target::{Memory, run};
use super::{KEY, backfill};
use crate::support::log::Log;
use crate::support::servers::within;

#[tokio::test]
async fn every_event_of_the_chapter_is_told_without_a_key_or_a_user() {
    let log = Log::start();
    let mut listed = users(5);
    listed[4]["id"] = json!("user-05");
    let api = ClerkApi::start(listed).await;
    let target = Arc::new(Memory::default());
    target.state().refuses.insert("user_03".into());
    let mut old = run("ins_1", false);
    (old.last_user_id, old.started_at) = (Some("user_00".into()), Some(1));
    target.state().runs = vec![old];
    target.state().failures = [SinkError::transient("no route to the database")].into();
    api.fails("order_by", Fault::status(503));
    api.fails("starting_after=user_02", Fault::status(404));
    within(backfill(&api, &target).run()).await.unwrap();
    api.fails("/v1/users/count", Fault::body(r#"{"total_count":9}"#));
    api.fails("/v1/users/count", Fault::body(r#"{"total_count":9}"#));
    api.fails("/v1/instance", Fault::status(404));
    within(backfill(&api, &target).dry_run()).await.unwrap();
    target.state().users.insert("user_gone".into(), 1);
    assert!(within(backfill(&api, &target).remove_gone(0)).await.is_err());
    within(backfill(&api, &target).remove_gone(1)).await.unwrap();
    tell_of_organizations(&api).await;

    let text = log.text();
    let chapter = include_str!("../../../src/docs/backfill.md");
    let (_, table) = chapter.split_once("# Events").unwrap();
    let rows: Vec<&str> = table.lines().filter(|line| line.starts_with("| `")).collect();
    assert!(rows.len() >= 8);
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        assert!(text.contains(cells[1]), "{} in {text}", cells[1]);
        for field in cells[2].split('`').skip(1).step_by(2) {
            assert!(text.contains(&format!("{field}=")), "{field} in {text}");
        }
    }
    assert!(text.contains("no route to the database"), "{text}");
    for secret in [KEY, "canary", "user_", "user-", "org_", "Ann", "example.com", "idn_"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

/// Has the events about organizations told.
async fn tell_of_organizations(api: &ClerkApi) {
    let target = keeping();
    target.state().refuses.insert("org_2".into());
    api.handle()(&|clerk| {
        clerk.organizations = (1..=6).map(|n| organization(&format!("org_{n}"), n)).collect();
        clerk.organizations[4]["id"] = json!("org-5");
        clerk.memberships = vec![membership("org_1", "user_01", 1)];
    });
    let handle = api.handle();
    let backfill = backfill(api, &target).on_progress(move |progress| {
        if progress.kind == RecordKind::Membership {
            handle(&|clerk| clerk.deletes("org_1"));
        }
    });
    within(backfill.run()).await.unwrap();
    api.fails("/v1/organizations?", Fault::body(r#"{"data":[],"total_count":9}"#));
    within(backfill.run()).await.unwrap();
    api.state().has_no_organizations = true;
    within(backfill.run()).await.unwrap();
}
