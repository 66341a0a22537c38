//! How much is kept, and for how long.

use super::*;
use crate::support::database::{Backend, run};
use crate::support::observed::Observed;

on_each_database!(
    fault_s12_a_body_of_more_than_256_kib_is_refused_and_not_parked,
    fault_s12_beyond_10000_letters_nothing_is_parked_and_the_sender_tries_again,
    fault_s12_what_is_parked_is_deleted_after_30_days,
);

const DAY: Duration = Duration::from_secs(24 * 3600);

async fn fault_s12_a_body_of_more_than_256_kib_is_refused_and_not_parked(db: DatabaseConnection) {
    let desk = Desk::open(&db).await;
    let of_length = |length: usize| {
        let body = unusable()[0].to_string();
        let padding = " ".repeat(length - body.len());
        format!("{body}{padding}")
    };
    assert_eq!(desk.post_text("msg_1", &of_length(256 * 1024 + 1)).await.status(), 500);
    assert_eq!(desk.letters().await, []);
    assert_eq!(desk.post_text("msg_2", &of_length(256 * 1024)).await.status(), 204);
    assert_eq!(desk.sink.parked_body("msg_2").await.unwrap().unwrap().len(), 256 * 1024);

    // The same for a row that the database refuses.
    desk.refuse_equal_addresses().await;
    assert_eq!(desk.post("msg_3", &user_created("user_1", Some("a@x.y"), T)).await.status(), 204);
    let mut body = user_created("user_2", Some("a@x.y"), T);
    body["data"]["unsafe_metadata"] = json!({ "x": "x".repeat(256 * 1024) });
    for _ in 0..2 {
        assert_eq!(desk.post("msg_4", &body).await.status(), 500);
        desk.clock.advance(HOUR);
    }
    assert_eq!(desk.only().await.id, "msg_2");
}

/// Fills the table with so many letters, as old as the clock is.
async fn fill(desk: &Desk, letters: usize) {
    let (time, body) = match desk.db.get_database_backend() {
        DbBackend::MySql => ("'2022-04-07 21:39:13'", "'{}'"),
        DbBackend::Postgres => ("'2022-04-07 21:39:13Z'", "'{}'"),
        _ => ("'2022-04-07T21:39:13+00:00'", "x'7b7d'"),
    };
    let rows: Vec<String> = (0..letters)
        .map(|n| format!("('msg_{n:05}', 'user.created', {time}, {time}, 'x', {body})"))
        .collect();
    for rows in rows.chunks(500) {
        let sql = format!(
            "INSERT INTO clerk_dead_letters (id, kind, failed_at, parked_at, reason, body) VALUES {}",
            rows.join(", ")
        );
        desk.db.execute_unprepared(&sql).await.unwrap();
    }
}

async fn fault_s12_beyond_10000_letters_nothing_is_parked_and_the_sender_tries_again(
    db: DatabaseConnection,
) {
    let desk = Desk::open(&db).await;
    fill(&desk, 9_999).await;
    let rush = (0..6).map(|n| {
        let (service, now) = (desk.service.clone(), desk.clock.now());
        let body = unusable()[1].to_string();
        tokio::spawn(async move {
            let delivery = SignedDelivery::new(&secret(), &format!("msg_rush_{n}"), now, body);
            send(&service, delivery.into_request()).await.status()
        })
    });
    let mut answers = Vec::new();
    for answer in rush.collect::<Vec<_>>() {
        answers.push(answer.await.unwrap());
    }
    answers.sort_unstable();
    assert_eq!(answers, [204, 503, 503, 503, 503, 503]);
    assert_eq!(desk.sink.count_parked().await.unwrap(), 10_000);
    let answer = desk.post("msg_late", &unusable()[1]).await;
    assert_eq!(answer.refusal(), DeliveryErrorKind::SinkUnavailable);

    // What is parked already stays acknowledged, and room is room.
    assert_eq!(desk.post("msg_00000", &unusable()[1]).await.status(), 204);
    assert!(desk.sink.drop_parked("msg_00000").await.unwrap());
    assert_eq!(desk.post("msg_late", &unusable()[1]).await.status(), 204);
}

async fn fault_s12_what_is_parked_is_deleted_after_30_days(db: DatabaseConnection) {
    let desk = Desk::open(&db).await;
    assert_eq!(desk.post("msg_1", &unusable()[1]).await.status(), 204);
    desk.clock.advance(DAY);
    assert_eq!(desk.post("msg_2", &unusable()[1]).await.status(), 204);
    desk.clock.advance(29 * DAY);
    assert_eq!(desk.sink.forget_deliveries(365 * DAY).await.unwrap(), 0);
    assert_eq!(desk.letters().await.len(), 2);
    desk.clock.advance(Duration::from_secs(1));
    assert_eq!(desk.sink.forget_deliveries(365 * DAY).await.unwrap(), 0);
    assert_eq!(desk.only().await.id, "msg_2");
    // Nobody has to call it: the next one to be kept makes room as well.
    desk.clock.advance(DAY);
    assert_eq!(desk.post("msg_3", &unusable()[1]).await.status(), 204);
    assert_eq!(desk.only().await.id, "msg_3");
}

#[tokio::test]
async fn fault_s12_operators_are_told_what_is_parked_and_what_could_not_be() {
    let observed = Observed::start();
    run(Backend::Sqlite, "operators_are_told", |db: DatabaseConnection| async move {
        let desk = Desk::open(&db).await;
        assert_eq!(desk.post("msg_1", &unusable()[0]).await.status(), 204);
        // A repeated try is no news.
        assert_eq!(desk.post("msg_1", &unusable()[0]).await.status(), 204);
        let long = format!("{}{}", unusable()[0], " ".repeat(256 * 1024));
        assert_eq!(desk.post_text("msg_2", &long).await.status(), 500);
        fill(&desk, 9_999).await;
        assert_eq!(desk.post("msg_3", &unusable()[0]).await.status(), 503);
        assert_eq!(desk.sink.count_parked().await.unwrap(), 10_000);
    })
    .await;
    let metrics = observed.metrics();
    let parked = "clerk_webhook_parked_total{event=organizationMembership.created}";
    assert_eq!(metrics[parked], 1.0);
    assert_eq!(metrics["clerk_webhook_unparked_total{reason=too_large}"], 1.0);
    assert_eq!(metrics["clerk_webhook_unparked_total{reason=full}"], 1.0);
    assert_eq!(metrics["clerk_webhook_dead_letters{}"], 10_000.0);
    let text = observed.text();
    assert_eq!(text.matches("WARN tower_clerk::sea_orm::letters").count(), 1, "{text}");
    assert_eq!(text.matches("ERROR tower_clerk::sea_orm::letters").count(), 2, "{text}");
    assert!(!text.contains("canary"), "{text}");
}
