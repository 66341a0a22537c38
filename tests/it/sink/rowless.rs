//! Rows that somebody else removed, or that another choice left behind: who is told what, and how
//! they come back.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sea_orm::{ConnectionTrait, DatabaseConnection};
use serde_json::json;
use tower_clerk::backfill::{BackendApi, Backfill};
use tower_clerk::sea_orm::{Deletion, Schema, SeaOrmSink, UserStatus};
use tower_clerk::secret::SecretKey;
use tower_clerk::test_util::{user_created, user_deleted, user_updated};

use crate::backfill::api::{ClerkApi, users};
use crate::support::database::{count, on_each_database};
use crate::support::delivery::{send, signed};
use crate::support::servers::within;
use crate::support::sink_service::Server;

on_each_database!(
    a_backfill_brings_rows_back_that_somebody_else_removed,
    a_row_that_comes_back_older_than_it_was_is_brought_up_by_the_next_page,
    a_row_that_comes_back_does_not_outlive_the_users_deletion,
    who_lost_the_row_is_unknown_and_gets_one_that_anything_fills,
    a_known_user_costs_one_query,
    fault_s15_an_operator_takes_a_deletion_back,
    fault_s15_an_operator_takes_a_marked_deletion_back,
    who_was_marked_as_deleted_stays_unfound_when_rows_are_removed_instead,
);

const T: i64 = 1_649_360_000_000;

fn backfill(api: &ClerkApi, sink: &SeaOrmSink) -> Backfill<SeaOrmSink> {
    let key = SecretKey::parse("sk_test_canary").unwrap();
    Backfill::new(BackendApi::new(&api.url(), &key).unwrap(), sink.clone()).pace(Duration::ZERO)
}

async fn a_backfill_brings_rows_back_that_somebody_else_removed(db: DatabaseConnection) {
    let api = ClerkApi::start(users(5)).await;
    let server = Server::start(db.clone()).await;
    within(backfill(&api, &server.sink).run()).await.unwrap();
    server.post_new(&user_deleted("user_05")).await;
    db.execute_unprepared("DELETE FROM users WHERE id IN ('user_02', 'user_04')").await.unwrap();
    let drift = within(backfill(&api, &server.sink).dry_run()).await.unwrap();
    assert_eq!(drift.missing.examples, ["user_02", "user_04"]);

    let report = within(backfill(&api, &server.sink).run()).await.unwrap();
    assert_eq!((report.written, report.unchanged), (2, 3));
    assert_eq!(server.email("user_02").await.as_deref(), Some("user_02@example.com"));
    assert_eq!(server.sink.user_status("user_05").await.unwrap(), UserStatus::Deleted);
    assert_eq!(count(&db, "users").await, 4);
    let drift = within(backfill(&api, &server.sink).dry_run()).await.unwrap();
    assert_eq!((drift.missing.count, drift.outdated.count), (0, 0));
    assert_eq!(within(backfill(&api, &server.sink).run()).await.unwrap().written, 0);
}

async fn a_row_that_comes_back_older_than_it_was_is_brought_up_by_the_next_page(
    db: DatabaseConnection,
) {
    let api = ClerkApi::start(users(1)).await;
    let server = Server::start(db.clone()).await;
    server.post_new(&user_updated("user_01", Some("newest@example.com"), 9000)).await;
    db.execute_unprepared("DELETE FROM users").await.unwrap();
    // The list is still behind: its state is the best there is.
    assert_eq!(within(backfill(&api, &server.sink).run()).await.unwrap().written, 1);
    assert_eq!(server.email("user_01").await.as_deref(), Some("user_01@example.com"));

    api.state().users[0]["updated_at"] = json!(9000);
    api.state().users[0]["first_name"] = json!("Bea");
    assert_eq!(within(backfill(&api, &server.sink).run()).await.unwrap().written, 1);
    let row = server.sink.find_user("user_01").await.unwrap().unwrap();
    assert_eq!(row.first_name.as_deref(), Some("Bea"));
}

async fn a_row_that_comes_back_does_not_outlive_the_users_deletion(db: DatabaseConnection) {
    let api = ClerkApi::start(users(40)).await;
    let server = Server::start(db.clone()).await;
    within(backfill(&api, &server.sink).run()).await.unwrap();
    for race in 0..5 {
        db.execute_unprepared("DELETE FROM users").await.unwrap();
        let run = backfill(&api, &server.sink).page_size(20);
        let mended = tokio::spawn(async move { within(run.run()).await.map(drop) });
        let deletions: Vec<_> = (0..8)
            .map(|n| {
                let body = user_deleted(&format!("user_{:02}", 40 - race * 8 - n));
                let delivery = signed(&format!("msg_{race}_{n}"), &body);
                let service = server.service.clone();
                tokio::spawn(async move { send(&service, delivery.into_request()).await.status() })
            })
            .collect();
        for deletion in deletions {
            assert_eq!(deletion.await.unwrap(), 204);
        }
        mended.await.unwrap().unwrap();
        assert_eq!(count(&db, "users").await, 32 - i64::from(race) * 8, "race {race}");
    }
}

async fn who_lost_the_row_is_unknown_and_gets_one_that_anything_fills(db: DatabaseConnection) {
    let api = ClerkApi::start(users(1)).await;
    let server = Server::start(db.clone()).await;
    let told = user_updated("user_01", Some("user_01@example.com"), 1000);
    for filled_by_an_event in [true, false] {
        server.post_new(&told).await;
        within(backfill(&api, &server.sink).run()).await.unwrap();
        assert_eq!(server.sink.user_status("user_01").await.unwrap(), UserStatus::Active);
        db.execute_unprepared("DELETE FROM users").await.unwrap();
        assert_eq!(server.sink.user_status("user_01").await.unwrap(), UserStatus::Unknown);
        for _ in 0..2 {
            assert_eq!(server.sink.ensure_user("user_01").await.unwrap(), UserStatus::Active);
            assert_eq!(server.email("user_01").await, None);
        }
        assert_eq!(server.sink.user_status("user_01").await.unwrap(), UserStatus::Active);
        if filled_by_an_event {
            server.post_new(&told).await;
        } else {
            within(backfill(&api, &server.sink).run()).await.unwrap();
        }
        assert_eq!(server.email("user_01").await.as_deref(), Some("user_01@example.com"));
    }
}

async fn a_known_user_costs_one_query(db: DatabaseConnection) {
    let queries = Arc::new(AtomicUsize::new(0));
    let mut counted = db.clone();
    counted.set_metric_callback({
        let queries = Arc::clone(&queries);
        move |_| {
            queries.fetch_add(1, Ordering::SeqCst);
        }
    });
    let server = Server::start(counted).await;
    server.sink.ensure_user("user_1").await.unwrap();
    server.post_new(&user_deleted("user_2")).await;
    for (id, status) in [("user_1", UserStatus::Active), ("user_2", UserStatus::Deleted)] {
        queries.store(0, Ordering::SeqCst);
        assert_eq!(server.sink.ensure_user(id).await.unwrap(), status);
        assert_eq!(queries.load(Ordering::SeqCst), 1);
    }
    let found = server.sink.find_user("user_1").await.unwrap();
    assert_eq!((found.is_some(), queries.load(Ordering::SeqCst)), (true, 2));
}

async fn who_was_marked_as_deleted_stays_unfound_when_rows_are_removed_instead(
    db: DatabaseConnection,
) {
    let marks = Schema::new().on_deletion(Deletion::Mark);
    let marking = Server::start_with(db.clone(), marks).await;
    for id in ["user_1", "user_2"] {
        marking.post_new(&user_created(id, None, T)).await;
    }
    marking.post_new(&user_deleted("user_1")).await;
    let removing = Server::start(db.clone()).await;
    assert_eq!(count(&db, "users").await, 2);
    for server in [&marking, &removing] {
        assert_eq!(server.sink.find_user("user_1").await.unwrap(), None);
        assert_eq!(server.sink.user_status("user_1").await.unwrap(), UserStatus::Deleted);
        assert!(server.sink.find_user("user_2").await.unwrap().is_some());
    }
}

async fn fault_s15_an_operator_takes_a_deletion_back(db: DatabaseConnection) {
    revives(db, Deletion::Delete).await;
}

async fn fault_s15_an_operator_takes_a_marked_deletion_back(db: DatabaseConnection) {
    revives(db.clone(), Deletion::Mark).await;
    assert_eq!(count(&db, "users WHERE deleted_at IS NOT NULL").await, 1);
}

async fn revives(db: DatabaseConnection, deletion: Deletion) {
    let api = ClerkApi::start(users(2)).await;
    let server = Server::start_with(db, Schema::new().on_deletion(deletion)).await;
    server.post_new(&user_updated("user_01", Some("late@example.com"), T)).await;
    within(backfill(&api, &server.sink).run()).await.unwrap();
    for id in ["user_01", "user_02"] {
        server.post_new(&user_deleted(id)).await;
    }
    assert_eq!(within(backfill(&api, &server.sink).run()).await.unwrap().written, 0);

    assert!(server.sink.revive("user_01").await.unwrap());
    assert_ne!(server.sink.user_status("user_01").await.unwrap(), UserStatus::Deleted);
    for unknown in ["user_01", "user_none", "no id"] {
        assert!(!server.sink.revive(unknown).await.unwrap(), "{unknown}");
    }
    assert_eq!(server.sink.user_status("user_none").await.unwrap(), UserStatus::Unknown);

    // In the state that Clerk lists, although a newer one had been here before.
    let report = within(backfill(&api, &server.sink).run()).await.unwrap();
    assert_eq!((report.written, report.unchanged), (1, 1));
    assert_eq!(server.email("user_01").await.as_deref(), Some("user_01@example.com"));
    assert_eq!(server.sink.user_status("user_01").await.unwrap(), UserStatus::Active);
    assert_eq!(server.sink.user_status("user_02").await.unwrap(), UserStatus::Deleted);
    // Events count again, in their order.
    server.post_new(&user_updated("user_01", Some("newer@example.com"), 2000)).await;
    server.post_new(&user_updated("user_01", Some("older@example.com"), 1500)).await;
    assert_eq!(server.email("user_01").await.as_deref(), Some("newer@example.com"));
}
