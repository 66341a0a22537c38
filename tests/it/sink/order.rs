//! Which of a user's states wins when their times are the same, whose row an id means, and what
//! becomes of transactions that are in each other's way.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::UNIX_EPOCH;

use sea_orm::sqlx;
use sea_orm::{ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tower_clerk::clock::{Clock, SystemClock};
use tower_clerk::sea_orm::{
    InTransaction, Schema, SeaOrmSink, UserStatus, is_transient, migrate, user,
};
use tower_clerk::test_util::{user_created, user_deleted, user_updated};
use tower_clerk::webhook::{Delivery, DeliveryErrorKind, Outcome};

use crate::backfill::api::{self, ClerkApi};
use crate::sink::backfill::backfill;
use crate::sink::states::orders;
use crate::support::database::{count, on_each_database};
use crate::support::delivery::{builder, send, signed};
use crate::support::servers::within;
use crate::support::sink_service::Server;

on_each_database!(
    e31_e34_e35_every_order_with_each_delivery_repeated_ends_in_the_same_row,
    e34_e35_e37_every_order_with_each_event_sent_again_ends_in_the_same_row,
    e34_e35_e38_every_order_at_once_repeated_and_sent_again_ends_in_the_same_row,
    states_of_one_millisecond_end_the_same_in_every_order,
    fault_s3_of_two_updates_of_one_millisecond_the_later_event_wins,
    fault_s3_a_user_listed_after_an_event_of_the_same_time_wins_if_a_kept_column_differs,
    fault_s3_every_kind_of_column_is_compared_as_the_database_keeps_it,
    fault_s3_tables_from_before_are_brought_up_to_date,
    e33_a_forged_delivery_does_not_use_up_its_id,
    e40_ids_are_compared_byte_for_byte,
    e42_a_duplicate_is_no_failure,
    e47_a_conflict_is_tried_again_and_then_left_to_svix,
    what_the_database_refuses_for_good_is_not_transient,
);

const T: i64 = 1_649_360_000_000;

async fn sink(db: &DatabaseConnection) -> SeaOrmSink {
    migrate(db).await.unwrap();
    SeaOrmSink::new(db.clone()).unwrap()
}

async fn post(sink: &SeaOrmSink, id: &str, body: &Value) -> u16 {
    let service = builder(sink.clone()).build().unwrap();
    send(&service, signed(id, body).into_request()).await.status()
}

async fn states_of_one_millisecond_end_the_same_in_every_order(db: DatabaseConnection) {
    let sink = sink(&db).await;
    let states = [
        user_created("user_1", Some("c@x"), T),
        user_created("user_1", Some("d@x"), T),
        user_updated("user_1", Some("a@x"), T),
        user_updated("user_1", Some("b@x"), T),
    ];
    let mut winners = Vec::new();
    for (n, order) in orders(&states).iter().enumerate() {
        for (step, state) in order.iter().enumerate() {
            assert_eq!(post(&sink, &format!("msg_{n}_{step}"), state).await, 204);
        }
        winners.push(sink.find_user("user_1").await.unwrap().unwrap().email.unwrap());
        for table in ["users", "clerk_user_versions"] {
            db.execute_unprepared(&format!("DELETE FROM {table}")).await.unwrap();
        }
    }
    assert_eq!(winners.len(), 24);
    assert!(winners.iter().all(|winner| *winner == winners[0]), "{winners:?}");
    assert!(["a@x", "b@x"].contains(&winners[0].as_str()), "an update wins: {winners:?}");
}

/// A creation and two updates in all orders, and with a deletion in all orders: for each a user of
/// its own, and what its last state must be.
fn all_orders() -> Vec<(String, Vec<Value>, UserStatus)> {
    let states = |id: &str| {
        let email = |version| Some(format!("v{version}@example.com"));
        [
            user_created(id, email(0).as_deref(), T),
            user_updated(id, email(1).as_deref(), T + 1),
            user_updated(id, email(2).as_deref(), T + 2),
        ]
    };
    let mut all = Vec::new();
    for n in 0..6 {
        let id = format!("user_stays_{n}");
        all.push((id.clone(), orders(&states(&id)).swap_remove(n), UserStatus::Active));
    }
    for n in 0..24 {
        let id = format!("user_goes_{n}");
        let events = [&states(&id)[..], &[user_deleted(&id)]].concat();
        all.push((id, orders(&events).swap_remove(n), UserStatus::Deleted));
    }
    all
}

async fn ended_right(sink: &SeaOrmSink, id: &str, status: UserStatus) {
    assert_eq!(sink.user_status(id).await.unwrap(), status, "{id}");
    let row = sink.find_user(id).await.unwrap();
    let newest = |row: user::Model| (row.email.unwrap(), row.updated_at.timestamp_millis());
    let expected = (status == UserStatus::Active).then(|| ("v2@example.com".to_owned(), T + 2));
    assert_eq!(row.map(newest), expected, "{id}");
}

async fn e31_e34_e35_every_order_with_each_delivery_repeated_ends_in_the_same_row(
    db: DatabaseConnection,
) {
    let sink = sink(&db).await;
    let mut sent = 0;
    for (id, order, status) in all_orders() {
        // Each twice in a row, and then all of them once more.
        let twice = order.iter().enumerate().flat_map(|delivery| [delivery, delivery]);
        for (step, event) in twice.chain(order.iter().enumerate()) {
            assert_eq!(post(&sink, &format!("msg_{id}_{step}"), event).await, 204);
        }
        sent += i64::try_from(order.len()).unwrap();
        ended_right(&sink, &id, status).await;
    }
    assert_eq!(count(&db, "clerk_deliveries").await, sent);
}

async fn e34_e35_e37_every_order_with_each_event_sent_again_ends_in_the_same_row(
    db: DatabaseConnection,
) {
    let sink = sink(&db).await;
    for (id, order, status) in all_orders() {
        // As somebody does by hand: under new ids, from the first to the last and back.
        for (step, event) in order.iter().chain(&order).chain(order.iter().rev()).enumerate() {
            assert_eq!(post(&sink, &format!("msg_{id}_{step}"), event).await, 204);
        }
        ended_right(&sink, &id, status).await;
    }
}

async fn e34_e35_e38_every_order_at_once_repeated_and_sent_again_ends_in_the_same_row(
    db: DatabaseConnection,
) {
    let sink = sink(&db).await;
    for (id, order, status) in all_orders() {
        let mut at_once = JoinSet::new();
        for (step, event) in order.iter().enumerate() {
            let message = format!("msg_{id}_{step}");
            for message in [message.clone(), message.clone(), format!("{message}_again")] {
                let (sink, event) = (sink.clone(), event.clone());
                at_once.spawn(async move { post(&sink, &message, &event).await });
            }
        }
        let answers = at_once.join_all().await;
        assert!(answers.iter().all(|status| *status == 204), "{id}: {answers:?}");
        ended_right(&sink, &id, status).await;
    }
}

async fn fault_s3_of_two_updates_of_one_millisecond_the_later_event_wins(db: DatabaseConnection) {
    let sink = sink(&db).await;
    let at = |mut event: Value, timestamp: i64| {
        event["timestamp"] = json!(timestamp);
        event
    };
    // As many as it takes for a digest to decide otherwise in some pair.
    let states: Vec<Value> = (1..=4)
        .map(|n| at(user_updated("user_1", Some(&format!("{n}@x")), T), T + n))
        .chain([at(user_created("user_1", Some("created@x"), T), T + 9)])
        .collect();
    for (n, order) in orders(&states).iter().enumerate() {
        for (step, state) in order.iter().enumerate() {
            assert_eq!(post(&sink, &format!("msg_{n}_{step}"), state).await, 204);
        }
        let row = sink.find_user("user_1").await.unwrap().unwrap();
        assert_eq!(row.email.as_deref(), Some("4@x"), "an update follows a creation");
        for table in ["users", "clerk_user_versions"] {
            db.execute_unprepared(&format!("DELETE FROM {table}")).await.unwrap();
        }
    }
}

/// An update by somebody's webhook, with a name and the time of the event.
fn renamed(id: &str, name: &str, timestamp: i64) -> Value {
    let mut listed = api::user(id, 5000);
    listed["first_name"] = json!(name);
    json!({ "type": "user.updated", "object": "event", "data": listed, "timestamp": timestamp })
}

async fn fault_s3_a_user_listed_after_an_event_of_the_same_time_wins_if_a_kept_column_differs(
    db: DatabaseConnection,
) {
    let listed = ["user_1", "user_2", "user_3", "user_4"].map(|id| api::user(id, 5000));
    let clerk = ClerkApi::start(listed.to_vec()).await;
    let server = Server::start(db.clone()).await;
    let now = SystemClock::new().now().duration_since(UNIX_EPOCH).unwrap();
    let now = i64::try_from(now.as_millis()).unwrap();
    // All of the millisecond in which Clerk lists them: an older state, one from after the list, one that
    // differs in nothing that is kept, and one that differs in nothing.
    server.post_new(&renamed("user_1", "Older", 5001)).await;
    server.post_new(&renamed("user_2", "Later", now + 60_000)).await;
    let mut active = renamed("user_3", "Ann", 5001);
    active["data"]["last_active_at"] = json!(4999);
    server.post_new(&active).await;
    server.post_new(&renamed("user_4", "Ann", 5001)).await;

    let drift = within(backfill(&clerk, &server.sink).dry_run()).await.unwrap();
    assert_eq!(drift.outdated.examples, ["user_1"]);
    let report = within(backfill(&clerk, &server.sink).run()).await.unwrap();
    assert_eq!((report.written, report.unchanged), (1, 3));
    let name = async |id| server.sink.find_user(id).await.unwrap().unwrap().first_name.unwrap();
    assert_eq!(name("user_1").await, "Ann");
    assert_eq!(name("user_2").await, "Later");
    assert!(within(backfill(&clerk, &server.sink).dry_run()).await.unwrap().is_none());
    let again = within(backfill(&clerk, &server.sink).run()).await.unwrap();
    assert_eq!((again.written, again.unchanged), (0, 4));
    // The older event comes again, under another id: the list was newer.
    let late = signed("msg_late", &renamed("user_1", "Older", 5001)).into_request();
    assert_eq!(send(&server.service, late).await.status(), 204);
    assert_eq!(name("user_1").await, "Ann");
}

async fn fault_s3_every_kind_of_column_is_compared_as_the_database_keeps_it(
    db: DatabaseConnection,
) {
    let (json_type, yes_or_no) = match db.get_database_backend() {
        DbBackend::Postgres => ("jsonb", "boolean"),
        DbBackend::MySql => ("json", "boolean"),
        _ => ("json_text", "boolean"),
    };
    let schema = Schema::new()
        .user_column("facts", |user| {
            let facts = user.public_metadata.as_ref();
            facts.and_then(|facts| facts.parse::<Value>().ok()).into()
        })
        .user_column("is_big", |user| (user.updated_at > 1).into())
        .user_column("rank_of_user", |_| 7_i32.into())
        .user_column("shares", |_| 1.5_f64.into());
    let server = Server::start_with(db.clone(), schema).await;
    for column in [
        &format!("facts {json_type}"),
        &format!("is_big {yes_or_no}"),
        "rank_of_user INTEGER",
        "shares DOUBLE PRECISION",
    ] {
        db.execute_unprepared(&format!("ALTER TABLE users ADD COLUMN {column}")).await.unwrap();
    }
    let mut listed = api::user("user_1", 5000);
    listed["public_metadata"] = json!({ "b": [1, { "x": null }], "a": "\u{e4}" });
    let clerk = ClerkApi::start(vec![listed]).await;
    within(backfill(&clerk, &server.sink).run()).await.unwrap();
    assert!(within(backfill(&clerk, &server.sink).dry_run()).await.unwrap().is_none());
    for other in ["facts = '{\"a\": 2}'", "is_big = FALSE", "rank_of_user = 8", "facts = NULL"] {
        // As an event of the same time, whose data were others.
        db.execute_unprepared(&format!("UPDATE users SET {other}")).await.unwrap();
        assert!(within(backfill(&clerk, &server.sink).dry_run()).await.unwrap().is_none());
        let event = "UPDATE clerk_user_versions SET occurred_at = 0, tie = tie - 1";
        db.execute_unprepared(event).await.unwrap();
        let drift = within(backfill(&clerk, &server.sink).dry_run()).await.unwrap();
        assert_eq!(drift.outdated.count, 1, "{other}");
        let report = within(backfill(&clerk, &server.sink).run()).await.unwrap();
        assert_eq!(report.written, 1, "{other}");
        assert!(within(backfill(&clerk, &server.sink).dry_run()).await.unwrap().is_none());
    }
}

async fn fault_s3_tables_from_before_are_brought_up_to_date(db: DatabaseConnection) {
    let sink = sink(&db).await;
    assert_eq!(post(&sink, "msg_1", &user_updated("user_1", Some("a@x"), T)).await, 204);
    let old = "ALTER TABLE clerk_user_versions DROP COLUMN occurred_at";
    db.execute_unprepared(old).await.unwrap();
    let unknown = "DELETE FROM clerk_migrations WHERE version LIKE '%clerk_user_events'";
    db.execute_unprepared(unknown).await.unwrap();
    migrate(&db).await.unwrap();
    assert_eq!(count(&db, "clerk_user_versions WHERE occurred_at = 0").await, 1);
    let mut later = user_updated("user_1", Some("b@x"), T);
    later["timestamp"] = json!(T + 1);
    assert_eq!(post(&sink, "msg_2", &later).await, 204);
    let row = sink.find_user("user_1").await.unwrap().unwrap();
    assert_eq!(row.email.as_deref(), Some("b@x"));
}

async fn e33_a_forged_delivery_does_not_use_up_its_id(db: DatabaseConnection) {
    let sink = sink(&db).await;
    let service = builder(sink.clone()).build().unwrap();
    let mut forged = signed("msg_1", &user_created("user_1", None, T)).into_request();
    forged.headers_mut().insert("svix-signature", "v1,AAAA".parse().unwrap());
    assert_eq!(send(&service, forged).await.status(), 400);
    assert_eq!(count(&db, "clerk_deliveries").await, 0);
    assert_eq!(post(&sink, "msg_1", &user_created("user_1", None, T)).await, 204);
    assert_eq!(sink.user_status("user_1").await.unwrap(), UserStatus::Active);
}

async fn e40_ids_are_compared_byte_for_byte(db: DatabaseConnection) {
    let sink = sink(&db).await;
    for id in ["user_a", "user_A", "USER_a"] {
        assert_eq!(post(&sink, &format!("msg_{id}"), &user_created(id, Some(id), T)).await, 204);
        assert_eq!(sink.ensure_user(id).await.unwrap(), UserStatus::Active);
    }
    assert_eq!(count(&db, "users").await, 3);
    assert_eq!(count(&db, "clerk_deliveries").await, 3, "ids of deliveries, too");
    assert_eq!(post(&sink, "msg_delete", &user_deleted("user_a")).await, 204);
    assert_eq!(sink.user_status("user_a").await.unwrap(), UserStatus::Deleted);
    for id in ["user_A", "USER_a"] {
        assert_eq!(sink.find_user(id).await.unwrap().unwrap().email.as_deref(), Some(id));
    }

    let long = "u".repeat(256);
    for id in ["user_A ", " user_A", "user_A\0", "", "user_\u{e4}", "user-A", "'", long.as_str()] {
        assert_eq!(sink.user_status(id).await.unwrap(), UserStatus::Unknown, "{id:?}");
        assert_eq!(sink.find_user(id).await.unwrap(), None, "{id:?}");
        let refusal = sink.ensure_user(id).await.unwrap_err().to_string();
        assert!(refusal.contains("letters, digits and underscores"), "{id:?}: {refusal}");
        let body = user_created(id, None, T);
        // It is parked.
        assert_eq!(post(&sink, "msg_odd", &body).await, 204, "{id:?}");
    }
    assert_eq!(sink.count_parked().await.unwrap(), 1);
    assert_eq!(count(&db, "users").await, 2);
    assert_eq!(sink.ensure_user(&long[1..]).await.unwrap(), UserStatus::Active);
}

async fn e42_a_duplicate_is_no_failure(db: DatabaseConnection) {
    let sink = sink(&db).await;
    for _ in 0..2 {
        assert_eq!(post(&sink, "msg_1", &user_updated("user_1", None, T)).await, 204);
        assert_eq!(sink.ensure_user("user_1").await.unwrap(), UserStatus::Active);
    }
    for _ in 0..2 {
        assert_eq!(post(&sink, "msg_2", &user_deleted("user_1")).await, 204);
        assert_eq!(sink.ensure_user("user_1").await.unwrap(), UserStatus::Deleted);
    }
    assert_eq!(count(&db, "clerk_deliveries").await, 2);
}

/// Loses against another transaction a number of times, by a real failure of the database.
struct Conflict {
    left: Arc<AtomicUsize>,
    db: DatabaseConnection,
    mysql: &'static str,
}

impl InTransaction for Conflict {
    async fn run(&self, tx: &DatabaseTransaction, _: &Delivery, _: Outcome) -> Result<(), DbErr> {
        let less = |left: usize| left.checked_sub(1);
        if self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_err() {
            return Ok(());
        }
        let failure = match tx.get_database_backend() {
            DbBackend::MySql => tx.execute_unprepared(self.mysql).await,
            DbBackend::Postgres => {
                let raise = "DO $$ BEGIN RAISE EXCEPTION SQLSTATE '40P01'; END $$";
                tx.execute_unprepared(raise).await
            }
            // Somebody else wants to write while this transaction does.
            _ => {
                let other = self.db.get_sqlite_connection_pool().acquire().await.unwrap();
                let mut other = other.detach();
                sqlx::raw_sql("PRAGMA busy_timeout = 0").execute(&mut other).await.unwrap();
                let busy = sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await;
                let busy = sea_orm::RuntimeErr::SqlxError(Arc::new(busy.unwrap_err()));
                return Err(DbErr::Exec(busy));
            }
        };
        failure.map(drop)
    }
}

async fn e47_a_conflict_is_tried_again_and_then_left_to_svix(db: DatabaseConnection) {
    let sink = sink(&db).await;
    for (n, mysql) in [
        "SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213",
        "SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1205",
    ]
    .into_iter()
    .enumerate()
    {
        let left = Arc::new(AtomicUsize::new(100));
        let hook = Conflict { left: Arc::clone(&left), db: db.clone(), mysql };
        let hooked = sink.clone().with_hook(hook);
        let service = builder(hooked.clone()).build().unwrap();
        let (user, message) = (format!("user_{n}"), format!("msg_{n}"));
        let body = user_created(&user, None, T);
        let answer = send(&service, signed(&message, &body).into_request()).await;
        assert_eq!(answer.refusal(), DeliveryErrorKind::SinkUnavailable);
        assert_eq!(answer.status(), 503);
        assert_eq!(100 - left.load(Ordering::SeqCst), 6, "tries");
        assert_eq!(sink.user_status(&user).await.unwrap(), UserStatus::Unknown);

        left.store(3, Ordering::SeqCst);
        assert_eq!(post(&hooked, &message, &body).await, 204);
        assert_eq!(left.load(Ordering::SeqCst), 0);
        assert_eq!(sink.user_status(&user).await.unwrap(), UserStatus::Active);
    }
}

async fn what_the_database_refuses_for_good_is_not_transient(db: DatabaseConnection) {
    let sink = sink(&db).await;
    assert_eq!(post(&sink, "msg_1", &user_created("user_1", None, T)).await, 204);
    for statement in [
        "SELECT * FROM nowhere",
        "INSERT INTO clerk_deliveries SELECT * FROM clerk_deliveries",
        "INSERT INTO users (id) VALUES ('user_2')",
        "no statement",
    ] {
        let error = db.execute_unprepared(statement).await.unwrap_err();
        assert!(!is_transient(&error), "{statement}");
    }
    db.clone().close().await.unwrap();
    let error = sink.find_user("user_1").await.unwrap_err();
    assert!(is_transient(&error));
    assert_eq!(
        post(&sink, "msg_2", &json!({"type": "user.deleted", "data": {"id": "u"}})).await,
        503
    );
}
