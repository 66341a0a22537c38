//! What becomes of deliveries in a database, whatever their order and number.

use std::time::Duration;

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, EntityTrait, PaginatorTrait, Statement,
};
use serde_json::{Value, json};
use tower_clerk::sea_orm::{UserStatus, migrate, user};
use tower_clerk::test_util::{SignedDelivery, user_created, user_deleted, user_updated};

use crate::support::database::{count, on_each_database};
use crate::support::delivery::{NOW, at, builder, clock, secret, send, signed};
use crate::support::sink_service::Server;

on_each_database!(
    a_user_is_created_updated_and_deleted,
    e35_a_deletion_is_final_in_every_order,
    e34_the_newest_state_wins_in_every_order,
    e31_a_repeated_delivery_has_one_effect,
    e32_the_first_body_under_an_id_is_the_one_that_counts,
    e37_e52_a_stale_event_rolls_nothing_back_and_a_far_one_pins_nothing,
    e38_e39_of_two_updates_at_once_the_newest_wins_whole,
    e36_a_deletion_outlasts_everything_that_comes_later,
    a_deletion_without_an_id_deletes_nobody,
    a_user_ahead_of_the_first_event_gets_a_row_that_any_event_fills,
    a_user_ahead_of_the_first_event_is_not_revived_by_a_race_with_the_deletion,
    e41_users_may_share_an_email,
    e26_e27_e28_e29_odd_text_is_stored_as_data,
    events_about_others_touch_nothing,
    the_users_table_answers_the_plain_query,
    e49_e50_old_deliveries_are_forgotten_and_what_they_did_is_not,
    fault_s14_old_deliveries_are_found_by_an_index,
);

/// Versions count upward from here, in milliseconds.
const T: i64 = 1_649_360_000_000;

fn updated(id: &str, version: i64) -> Value {
    let mut body = user_updated(id, Some(&format!("v{version}@example.com")), T + version);
    body["data"]["first_name"] = json!(format!("first {version}"));
    body["data"]["last_name"] = json!(format!("last {version}"));
    body
}

async fn a_user_is_created_updated_and_deleted(db: DatabaseConnection) {
    let server = Server::start(db).await;
    server.post("msg_1", &user_created("user_1", Some("ann@example.com"), T)).await;
    let user = server.sink.find_user("user_1").await.unwrap().unwrap();
    assert_eq!(user.email.as_deref(), Some("ann@example.com"));
    assert_eq!(user.created_at.timestamp_millis(), T);
    assert_eq!(user.image_url.as_deref(), Some("https://img.clerk.com/x"));
    assert!(!format!("{user:?}").contains("ann"));

    let mut body = updated("user_1", 5);
    body["data"]["created_at"] = json!(T);
    body["data"]["username"] = json!("ann");
    server.post("msg_2", &body).await;
    let user = server.sink.find_user("user_1").await.unwrap().unwrap();
    assert_eq!(user.email.as_deref(), Some("v5@example.com"));
    assert_eq!(user.username.as_deref(), Some("ann"));
    assert_eq!(user.first_name.as_deref(), Some("first 5"));
    assert_eq!(user.created_at.timestamp_millis(), T);
    assert_eq!(user.updated_at.timestamp_millis(), T + 5);

    server.post("msg_3", &user_deleted("user_1")).await;
    assert_eq!(server.sink.find_user("user_1").await.unwrap(), None);
    assert_eq!(server.sink.user_status("user_1").await.unwrap(), UserStatus::Deleted);
}

pub(crate) fn orders(events: &[Value]) -> Vec<Vec<Value>> {
    if events.is_empty() {
        return vec![vec![]];
    }
    let mut all = Vec::new();
    for first in 0..events.len() {
        let mut rest = events.to_vec();
        let event = rest.remove(first);
        for mut order in orders(&rest) {
            order.insert(0, event.clone());
            all.push(order);
        }
    }
    all
}

async fn e35_a_deletion_is_final_in_every_order(db: DatabaseConnection) {
    let server = Server::start(db).await;
    let events = [user_created("x", None, T), updated("x", 1), updated("x", 2), user_deleted("x")];
    let orders = orders(&events);
    assert_eq!(orders.len(), 24);
    for (n, order) in orders.into_iter().enumerate() {
        let id = format!("user_{n}");
        for mut event in order {
            event["data"]["id"] = json!(id);
            server.post_new(&event).await;
        }
        assert_eq!(server.sink.find_user(&id).await.unwrap(), None, "order {n}");
        assert_eq!(server.sink.user_status(&id).await.unwrap(), UserStatus::Deleted, "order {n}");
    }
}

async fn e34_the_newest_state_wins_in_every_order(db: DatabaseConnection) {
    let server = Server::start(db).await;
    for (n, order) in orders(&[user_created("x", None, T), updated("x", 1), updated("x", 2)])
        .into_iter()
        .enumerate()
    {
        let id = format!("user_{n}");
        for mut event in order {
            event["data"]["id"] = json!(id);
            server.post_new(&event).await;
        }
        assert_eq!(server.email(&id).await.as_deref(), Some("v2@example.com"), "order {n}");
    }
}

async fn e31_a_repeated_delivery_has_one_effect(db: DatabaseConnection) {
    let server = Server::start(db.clone()).await;
    let body = user_created("user_1", Some("ann@example.com"), T);
    for _ in 0..3 {
        server.post("msg_1", &body).await;
    }
    let at_once: Vec<_> = (0..20)
        .map(|_| {
            let service = server.service.clone();
            let delivery = signed("msg_2", &updated("user_2", 1));
            tokio::spawn(async move { send(&service, delivery.into_request()).await.status() })
        })
        .collect();
    for answer in at_once {
        assert_eq!(answer.await.unwrap(), 204);
    }
    assert_eq!(count(&db, "clerk_deliveries").await, 2);
    assert_eq!(user::Entity::find().count(&db).await.unwrap(), 2);
}

async fn e32_the_first_body_under_an_id_is_the_one_that_counts(db: DatabaseConnection) {
    let server = Server::start(db).await;
    server.post("msg_1", &updated("user_1", 1)).await;
    server.post("msg_1", &updated("user_1", 2)).await;
    server.post("msg_1", &user_deleted("user_1")).await;
    assert_eq!(server.email("user_1").await.as_deref(), Some("v1@example.com"));
}

async fn e37_e52_a_stale_event_rolls_nothing_back_and_a_far_one_pins_nothing(
    db: DatabaseConnection,
) {
    let server = Server::start(db).await;
    server.post_new(&updated("user_1", 2)).await;
    server.post_new(&updated("user_1", 1)).await;
    server.post_new(&user_created("user_1", Some("old@example.com"), T)).await;
    assert_eq!(server.email("user_1").await.as_deref(), Some("v2@example.com"));

    // A state from the year 292 million wins for as long as a clock may be wrong, not for ever.
    let mut far = updated("user_1", 3);
    far["data"]["updated_at"] = json!(i64::MAX);
    server.post_new(&far).await;
    assert_eq!(server.email("user_1").await.as_deref(), Some("v3@example.com"));
    let later = NOW + 301;
    let clock = clock();
    clock.set_wall(at(later));
    let service = builder(server.sink.clone()).clock(clock).build().unwrap();
    let body = user_updated("user_1", Some("later@example.com"), later.cast_signed() * 1000);
    let delivery = SignedDelivery::new(&secret(), "msg_later", at(later), body.to_string());
    assert_eq!(send(&service, delivery.into_request()).await.status(), 204);
    assert_eq!(server.email("user_1").await.as_deref(), Some("later@example.com"));
}

async fn e38_e39_of_two_updates_at_once_the_newest_wins_whole(db: DatabaseConnection) {
    let server = Server::start(db).await;
    for race in 0..1000 {
        let id = format!("user_{race}");
        let racers: Vec<_> = [1, 2]
            .into_iter()
            .map(|version| {
                let service = server.service.clone();
                let delivery = signed(&format!("msg_{race}_{version}"), &updated(&id, version));
                tokio::spawn(async move { send(&service, delivery.into_request()).await.status() })
            })
            .collect();
        for racer in racers {
            assert_eq!(racer.await.unwrap(), 204);
        }
        let user = server.sink.find_user(&id).await.unwrap().unwrap();
        assert_eq!(user.email.as_deref(), Some("v2@example.com"), "race {race}");
        assert_eq!(user.first_name.as_deref(), Some("first 2"), "race {race}");
        assert_eq!(user.last_name.as_deref(), Some("last 2"), "race {race}");
        assert_eq!(user.updated_at.timestamp_millis(), T + 2, "race {race}");
    }
}

async fn e36_a_deletion_outlasts_everything_that_comes_later(db: DatabaseConnection) {
    let server = Server::start(db).await;
    server.post_new(&user_deleted("user_unknown")).await;
    server.post_new(&user_created("user_1", None, T)).await;
    server.post_new(&user_deleted("user_1")).await;
    server.post_new(&user_deleted("user_1")).await;
    for id in ["user_unknown", "user_1"] {
        server.post_new(&updated(id, 1_000_000)).await;
        server.post_new(&user_created(id, None, i64::MAX)).await;
        assert_eq!(server.sink.ensure_user(id).await.unwrap(), UserStatus::Deleted);
        assert_eq!(server.sink.user_status(id).await.unwrap(), UserStatus::Deleted);
        assert_eq!(server.sink.find_user(id).await.unwrap(), None);
    }
}

async fn a_deletion_without_an_id_deletes_nobody(db: DatabaseConnection) {
    let server = Server::start(db.clone()).await;
    for id in ["user_1", "user_2"] {
        server.post_new(&user_created(id, None, T)).await;
    }
    server.post_new(&json!({ "type": "user.deleted", "data": { "deleted": true } })).await;
    server.post_new(&json!({ "type": "user.deleted", "data": { "id": null } })).await;
    assert_eq!(count(&db, "users").await, 2);
}

async fn a_user_ahead_of_the_first_event_gets_a_row_that_any_event_fills(db: DatabaseConnection) {
    let server = Server::start(db).await;
    assert_eq!(server.sink.user_status("user_1").await.unwrap(), UserStatus::Unknown);
    for _ in 0..2 {
        assert_eq!(server.sink.ensure_user("user_1").await.unwrap(), UserStatus::Active);
    }
    let row = server.sink.find_user("user_1").await.unwrap().unwrap();
    assert_eq!(row.email, None);
    assert_eq!(row.created_at.timestamp(), NOW.cast_signed());

    let mut ancient = user_created("user_1", Some("ann@example.com"), 1);
    ancient["data"]["updated_at"] = json!(-5);
    server.post_new(&ancient).await;
    assert_eq!(server.email("user_1").await.as_deref(), Some("ann@example.com"));
    assert_eq!(server.sink.ensure_user("user_1").await.unwrap(), UserStatus::Active);
    assert_eq!(server.email("user_1").await.as_deref(), Some("ann@example.com"));
}

async fn a_user_ahead_of_the_first_event_is_not_revived_by_a_race_with_the_deletion(
    db: DatabaseConnection,
) {
    let server = Server::start(db).await;
    for race in 0..150 {
        let id = format!("user_{race}");
        let (sink, ahead) = (server.sink.clone(), id.clone());
        let ensured = tokio::spawn(async move { sink.ensure_user(&ahead).await.unwrap() });
        let service = server.service.clone();
        let delivery = signed(&format!("msg_{race}"), &user_deleted(&id));
        let deleted =
            tokio::spawn(async move { send(&service, delivery.into_request()).await.status() });
        ensured.await.unwrap();
        assert_eq!(deleted.await.unwrap(), 204);
        assert_eq!(server.sink.find_user(&id).await.unwrap(), None, "race {race}");
        assert_eq!(server.sink.user_status(&id).await.unwrap(), UserStatus::Deleted);
    }
}

async fn e41_users_may_share_an_email(db: DatabaseConnection) {
    let server = Server::start(db.clone()).await;
    for id in ["user_a", "user_A"] {
        server.post_new(&user_created(id, Some("shared@example.com"), T)).await;
    }
    assert_eq!(count(&db, "users").await, 2);
    server.post_new(&user_deleted("user_a")).await;
    assert_eq!(server.email("user_A").await.as_deref(), Some("shared@example.com"));
}

async fn e26_e27_e28_e29_odd_text_is_stored_as_data(db: DatabaseConnection) {
    let server = Server::start(db).await;
    let long = "\u{1f980}".repeat(50_000);
    for (n, (name, stored)) in [
        ("a\0b\0", "ab"),
        ("\0", ""),
        ("'; DROP TABLE users; --", "'; DROP TABLE users; --"),
        ("$1 ? \\ \" %", "$1 ? \\ \" %"),
        ("\u{1f980} \u{202e} e\u{301}", "\u{1f980} \u{202e} e\u{301}"),
        (&long, &long),
    ]
    .into_iter()
    .enumerate()
    {
        let id = format!("user_{n}");
        let mut body = user_created(&id, Some("a\0@example.com"), T);
        body["data"]["first_name"] = json!(name);
        server.post_new(&body).await;
        let user = server.sink.find_user(&id).await.unwrap().unwrap();
        assert_eq!(user.first_name.as_deref(), Some(stored));
        assert_eq!(user.email.as_deref(), Some("a@example.com"));
    }
}

async fn events_about_others_touch_nothing(db: DatabaseConnection) {
    let server = Server::start(db.clone()).await;
    for kind in ["session.created", "organization.deleted", "user.novel", ""] {
        server.post_new(&json!({ "type": kind, "data": { "id": "user_1" } })).await;
    }
    for table in ["users", "clerk_user_versions", "clerk_deliveries"] {
        assert_eq!(count(&db, table).await, 0, "{table}");
    }
}

async fn the_users_table_answers_the_plain_query(db: DatabaseConnection) {
    let server = Server::start(db.clone()).await;
    server.post_new(&user_created("user_1", Some("ann@example.com"), T)).await;
    let statement = Statement::from_string(
        db.get_database_backend(),
        "SELECT id, email, created_at FROM users",
    );
    let row = db.query_one_raw(statement).await.unwrap().unwrap();
    assert_eq!(row.try_get::<String>("", "email").unwrap(), "ann@example.com");
    let created: sea_orm::prelude::DateTimeUtc = row.try_get("", "created_at").unwrap();
    assert_eq!(created.timestamp_millis(), T);
}

async fn e49_e50_old_deliveries_are_forgotten_and_what_they_did_is_not(db: DatabaseConnection) {
    let month = Duration::from_secs(30 * 24 * 3600);
    let server = Server::start(db.clone()).await;
    server.post("msg_1", &updated("user_1", 1)).await;
    server.post("msg_2", &updated("user_1", 2)).await;
    assert_eq!(server.sink.forget_deliveries(month).await.unwrap(), 0);

    let clock = clock();
    clock.advance(month + Duration::from_secs(1));
    let later = server.sink.clone().clock(clock);
    assert_eq!(later.forget_deliveries(month).await.unwrap(), 2);
    assert_eq!(count(&db, "clerk_deliveries").await, 0);
    server.post("msg_1", &updated("user_1", 1)).await;
    assert_eq!(server.email("user_1").await.as_deref(), Some("v2@example.com"));
}

async fn fault_s14_old_deliveries_are_found_by_an_index(db: DatabaseConnection) {
    let server = Server::start(db.clone()).await;
    let index = "clerk_deliveries_by_time";
    let (count_it, drop) = match db.get_database_backend() {
        DbBackend::MySql => (
            "information_schema.statistics WHERE table_schema = DATABASE() \
             AND column_name = 'received_at' AND index_name = ",
            format!("DROP INDEX {index} ON clerk_deliveries"),
        ),
        DbBackend::Postgres => (
            "pg_indexes WHERE indexdef LIKE '%(received_at)' AND indexname = ",
            format!("DROP INDEX {index}"),
        ),
        _ => (
            "sqlite_master WHERE sql LIKE '%received_at%' AND name = ",
            format!("DROP INDEX {index}"),
        ),
    };
    let count_it = format!("{count_it}'{index}'");
    assert_eq!(count(&db, &count_it).await, 1);
    // Tables from before, and those of a migration that was interrupted right after the index.
    let unknown = "DELETE FROM clerk_migrations WHERE version LIKE '%clerk_deliveries_by_time'";
    for is_there in [false, true] {
        if !is_there {
            db.execute_unprepared(&drop).await.unwrap();
            assert_eq!(count(&db, &count_it).await, 0);
        }
        db.execute_unprepared(unknown).await.unwrap();
        migrate(&db).await.unwrap();
        assert_eq!(count(&db, &count_it).await, 1);
    }
    server.post("msg_1", &updated("user_1", 1)).await;
    assert_eq!(count(&db, "clerk_deliveries").await, 1);
}
