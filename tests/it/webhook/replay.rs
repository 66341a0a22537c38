//! Delivery ids that come again, honestly and not, with a database behind the service.

use sea_orm::DatabaseConnection;
use serde_json::{Value, json};
use tower_clerk::sea_orm::{SeaOrmSink, migrate};
use tower_clerk::secret::SigningSecret;
use tower_clerk::test_util::{SignedDelivery, user_created, user_deleted};
use tower_clerk::webhook::WebhookService;

use crate::support::database::{self, Backend, count};
use crate::support::delivery::{NOW, OTHER_SECRET, at, builder, clock, send, signed};

type Service = WebhookService<SeaOrmSink>;

async fn on_each<F>(
    name: &str,
    test: impl Fn(DatabaseConnection, Service) -> F + Copy + Send + 'static,
) where
    F: Future<Output = ()> + Send,
{
    for backend in [Backend::Sqlite, Backend::Postgres] {
        database::run(backend, name, move |db| async move {
            migrate(&db).await.unwrap();
            let sink = SeaOrmSink::new(db.clone()).unwrap().clock(clock());
            test(db, builder(sink).build().unwrap()).await;
        })
        .await;
    }
}

async fn post(service: &Service, id: &str, body: &Value) -> u16 {
    send(service, signed(id, body).into_request()).await.status()
}

async fn email(service: &Service) -> Option<String> {
    service.sink().find_user("user_1").await.unwrap().and_then(|user| user.email)
}

#[tokio::test(flavor = "multi_thread")]
async fn e23_a_deletion_that_names_nobody_deletes_nobody() {
    on_each("e23", |db, service| async move {
        for id in ["user_1", "user_2"] {
            assert_eq!(post(&service, id, &user_created(id, None, 1)).await, 204);
        }
        for (id, data) in [
            ("msg_1", json!({ "deleted": true })),
            ("msg_2", json!({ "id": null, "deleted": true })),
            ("msg_3", json!({ "id": "", "deleted": true })),
            ("msg_4", json!({ "id": "%", "deleted": true })),
            ("msg_5", json!({ "id": ["user_1"], "deleted": true })),
            ("msg_6", json!(null)),
        ] {
            let body = json!({ "type": "user.deleted", "data": data });
            assert_eq!(post(&service, id, &body).await, 204, "{body}");
        }
        assert_eq!(count(&db, "users").await, 2);
        assert_eq!(count(&db, "clerk_dead_letters").await, 6);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn e25_a_user_of_nothing_but_nulls_is_a_row_and_the_primary_address_is_the_named_one() {
    on_each("e25", |_, service| async move {
        let mut body = user_created("user_1", None, 1_649_367_000_000);
        for (_, member) in body["data"].as_object_mut().unwrap() {
            *member = json!(null);
        }
        body["data"]["id"] = json!("user_1");
        body["timestamp"] = json!(1_649_367_000);
        assert_eq!(post(&service, "msg_1", &body).await, 204);
        let user = service.sink().find_user("user_1").await.unwrap().unwrap();
        assert_eq!((user.email, user.first_name, user.image_url), (None, None, None));

        let mut body = user_created("user_1", Some("second@example.com"), 1_649_367_500_000);
        let first = json!({ "id": "idn_0", "email_address": "first@example.com" });
        body["data"]["email_addresses"].as_array_mut().unwrap().insert(0, first);
        assert_eq!(post(&service, "msg_2", &body).await, 204);
        assert_eq!(email(&service).await.as_deref(), Some("second@example.com"));

        body["data"]["primary_email_address_id"] = json!("idn_gone");
        body["data"]["updated_at"] = json!(1_649_367_510_000_i64);
        assert_eq!(post(&service, "msg_3", &body).await, 204);
        assert_eq!(email(&service).await, None);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn e32_of_two_bodies_under_one_id_the_first_counts() {
    on_each("e32", |db, service| async move {
        let first = user_created("user_1", Some("first@example.com"), 1_649_367_000_000);
        let other = user_created("user_1", Some("other@example.com"), 1_649_367_001_000);
        for body in [&first, &other, &user_deleted("user_1"), &json!({ "type": "x.y" })] {
            assert_eq!(post(&service, "msg_1", body).await, 204);
        }
        assert_eq!(email(&service).await.as_deref(), Some("first@example.com"));
        assert_eq!(count(&db, "clerk_deliveries").await, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn e33_a_forgery_does_not_use_up_the_id_of_the_genuine_delivery() {
    on_each("e33", |db, service| async move {
        let body = user_created("user_1", Some("ann@example.com"), 1_649_367_000_000);
        let other = SigningSecret::parse(OTHER_SECRET).unwrap();
        let forged = SignedDelivery::new(&other, "msg_1", at(NOW), body.to_string());
        assert_eq!(send(&service, forged.into_request()).await.status(), 400);
        // Authentic, and yet nothing that can be taken in: it is parked, and records nothing.
        assert_eq!(post(&service, "msg_1", &json!({ "type": "user.created" })).await, 204);
        assert_eq!(count(&db, "clerk_deliveries").await, 0);

        assert_eq!(post(&service, "msg_1", &body).await, 204);
        assert_eq!(email(&service).await.as_deref(), Some("ann@example.com"));
    })
    .await;
}
