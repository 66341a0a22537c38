//! The database is slow, or somebody else holds what a delivery needs: connections, or a user's row.

use std::time::Duration;

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, TransactionTrait};
use tower_clerk::sea_orm::{InTransaction, SeaOrmSink, migrate};
use tower_clerk::webhook::{Delivery, Outcome};

use super::{
    Known, clear, created, fresh_service, is_empty, known, put_off, service, taken_in, updated,
};
use crate::support::database::{Place, count, on_each_server};
use crate::support::delivery::builder;

on_each_server!(
    e30_a_slow_database_is_answered_for_within_the_deadline,
    e30_what_was_given_up_leaves_its_connection_free,
    e30_a_lock_that_is_held_on_one_user_is_in_nobody_elses_way,
    e30_e43_a_pool_that_others_hold_is_answered_for_in_time,
);

async fn e30_e43_a_pool_that_others_hold_is_answered_for_in_time(place: Place) {
    let direct = place.pool(2).await;
    for (most, wait, deadline) in [(1, 1, 10), (2, 1, 10), (1, 60, 1), (2, 60, 1)] {
        let wait = Duration::from_secs(wait);
        let pool = place.pool_with(|options| options.max_connections(most).acquire_timeout(wait));
        let pool = pool.await;
        let service = fresh_service(&pool, Duration::from_secs(deadline)).await;
        let mut others = Vec::new();
        for _ in 0..most {
            others.push(pool.begin().await.unwrap());
        }
        put_off(&service, "msg_1", &created("user_1")).await;
        is_empty(&direct).await;

        // One is enough.
        others.pop().unwrap().rollback().await.unwrap();
        taken_in(&service, "msg_1", &created("user_1")).await;
        assert_eq!(known(&direct, "user_1").await, Known::Version(0));
        drop(others);
        clear(&direct).await;
    }
}

async fn e30_a_lock_that_is_held_on_one_user_is_in_nobody_elses_way(place: Place) {
    let other = place.pool(2).await;
    let pool = place.pool(4).await;
    let service = fresh_service(&pool, Duration::from_secs(2)).await;
    for user in ["user_1", "user_2"] {
        taken_in(&service, &format!("msg_{user}"), &created(user)).await;
    }
    let lock = other.begin().await.unwrap();
    let hold = "UPDATE clerk_user_versions SET tie = tie WHERE id = 'user_1'";
    lock.execute_unprepared(hold).await.unwrap();

    let (waiting, body) = (service.clone(), updated("user_1", 1));
    let waiting = tokio::spawn(async move { put_off(&waiting, "msg_1", &body).await });
    // As many as go by while the other waits.
    let mut passed = 0;
    while !waiting.is_finished() {
        passed += 1;
        taken_in(&service, &format!("msg_passed_{passed}"), &updated("user_2", passed)).await;
    }
    waiting.await.unwrap();
    assert!(passed > 10, "only {passed} deliveries went by");
    assert_eq!(known(&other, "user_1").await, Known::Version(0));
    assert_eq!(known(&other, "user_2").await, Known::Version(passed));

    lock.rollback().await.unwrap();
    taken_in(&service, "msg_1", &updated("user_1", 1)).await;
    assert_eq!(known(&other, "user_1").await, Known::Version(1));
    assert_eq!(count(&other, "clerk_deliveries").await, passed + 3);
}

/// The sink waits less for a lock than the service does for the sink.
async fn e30_what_was_given_up_leaves_its_connection_free(place: Place) {
    let other = place.pool(2).await;
    let pool = place.pool(2).await;
    let service = fresh_service(&pool, Duration::from_secs(13)).await;
    taken_in(&service, "msg_0", &created("user_1")).await;
    let lock = other.begin().await.unwrap();
    let hold = "UPDATE clerk_user_versions SET tie = tie WHERE id = 'user_1'";
    lock.execute_unprepared(hold).await.unwrap();

    let (one, two) = (updated("user_1", 1), updated("user_1", 2));
    tokio::join!(put_off(&service, "msg_1", &one), put_off(&service, "msg_2", &two));
    taken_in(&service, "msg_3", &created("user_2")).await;
    lock.rollback().await.unwrap();
    taken_in(&service, "msg_2", &two).await;
    assert_eq!(known(&other, "user_1").await, Known::Version(2));
}

/// Keeps the database busy for longer than the deadline.
struct Slow;

impl InTransaction for Slow {
    async fn run(&self, tx: &DatabaseTransaction, _: &Delivery, _: Outcome) -> Result<(), DbErr> {
        let sql = match tx.get_database_backend() {
            DbBackend::MySql => "SELECT SLEEP(3)",
            _ => "SELECT pg_sleep(3)",
        };
        tx.execute_unprepared(sql).await.map(drop)
    }
}

async fn e30_a_slow_database_is_answered_for_within_the_deadline(place: Place) {
    let db = place.pool(2).await;
    migrate(&db).await.unwrap();
    let sink = SeaOrmSink::new(db.clone()).unwrap();
    let brief = Duration::from_millis(500);
    let slow = builder(sink.clone().with_hook(Slow)).deadline(brief).build().unwrap();
    tokio::time::timeout(brief * 3, put_off(&slow, "msg_1", &created("user_1")))
        .await
        .expect("an answer when the deadline has passed");
    is_empty(&db).await;

    let quick = service(&db, Duration::from_secs(10));
    taken_in(&quick, "msg_1", &created("user_1")).await;
    assert_eq!(known(&db, "user_1").await, Known::Version(0));
}
