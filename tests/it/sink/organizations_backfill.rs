//! Organizations and memberships from the Backend API in a database: by the rules of deliveries, in pages.

use std::sync::{Arc, Mutex};
use std::time::UNIX_EPOCH;

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, EntityTrait,
};
use serde_json::{Value, json};
use tower_clerk::backfill::{BackfillErrorKind, Target};
use tower_clerk::clock::{Clock, SystemClock};
use tower_clerk::sea_orm::{
    InTransaction, Schema, UserStatus, migrate, organization, organization_membership,
};
use tower_clerk::test_util::{user_created, user_deleted};
use tower_clerk::webhook::{Delivery, Outcome};

use crate::backfill::api::{self, ClerkApi, Fault, membership, users};
use crate::sink::backfill::backfill;
use crate::support::database::{count, on_each_database};
use crate::support::delivery::{send, signed};
use crate::support::servers::within;
use crate::support::sink_service::Server;

on_each_database!(
    organizations_from_before_they_were_kept_are_brought_in,
    organizations_listed_never_beat_newer_events_nor_deletions,
    organizations_listed_after_an_event_of_the_same_time_win_if_something_differs,
    organizations_that_are_deleted_and_users_who_are_keep_their_memberships_away,
    organizations_members_who_are_unknown_get_a_row_and_hooks_are_told,
    organizations_drift_is_told_exactly_and_a_run_mends_it,
    organizations_that_are_gone_are_removed_for_ever_with_care,
    organizations_of_a_killed_run_are_gone_on_with,
    organizations_whose_rows_the_database_refuses_are_named_and_all_others_written,
    organizations_rows_that_somebody_removed_come_back,
    organizations_webhooks_and_backfills_at_once_end_in_the_newest_states,
    organizations_progress_has_columns_that_a_migration_adds,
);

/// Two organizations with two members each.
async fn clerk() -> ClerkApi {
    let clerk = ClerkApi::start(users(2)).await;
    for (n, id) in (1..).zip(["org_1", "org_2"]) {
        clerk.state().organizations.push(api::organization(id, 1000 * n));
        for user in ["user_01", "user_02"] {
            clerk.state().memberships.push(membership(id, user, 5000));
        }
    }
    clerk
}

async fn keeping(db: &DatabaseConnection) -> Server {
    Server::start_with(db.clone(), Schema::new().with_organizations()).await
}

fn event(kind: &str, data: &Value, timestamp: i64) -> Value {
    json!({ "type": kind, "object": "event", "data": data, "timestamp": timestamp })
}

/// A membership in another role, at this time.
fn promoted(organization: &str, user: &str, updated_at: i64) -> Value {
    let mut data = membership(organization, user, 5000);
    data["role"] = json!("org:admin");
    data["updated_at"] = json!(updated_at);
    data
}

async fn role(db: &DatabaseConnection, id: &str) -> Option<String> {
    let row = organization_membership::Entity::find_by_id(id).one(db).await.unwrap();
    row.and_then(|row| row.role)
}

async fn organizations_from_before_they_were_kept_are_brought_in(db: DatabaseConnection) {
    let api = clerk().await;
    let plain = Server::start(db.clone()).await;
    within(backfill(&api, &plain.sink).run()).await.unwrap();

    let server = keeping(&db).await;
    let error = within(backfill(&api, &server.sink).remove_gone(9)).await.unwrap_err();
    assert_eq!(error.kind(), BackfillErrorKind::NotFilled);
    let report = within(backfill(&api, &server.sink).run()).await.unwrap();
    assert_eq!((report.users, report.unchanged), (2, 2));
    assert_eq!(report.organizations.unwrap().written, 2);
    assert_eq!(report.memberships.unwrap().written, 4);
    let row = organization::Entity::find_by_id("org_2").one(&db).await.unwrap().unwrap();
    assert_eq!((row.name.as_deref(), row.slug.as_deref()), (Some("name of org_2"), Some("org_2")));
    assert_eq!(row.created_at.timestamp_millis(), 2000);
    let row = organization_membership::Entity::find_by_id("orgmem_org_2_user_01");
    let row = row.one(&db).await.unwrap().unwrap();
    assert_eq!((&*row.organization_id, &*row.user_id), ("org_2", "user_01"));
    assert_eq!(
        (row.role.as_deref(), row.updated_at.timestamp_millis()),
        (Some("org:member"), 5000)
    );
    let stored = server.sink.runs().await.unwrap()[0].organizations.clone().unwrap();
    assert_eq!((stored.organizations, stored.memberships, stored.finished), (2, 4, true));

    let again = within(backfill(&api, &server.sink).run()).await.unwrap();
    assert_eq!(again.organizations.unwrap().unchanged, 2);
    assert_eq!(again.memberships.unwrap().unchanged, 4);
    // Without them the same tables are filled as before.
    let report = within(backfill(&api, &plain.sink).run()).await.unwrap();
    assert_eq!(report.memberships, None);
}

async fn organizations_listed_never_beat_newer_events_nor_deletions(db: DatabaseConnection) {
    let api = clerk().await;
    let server = keeping(&db).await;
    let mut newer = api::organization("org_1", 1000);
    (newer["name"], newer["updated_at"]) = (json!("newer"), json!(9000));
    server.post_new(&event("organization.updated", &newer, 9000)).await;
    let newer = promoted("org_1", "user_01", 5001);
    server.post_new(&event("organizationMembership.updated", &newer, 9000)).await;
    let left = membership("org_1", "user_02", 5000);
    server.post_new(&event("organizationMembership.deleted", &left, 9000)).await;
    let gone = json!({ "object": "organization", "id": "org_2", "deleted": true });
    server.post_new(&event("organization.deleted", &gone, 9000)).await;
    // An older one.
    within(backfill(&api, &server.sink).run()).await.unwrap();
    let row = organization::Entity::find_by_id("org_1").one(&db).await.unwrap().unwrap();
    assert_eq!(row.name.as_deref(), Some("newer"));
    assert_eq!(role(&db, "orgmem_org_1_user_01").await.as_deref(), Some("org:admin"));
    assert_eq!(count(&db, "organizations").await, 1);
    assert_eq!(count(&db, "organization_memberships").await, 1);

    // What Clerk lists in a newer state is written, and an event from between changes nothing.
    api.handle()(&|clerk| clerk.memberships[0]["updated_at"] = json!(6000));
    within(backfill(&api, &server.sink).run()).await.unwrap();
    assert_eq!(role(&db, "orgmem_org_1_user_01").await.as_deref(), Some("org:member"));
    let between = promoted("org_1", "user_01", 5500);
    server.post_new(&event("organizationMembership.updated", &between, 9001)).await;
    assert_eq!(role(&db, "orgmem_org_1_user_01").await.as_deref(), Some("org:member"));
}

async fn organizations_listed_after_an_event_of_the_same_time_win_if_something_differs(
    db: DatabaseConnection,
) {
    let api = clerk().await;
    let server = keeping(&db).await;
    let now = SystemClock::new().now().duration_since(UNIX_EPOCH).unwrap();
    let now = i64::try_from(now.as_millis()).unwrap();
    // Of the same millisecond as what is listed: one long ago, one from after the list.
    let before = promoted("org_1", "user_01", 5000);
    server.post_new(&event("organizationMembership.updated", &before, 5000)).await;
    let after = promoted("org_1", "user_02", 5000);
    server.post_new(&event("organizationMembership.updated", &after, now + 60_000)).await;
    let drift = within(backfill(&api, &server.sink).dry_run()).await.unwrap();
    let drift = drift.memberships.unwrap();
    assert_eq!(drift.outdated.examples, ["orgmem_org_1_user_01"]);
    within(backfill(&api, &server.sink).run()).await.unwrap();
    assert_eq!(role(&db, "orgmem_org_1_user_01").await.as_deref(), Some("org:member"));
    assert_eq!(role(&db, "orgmem_org_1_user_02").await.as_deref(), Some("org:admin"));
    let again = within(backfill(&api, &server.sink).run()).await.unwrap();
    assert_eq!(again.memberships.unwrap().written, 0);
    assert!(within(backfill(&api, &server.sink).dry_run()).await.unwrap().is_none());
}

async fn organizations_that_are_deleted_and_users_who_are_keep_their_memberships_away(
    db: DatabaseConnection,
) {
    let api = clerk().await;
    let server = keeping(&db).await;
    server.post_new(&user_deleted("user_01")).await;
    let gone = json!({ "object": "organization", "id": "org_2", "deleted": true });
    server.post_new(&event("organization.deleted", &gone, 9000)).await;
    let report = within(backfill(&api, &server.sink).run()).await.unwrap();
    let memberships = report.memberships.unwrap();
    assert_eq!((memberships.written, memberships.unchanged), (1, 3));
    assert_eq!(role(&db, "orgmem_org_1_user_02").await.as_deref(), Some("org:member"));
    assert_eq!(count(&db, "organization_memberships").await, 1);
    assert_eq!(count(&db, "organizations").await, 1);
    let drift = within(backfill(&api, &server.sink).dry_run()).await.unwrap();
    assert_eq!(drift.organizations.unwrap().deleted.examples, ["org_2"]);
    let drift = drift.memberships.unwrap();
    assert_eq!((drift.missing.count, drift.outdated.count, drift.deleted.count), (0, 0, 3));
}

/// Remembers whom it was told of.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<String>>>);

impl InTransaction for Told {
    async fn run(&self, _: &DatabaseTransaction, _: &Delivery, _: Outcome) -> Result<(), DbErr> {
        Ok(())
    }

    async fn ensured(&self, tx: &DatabaseTransaction, user_id: &str) -> Result<(), DbErr> {
        tx.execute_unprepared("UPDATE users SET username = 'greeted'").await?;
        self.0.lock().unwrap().push(user_id.to_owned());
        Ok(())
    }
}

async fn organizations_members_who_are_unknown_get_a_row_and_hooks_are_told(
    db: DatabaseConnection,
) {
    let api = clerk().await;
    let server = keeping(&db).await;
    // The list of users lags behind.
    api.state().users.remove(1);
    let told = Told::default();
    let sink = server.sink.clone().with_hook(told.clone());
    let report = within(backfill(&api, &sink).run()).await.unwrap();
    assert_eq!((report.users, report.memberships.unwrap().written), (1, 4));
    assert_eq!(*told.0.lock().unwrap(), ["user_02"]);
    assert_eq!(count(&db, "users WHERE username = 'greeted'").await, 2);
    assert_eq!(sink.user_status("user_02").await.unwrap(), UserStatus::Active);
    // Any event fills the row.
    server.post_new(&user_created("user_02", Some("bea@example.com"), 1)).await;
    assert_eq!(server.email("user_02").await.as_deref(), Some("bea@example.com"));
}

async fn organizations_drift_is_told_exactly_and_a_run_mends_it(db: DatabaseConnection) {
    let api = clerk().await;
    let server = keeping(&db).await;
    within(backfill(&api, &server.sink).run()).await.unwrap();
    assert!(within(backfill(&api, &server.sink).dry_run()).await.unwrap().is_none());
    api.handle()(&|clerk| {
        clerk.organizations[0]["name"] = json!("renamed");
        clerk.organizations[0]["updated_at"] = json!(9000);
        clerk.organizations.push(api::organization("org_3", 9000));
        clerk.memberships[0] = promoted("org_1", "user_01", 9000);
        clerk.memberships.push(membership("org_3", "user_01", 9000));
        clerk.deletes("orgmem_org_2_user_01");
    });
    // And one that somebody gave rights to here, by hand.
    db.execute_unprepared(
        "UPDATE organization_memberships SET role = 'org:admin' WHERE id = 'orgmem_org_2_user_02'",
    )
    .await
    .unwrap();
    let versions = count(&db, "clerk_membership_versions").await;
    let drift = within(backfill(&api, &server.sink).dry_run()).await.unwrap();
    let (organizations, memberships) = (drift.organizations.unwrap(), drift.memberships.unwrap());
    assert_eq!(organizations.missing.examples, ["org_3"]);
    assert_eq!(organizations.outdated.examples, ["org_1"]);
    assert_eq!(memberships.missing.examples, ["orgmem_org_3_user_01"]);
    let outdated = ["orgmem_org_1_user_01", "orgmem_org_2_user_02"];
    assert_eq!(memberships.outdated.examples, outdated);
    assert_eq!(memberships.gone.unwrap().examples, ["orgmem_org_2_user_01"]);
    assert_eq!(count(&db, "clerk_membership_versions").await, versions);
    within(backfill(&api, &server.sink).run()).await.unwrap();
    assert_eq!(role(&db, "orgmem_org_1_user_01").await.as_deref(), Some("org:admin"));
    assert_eq!(role(&db, "orgmem_org_2_user_02").await.as_deref(), Some("org:member"));
    within(backfill(&api, &server.sink).remove_gone(1)).await.unwrap();
    assert!(within(backfill(&api, &server.sink).dry_run()).await.unwrap().is_none());
}

async fn organizations_that_are_gone_are_removed_for_ever_with_care(db: DatabaseConnection) {
    let now = SystemClock::new().now().duration_since(UNIX_EPOCH).unwrap();
    let now = i64::try_from(now.as_millis()).unwrap();
    let api = clerk().await;
    api.state().organizations.push(api::organization("org_young", now - 50 * 60_000));
    let server = keeping(&db).await;
    within(backfill(&api, &server.sink).run()).await.unwrap();
    for id in ["org_2", "orgmem_org_1_user_02", "org_young"] {
        api.deletes(id);
    }
    let error = within(backfill(&api, &server.sink).remove_gone(1)).await.unwrap_err();
    assert_eq!(error.kind(), BackfillErrorKind::TooManyGone);
    assert_eq!(count(&db, "organization_memberships").await, 4);
    let removed = within(backfill(&api, &server.sink).remove_gone(2)).await.unwrap();
    assert_eq!((removed.organizations.removed, removed.memberships.removed), (1, 1));
    assert_eq!(count(&db, "organization_memberships").await, 1);
    assert_eq!(count(&db, "organizations").await, 2);
    assert_eq!(count(&db, "users").await, 2);
    // No event that arrives later brings them back.
    let late = promoted("org_1", "user_02", 9_000_000);
    server.post_new(&event("organizationMembership.updated", &late, 9000)).await;
    let late = api::organization("org_2", 9_000_000);
    server.post_new(&event("organization.updated", &late, 9000)).await;
    assert_eq!(count(&db, "organization_memberships").await, 1);
    assert_eq!(count(&db, "organizations").await, 2);
    let again = within(backfill(&api, &server.sink).remove_gone(0)).await.unwrap();
    assert_eq!((again.organizations.removed, again.memberships.removed), (0, 0));
}

async fn organizations_of_a_killed_run_are_gone_on_with(db: DatabaseConnection) {
    let clerk = ClerkApi::start(users(3)).await;
    for n in 1..=5 {
        let id = format!("org_{n}");
        clerk.state().organizations.push(api::organization(&id, 1000 * n));
        for user in ["user_01", "user_02", "user_03"] {
            clerk.state().memberships.push(membership(&id, user, 5000));
        }
    }
    let server = keeping(&db).await;
    for held in ["org_3/memberships", "org_5/memberships"] {
        clerk.fails(held, Fault::Silent);
        let run = backfill(&clerk, &server.sink);
        let killed = tokio::spawn(async move { run.run().await });
        let waits = || clerk.requests().last().is_some_and(|last| last.contains(held));
        crate::support::servers::eventually(async || waits()).await;
        killed.abort();
        assert!(killed.await.unwrap_err().is_cancelled());
    }
    let mark = server.sink.runs().await.unwrap()[0].organizations.clone().unwrap();
    assert_eq!((mark.last_organization_id.as_deref(), mark.organizations), (Some("org_4"), 4));
    clerk.deletes("org_2");
    let report = within(backfill(&clerk, &server.sink).run()).await.unwrap();
    assert!(report.resumed);
    assert_eq!(report.organizations.unwrap().processed, 5);
    assert_eq!(report.memberships.unwrap().processed, 15);
    assert_eq!(count(&db, "organization_memberships").await, 15);
    let removed = within(backfill(&clerk, &server.sink).remove_gone(1)).await.unwrap();
    assert_eq!(removed.organizations.removed, 1);
    assert_eq!(count(&db, "organization_memberships").await, 12);
    assert!(within(backfill(&clerk, &server.sink).dry_run()).await.unwrap().is_none());
}

async fn organizations_whose_rows_the_database_refuses_are_named_and_all_others_written(
    db: DatabaseConnection,
) {
    let api = clerk().await;
    api.state().memberships[2]["role"] = json!("refused");
    let server = keeping(&db).await;
    let refuse = match db.get_database_backend() {
        DbBackend::Sqlite => {
            "CREATE TRIGGER refusal BEFORE INSERT ON organization_memberships \
             WHEN NEW.role = 'refused' BEGIN SELECT RAISE(ABORT, 'refusal'); END"
        }
        _ => {
            "ALTER TABLE organization_memberships ADD CONSTRAINT refusal CHECK (role NOT IN ('refused'))"
        }
    };
    db.execute_unprepared(refuse).await.unwrap();
    let report = within(backfill(&api, &server.sink).run()).await.unwrap();
    assert_eq!(report.all_refused(), 1);
    let memberships = report.memberships.unwrap();
    assert_eq!((memberships.written, memberships.refused), (3, 1));
    assert_eq!(memberships.first_refused[0].id, "orgmem_org_2_user_01");
    assert!(memberships.first_refused[0].reason.contains("refusal"));
    assert_eq!(count(&db, "organization_memberships").await, 3);
    assert!(server.sink.runs().await.unwrap()[0].organizations.as_ref().unwrap().finished);
}

async fn organizations_rows_that_somebody_removed_come_back(db: DatabaseConnection) {
    let api = clerk().await;
    let server = keeping(&db).await;
    within(backfill(&api, &server.sink).run()).await.unwrap();
    let newer = promoted("org_1", "user_01", 9000);
    server.post_new(&event("organizationMembership.updated", &newer, 9000)).await;
    for table in ["organization_memberships", "organizations", "users"] {
        db.execute_unprepared(&format!("DELETE FROM {table}")).await.unwrap();
    }
    let drift = within(backfill(&api, &server.sink).dry_run()).await.unwrap();
    assert_eq!(drift.organizations.unwrap().missing.count, 2);
    assert_eq!(drift.memberships.unwrap().missing.count, 4);
    within(backfill(&api, &server.sink).run()).await.unwrap();
    assert_eq!(count(&db, "organizations").await, 2);
    assert_eq!(count(&db, "organization_memberships").await, 4);
    assert!(within(backfill(&api, &server.sink).dry_run()).await.unwrap().is_none());
}

async fn organizations_webhooks_and_backfills_at_once_end_in_the_newest_states(
    db: DatabaseConnection,
) {
    let people: Vec<String> = (1..=12).map(|n| format!("user_{n:02}")).collect();
    let clerk = ClerkApi::start(users(12)).await;
    for organization in ["org_1", "org_2"] {
        clerk.state().organizations.push(api::organization(organization, 1000));
        for user in &people {
            clerk.state().memberships.push(membership(organization, user, 5000));
        }
    }
    let server = keeping(&db).await;
    let backfills: Vec<_> = (0..2)
        .map(|_| {
            let run = backfill(&clerk, &server.sink);
            tokio::spawn(async move { within(run.run()).await.map(drop) })
        })
        .collect();
    // From the other end, so that they meet; and users who leave altogether.
    let mut events = Vec::new();
    for (n, user) in people.iter().enumerate().rev() {
        for organization in ["org_2", "org_1"] {
            let (kind, data) = match n % 3 {
                0 => ("deleted", membership(organization, user, 5000)),
                1 => ("updated", promoted(organization, user, 5001)),
                _ => ("updated", promoted(organization, user, 4999)),
            };
            events.push(event(&format!("organizationMembership.{kind}"), &data, 5001));
        }
        if n % 6 == 5 {
            events.push(user_deleted(user));
        }
    }
    let deliveries: Vec<_> = events
        .iter()
        .enumerate()
        .map(|(n, body)| {
            let (service, delivery) = (server.service.clone(), signed(&format!("msg_{n}"), body));
            tokio::spawn(async move { send(&service, delivery.into_request()).await.status() })
        })
        .collect();
    for delivery in deliveries {
        assert_eq!(delivery.await.unwrap(), 204);
    }
    for backfill in backfills {
        backfill.await.unwrap().unwrap();
    }
    for (n, user) in people.iter().enumerate() {
        for organization in ["org_1", "org_2"] {
            let role = role(&db, &format!("orgmem_{organization}_{user}")).await;
            let expected = match (n % 3, n % 6) {
                (0, _) | (_, 5) => None,
                (1, _) => Some("org:admin"),
                _ => Some("org:member"),
            };
            assert_eq!(role.as_deref(), expected, "{organization} {user}");
        }
    }
}

async fn organizations_progress_has_columns_that_a_migration_adds(db: DatabaseConnection) {
    let api = clerk().await;
    let plain = Server::start(db.clone()).await;
    within(backfill(&api, &plain.sink).run()).await.unwrap();
    // As an earlier version left it.
    for column in ["last_organization_id", "organizations", "memberships", "organizations_finished"]
    {
        let drop = format!("ALTER TABLE clerk_backfills DROP COLUMN {column}");
        db.execute_unprepared(&drop).await.unwrap();
    }
    let forget = "DELETE FROM clerk_migrations WHERE version LIKE '%backfills_of_organizations'";
    db.execute_unprepared(forget).await.unwrap();
    migrate(&db).await.unwrap();
    let runs = plain.sink.runs().await.unwrap();
    assert_eq!((runs[0].finished, runs[0].organizations.clone()), (true, None));
    // What a killed migration left is no error.
    db.execute_unprepared(forget).await.unwrap();
    migrate(&db).await.unwrap();
    let server = keeping(&db).await;
    within(backfill(&api, &server.sink).run()).await.unwrap();
    assert_eq!(count(&db, "organization_memberships").await, 4);
}
