//! Whose users a database holds: deliveries say it too, and another instance's key is refused.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sea_orm::{ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbErr};
use serde_json::{Value, json};
use tower_clerk::backfill::{BackendApi, Backfill, BackfillErrorKind, Run, Target};
use tower_clerk::sea_orm::{InTransaction, SeaOrmSink, UserStatus};
use tower_clerk::secret::SecretKey;
use tower_clerk::test_util::{user_created, user_deleted, user_updated};
use tower_clerk::webhook::{Delivery, Outcome};

use crate::backfill::api::{ClerkApi, users};
use crate::support::database::{count, on_each_database};
use crate::support::delivery::{send, signed};
use crate::support::servers::within;
use crate::support::sink_service::Server;

on_each_database!(
    another_instances_key_changes_nothing_where_webhooks_filled_the_table,
    fault_s2_the_dashboards_example_leaves_no_trace_and_refuses_no_backfill,
    fault_s2_an_instance_can_be_forgotten,
    the_same_instances_key_goes_on_as_if_nothing_had_been_recorded,
    instances_whose_webhooks_come_at_once_are_all_recorded,
    an_instance_is_recorded_once_in_the_life_of_a_process,
    an_instance_is_recorded_with_its_delivery_or_not_at_all,
    a_delivery_of_no_instance_or_of_no_use_records_none,
);

const T: i64 = 1_649_360_000_000;

fn backfill(api: &ClerkApi, sink: &SeaOrmSink) -> Backfill<SeaOrmSink> {
    let key = SecretKey::parse("sk_test_canary").unwrap();
    Backfill::new(BackendApi::new(&api.url(), &key).unwrap(), sink.clone()).pace(Duration::ZERO)
}

fn of(instance: &str, mut body: Value) -> Value {
    body["instance_id"] = json!(instance);
    body
}

async fn runs(sink: &SeaOrmSink) -> Vec<Run> {
    let mut runs = sink.runs().await.unwrap();
    runs.sort_by(|a, b| a.instance_id.cmp(&b.instance_id));
    runs
}

async fn another_instances_key_changes_nothing_where_webhooks_filled_the_table(
    db: DatabaseConnection,
) {
    let server = Server::start(db.clone()).await;
    for n in 0..3 {
        let body = user_created(&format!("user_prod{n}"), Some("ann@example.com"), T);
        server.post_new(&of("ins_prod", body)).await;
    }
    // A key of ins_1.
    let api = ClerkApi::start(users(2)).await;
    for error in [
        within(backfill(&api, &server.sink).run()).await.unwrap_err(),
        within(backfill(&api, &server.sink).dry_run()).await.unwrap_err(),
        within(backfill(&api, &server.sink).remove_gone(100)).await.unwrap_err(),
        within(backfill(&api, &server.sink).several_instances().remove_gone(100))
            .await
            .unwrap_err(),
    ] {
        assert_eq!(error.kind(), BackfillErrorKind::OtherInstance);
        assert!(error.to_string().contains("ins_prod"), "{error}");
    }
    assert_eq!(runs(&server.sink).await, [Run::new("ins_prod")]);
    assert_eq!(count(&db, "users").await, 3);

    // Who wants both gets both; and nobody is gone, nor can be removed.
    let both = backfill(&api, &server.sink).several_instances();
    assert_eq!(within(both.run()).await.unwrap().written, 2);
    assert_eq!(within(both.dry_run()).await.unwrap().gone, None);
    let error = within(both.remove_gone(100)).await.unwrap_err();
    assert_eq!(error.kind(), BackfillErrorKind::OtherInstance);
    assert_eq!(server.sink.user_status("user_prod0").await.unwrap(), UserStatus::Active);
    assert_eq!(count(&db, "users").await, 5);
}

async fn fault_s2_the_dashboards_example_leaves_no_trace_and_refuses_no_backfill(
    db: DatabaseConnection,
) {
    let server = Server::start(db.clone()).await;
    let example = async |id: &str, body: Value| server.post(id, &of("ins_123", body)).await;
    example("msg_before", user_created("user_example", Some("mika@example.com"), T)).await;
    let api = ClerkApi::start(users(2)).await;
    within(backfill(&api, &server.sink).run()).await.unwrap();
    example("msg_after", user_updated("user_example", None, T + 1)).await;
    // An example of a deletion does not even bury a user of that id.
    example("msg_deleted", user_deleted("user_01")).await;
    assert_eq!(server.sink.user_status("user_01").await.unwrap(), UserStatus::Active);
    within(backfill(&api, &server.sink).run()).await.unwrap();
    let drift = within(backfill(&api, &server.sink).dry_run()).await.unwrap();
    assert_eq!((drift.missing.count, drift.deleted.count), (0, 0));
    let removal = within(backfill(&api, &server.sink).remove_gone(5)).await.unwrap();
    assert_eq!(removal.removed, 0);
    assert_eq!(server.sink.user_status("user_example").await.unwrap(), UserStatus::Unknown);
    assert_eq!(count(&db, "users").await, 2);
    assert_eq!(runs(&server.sink).await.len(), 1);
}

async fn fault_s2_an_instance_can_be_forgotten(db: DatabaseConnection) {
    let server = Server::start(db).await;
    server.post_new(&of("ins_old", user_created("user_01", None, T))).await;
    let api = ClerkApi::start(users(2)).await;
    assert!(within(backfill(&api, &server.sink).run()).await.is_err());
    assert!(server.sink.forget_instance("ins_old").await.unwrap());
    assert!(!server.sink.forget_instance("ins_old").await.unwrap());
    within(backfill(&api, &server.sink).run()).await.unwrap();
    assert!(server.sink.forget_instance("old").await.is_err());
}

async fn the_same_instances_key_goes_on_as_if_nothing_had_been_recorded(db: DatabaseConnection) {
    let server = Server::start(db.clone()).await;
    server.post_new(&user_created("user_01", None, T)).await;
    server.post_new(&user_created("user_gone", None, T)).await;
    assert_eq!(runs(&server.sink).await, [Run::new("ins_1")]);
    let api = ClerkApi::start(users(2)).await;
    let error = within(backfill(&api, &server.sink).remove_gone(9)).await.unwrap_err();
    assert_eq!(error.kind(), BackfillErrorKind::NotFilled);
    assert!(error.to_string().contains("never filled"), "{error}");
    let report = within(backfill(&api, &server.sink).run()).await.unwrap();
    assert_eq!((report.users, report.resumed), (2, false));
    let filled = runs(&server.sink).await;
    assert!(filled.len() == 1 && filled[0].finished && filled[0].users == 2);

    // Another process knows nothing of it, and changes nothing about it.
    let other = Server::on(SeaOrmSink::new(db).unwrap());
    other.post_new(&user_updated("user_01", None, T + 1)).await;
    assert_eq!(runs(&server.sink).await, filled);
    assert_eq!(within(backfill(&api, &server.sink).remove_gone(1)).await.unwrap().removed, 1);
}

async fn instances_whose_webhooks_come_at_once_are_all_recorded(db: DatabaseConnection) {
    let server = Server::start(db.clone()).await;
    let other = Server::on(SeaOrmSink::new(db).unwrap());
    let deliveries: Vec<_> = (0..24)
        .map(|n| {
            let body = user_created(&format!("user_{n}"), None, T);
            let body = of(["ins_a", "ins_b", "ins_c"][n % 3], body);
            let service = [&server, &other][n % 2].service.clone();
            let delivery = signed(&format!("msg_{n}"), &body);
            tokio::spawn(async move { send(&service, delivery.into_request()).await.status() })
        })
        .collect();
    for delivery in deliveries {
        assert_eq!(delivery.await.unwrap(), 204);
    }
    assert_eq!(runs(&server.sink).await, ["ins_a", "ins_b", "ins_c"].map(Run::new));
}

async fn an_instance_is_recorded_once_in_the_life_of_a_process(db: DatabaseConnection) {
    let server = Server::start(db.clone()).await;
    server.post_new(&user_created("user_1", None, T)).await;
    assert_eq!(count(&db, "clerk_backfills").await, 1);
    // What is removed by hand shows whether anything is written again.
    db.execute_unprepared("DELETE FROM clerk_backfills").await.unwrap();
    server.post_new(&user_updated("user_1", None, T + 1)).await;
    let clone = Server::on(server.sink.clone().with_hook(Refusal::default()));
    clone.post_new(&user_updated("user_1", None, T + 2)).await;
    assert_eq!(count(&db, "clerk_backfills").await, 0);

    let next = Server::on(SeaOrmSink::new(db.clone()).unwrap());
    next.post_new(&user_deleted("user_1")).await;
    assert_eq!(count(&db, "clerk_backfills").await, 1);
}

/// Refuses as long as it is told to.
#[derive(Clone, Default)]
struct Refusal(Arc<AtomicBool>);

impl InTransaction for Refusal {
    async fn run(&self, _: &DatabaseTransaction, _: &Delivery, _: Outcome) -> Result<(), DbErr> {
        let refuses = self.0.load(Ordering::SeqCst);
        if refuses { Err(DbErr::Custom("the application refuses".into())) } else { Ok(()) }
    }
}

async fn an_instance_is_recorded_with_its_delivery_or_not_at_all(db: DatabaseConnection) {
    let refusal = Refusal::default();
    let server = Server::start(db.clone()).await;
    let server = Server::on(server.sink.with_hook(refusal.clone()));
    refusal.0.store(true, Ordering::SeqCst);
    let delivery = signed("msg_1", &user_created("user_1", None, T));
    assert!(send(&server.service, delivery.clone().into_request()).await.status() >= 500);
    assert_eq!(count(&db, "clerk_backfills").await, 0);
    refusal.0.store(false, Ordering::SeqCst);
    assert_eq!(send(&server.service, delivery.into_request()).await.status(), 204);
    assert_eq!(count(&db, "clerk_backfills").await, 1);
}

async fn a_delivery_of_no_instance_or_of_no_use_records_none(db: DatabaseConnection) {
    let server = Server::start(db.clone()).await;
    let long = format!("ins_{}", "x".repeat(255));
    for odd in [json!(null), json!(7), json!(""), json!("inst_1"), json!("ins_ 1"), json!(long)] {
        let mut body = user_created("user_1", None, T);
        body["instance_id"] = odd;
        server.post_new(&body).await;
    }
    let session = json!({ "type": "session.created", "instance_id": "ins_1", "data": {} });
    server.post_new(&session).await;
    let hearing = Server::on(server.sink.clone().with_hook(Refusal::default()));
    hearing.post_new(&session).await;
    server.sink.ensure_user("user_2").await.unwrap();
    assert_eq!(count(&db, "clerk_backfills").await, 0);
}
