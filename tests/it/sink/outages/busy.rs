//! A lot to do at once; and SQLite's one lock for the whole file.

use std::time::Duration;

use sea_orm::{DatabaseConnection, SqliteTransactionMode, TransactionOptions, TransactionTrait};
use tokio::task::JoinSet;

use super::{Known, created, fresh_service, known, put_off, taken_in, updated};
use crate::support::database::{Backend, count, on_each_database, run};
use crate::support::delivery::{send, signed};

on_each_database!(e48_of_500_deliveries_at_once_on_8_connections_all_are_taken_in);

#[tokio::test(flavor = "multi_thread")]
async fn e30_e43_a_file_that_another_program_writes_to_is_answered_for_in_time() {
    run(Backend::Sqlite, "e30", |db| async move {
        let service = fresh_service(&db, Duration::from_millis(500)).await;
        let immediate = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        let other = db.begin_with_options(immediate).await.unwrap();
        for n in 0..3 {
            put_off(&service, &format!("msg_{n}"), &created("user_1")).await;
        }
        other.rollback().await.unwrap();
        // Those that were given up may hold the lock for a moment, one after the other.
        let patient = super::service(&db, Duration::from_secs(10));
        taken_in(&patient, "msg_1", &created("user_1")).await;
        assert_eq!(known(&db, "user_1").await, Known::Version(0));
        assert_eq!(count(&db, "clerk_deliveries").await, 1);
    })
    .await;
}

async fn e48_of_500_deliveries_at_once_on_8_connections_all_are_taken_in(db: DatabaseConnection) {
    let service = fresh_service(&db, Duration::from_secs(14)).await;
    let mut deliveries = JoinSet::new();
    // 50 users, 10 versions each, those of one user far from each other and in no order.
    for n in 0..500 {
        let (user, version) = (n % 50, (n / 50) * 7 % 10);
        let service = service.clone();
        deliveries.spawn(async move {
            let body = updated(&format!("user_{user}"), version);
            let id = format!("msg_{n}");
            let status = send(&service, signed(&id, &body).into_request()).await.status();
            (id, status)
        });
    }
    for (id, status) in deliveries.join_all().await {
        assert_eq!(status, 204, "{id}");
    }
    for user in 0..50 {
        assert_eq!(known(&db, &format!("user_{user}")).await, Known::Version(9));
    }
    assert_eq!(count(&db, "clerk_deliveries").await, 500);
}
