//! Deliveries that can never be taken: which of them are noted and parked, and what operators do with
//! them.

mod cut;
mod limits;
mod operators;
mod races;

use std::sync::Arc;
use std::time::Duration;

use sea_orm::{ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr};
use serde_json::{Value, json};
use tower_clerk::clock::Clock as _;
use tower_clerk::sea_orm::{DeadLetter, InTransaction, Schema, SeaOrmSink};
use tower_clerk::test_util::{
    ManualClock, SignedDelivery, user_created, user_deleted, user_updated,
};
use tower_clerk::webhook::{Delivery, DeliveryErrorKind, Outcome, WebhookService};

use crate::support::database::{count, on_each_database};
use crate::support::delivery::{Answer, clock, secret, send};

on_each_database!(
    fault_s12_what_cannot_be_read_is_parked_at_once,
    fault_s12_a_row_that_the_database_refuses_is_noted_and_parked_after_an_hour,
    fault_s12_a_success_removes_the_note,
    fault_s12_a_hooks_error_is_never_parked,
    fault_s12_a_missing_table_is_never_parked,
    fault_s12_dead_letters_can_be_switched_off,
    fault_s12_what_is_parked_of_a_user_goes_with_the_user,
    fault_s12_nothing_is_parked_of_another_instance,
    fault_s12_a_delivery_that_is_fine_asks_nothing_of_the_letters,
);

const T: i64 = 1_649_360_000_000;
const HOUR: Duration = Duration::from_secs(3600);

/// A sink behind a service, on tables that it shares, with one clock.
struct Desk {
    db: DatabaseConnection,
    clock: Arc<ManualClock>,
    sink: SeaOrmSink,
    service: WebhookService<SeaOrmSink>,
}

impl Desk {
    async fn open(db: &DatabaseConnection) -> Self {
        Self::with(db, |sink| sink).await
    }

    async fn with(db: &DatabaseConnection, change: impl FnOnce(SeaOrmSink) -> SeaOrmSink) -> Self {
        let schema = Schema::new().with_organizations();
        schema.migrate(db).await.unwrap();
        let clock = clock();
        let sink = SeaOrmSink::with_schema(db.clone(), schema).unwrap().clock(clock.clone());
        let sink = change(sink);
        let service = WebhookService::builder([secret()], sink.clone()).clock(clock.clone());
        Self { db: db.clone(), sink, service: service.build().unwrap(), clock }
    }

    async fn post(&self, id: &str, body: &Value) -> Answer {
        self.post_text(id, &body.to_string()).await
    }

    async fn post_text(&self, id: &str, body: &str) -> Answer {
        let delivery = SignedDelivery::new(&secret(), id, self.clock.now(), body.to_owned());
        send(&self.service, delivery.into_request()).await
    }

    async fn letters(&self) -> Vec<DeadLetter> {
        self.sink.parked(100, None).await.unwrap()
    }

    /// The only letter there is.
    async fn only(&self) -> DeadLetter {
        let mut letters = self.letters().await;
        assert_eq!(letters.len(), 1, "{letters:?}");
        letters.remove(0)
    }

    /// Makes every second user with the same address unacceptable.
    async fn refuse_equal_addresses(&self) {
        let column = match self.db.get_database_backend() {
            DbBackend::MySql => "email(100)",
            _ => "email",
        };
        let sql = format!("CREATE UNIQUE INDEX one_address ON users ({column})");
        self.db.execute_unprepared(&sql).await.unwrap();
    }

    async fn accept_equal_addresses(&self) {
        let sql = match self.db.get_database_backend() {
            DbBackend::MySql => "DROP INDEX one_address ON users",
            _ => "DROP INDEX one_address",
        };
        self.db.execute_unprepared(sql).await.unwrap();
    }
}

fn unusable() -> Vec<Value> {
    serde_json::from_str(include_str!("../../../vectors/unusable_events.json")).unwrap()
}

/// A letter says nothing of what is in its body.
fn says_no_data(letter: &DeadLetter) {
    assert!(!format!("{letter:?}{letter}").contains("canary"), "{letter:?}");
    assert!(!letter.reason.is_empty());
}

async fn fault_s12_what_cannot_be_read_is_parked_at_once(db: DatabaseConnection) {
    let desk = Desk::open(&db).await;
    for (n, body) in unusable().iter().enumerate() {
        let id = format!("msg_{n}");
        // As it was signed, to the byte.
        let text = format!(" {body}\n");
        for _ in 0..2 {
            let answer = desk.post_text(&id, &text).await;
            assert_eq!(answer.status(), 204, "{body} {:?}", answer.body);
        }
        let letters = desk.letters().await;
        assert_eq!(letters.len(), n + 1);
        let letter = &letters[n];
        assert_eq!((&*letter.id, &*letter.kind), (&*id, body["type"].as_str().unwrap()));
        assert_eq!(letter.instance_id.as_deref(), body["instance_id"].as_str());
        assert_eq!(letter.user_id.as_deref(), body["data"]["public_user_data"]["user_id"].as_str());
        assert_eq!(letter.failed_at, desk.clock.now());
        assert_eq!(letter.parked_at, Some(desk.clock.now()));
        says_no_data(letter);
        let kept = desk.sink.parked_body(&id).await.unwrap().unwrap();
        assert_eq!(kept, text.as_bytes());
    }
    assert_eq!(count(&db, "clerk_deliveries").await, 0);
    assert_eq!(count(&db, "users").await, 0);
    // What is no event at all names no type that the sink acts on.
    for text in ["", "[]", "{}", "{\"type\":\"user.created\""] {
        let answer = desk.post_text("msg_x", text).await;
        assert_eq!(answer.refusal(), DeliveryErrorKind::InvalidEvent, "{text}");
    }
    assert_eq!(desk.letters().await.len(), unusable().len());
}

async fn fault_s12_a_row_that_the_database_refuses_is_noted_and_parked_after_an_hour(
    db: DatabaseConnection,
) {
    let desk = Desk::open(&db).await;
    desk.refuse_equal_addresses().await;
    assert_eq!(
        desk.post("msg_1", &user_created("user_1", Some("canary@x.y"), T)).await.status(),
        204
    );
    let second = user_created("user_2", Some("canary@x.y"), T);
    let begin = desk.clock.now();
    for (after, status, parked) in
        [(0, 500, None), (5, 500, None), (3594, 500, None), (1, 204, Some(3600))]
    {
        desk.clock.advance(Duration::from_secs(after));
        let answer = desk.post("msg_2", &second).await;
        assert_eq!(answer.status(), status, "after {after} s more");
        let letter = desk.only().await;
        assert_eq!((&*letter.id, &*letter.kind), ("msg_2", "user.created"));
        assert_eq!(letter.user_id.as_deref(), Some("user_2"));
        assert_eq!(letter.failed_at, begin);
        assert_eq!(letter.parked_at, parked.map(|at| begin + Duration::from_secs(at)));
        says_no_data(&letter);
    }
    // Once it is parked it stays so, without another hour.
    assert_eq!(desk.post("msg_2", &second).await.status(), 204);
    let kept = desk.sink.parked_body("msg_2").await.unwrap().unwrap();
    assert_eq!(kept, second.to_string());
    assert_eq!((count(&db, "users").await, count(&db, "clerk_deliveries").await), (1, 1));
}

async fn fault_s12_a_success_removes_the_note(db: DatabaseConnection) {
    let desk = Desk::open(&db).await;
    desk.refuse_equal_addresses().await;
    assert_eq!(desk.post("msg_1", &user_created("user_1", Some("a@x.y"), T)).await.status(), 204);
    let mut second = user_created("user_2", Some("a@x.y"), T);
    second["timestamp"] =
        json!(desk.clock.now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as u64);
    assert_eq!(desk.post("msg_2", &second).await.status(), 500);
    desk.only().await;
    desk.accept_equal_addresses().await;
    desk.clock.advance(Duration::from_secs(5));
    // Another server, which has noted nothing itself.
    let other = Desk::open(&db).await;
    other.clock.set_wall(desk.clock.now());
    assert_eq!(other.post("msg_2", &second).await.status(), 204);
    assert_eq!(desk.letters().await, []);
    assert_eq!(count(&db, "users").await, 2);
}

/// Adds a row that the database refuses the second time.
struct Once;

impl InTransaction for Once {
    async fn run(&self, tx: &DatabaseTransaction, _: &Delivery, _: Outcome) -> Result<(), DbErr> {
        tx.execute_unprepared("INSERT INTO once VALUES (1)").await.map(drop)
    }
}

async fn fault_s12_a_hooks_error_is_never_parked(db: DatabaseConnection) {
    db.execute_unprepared("CREATE TABLE once (id INTEGER PRIMARY KEY)").await.unwrap();
    db.execute_unprepared("INSERT INTO once VALUES (1)").await.unwrap();
    let desk = Desk::with(&db, |sink| sink.with_hook(Once)).await;
    let code = json!({ "type": "email.created", "data": { "otp_code": "424242" } });
    for _ in 0..3 {
        for (id, body) in [("msg_1", &user_created("user_1", None, T)), ("msg_2", &code)] {
            assert_eq!(desk.post(id, body).await.status(), 500);
        }
        desk.clock.advance(HOUR);
    }
    assert_eq!(desk.letters().await, []);
    // The sink's own row is refused beside a hook all the same.
    desk.refuse_equal_addresses().await;
    db.execute_unprepared("DELETE FROM once").await.unwrap();
    assert_eq!(desk.post("msg_1", &user_created("user_1", Some("a@x.y"), T)).await.status(), 204);
    db.execute_unprepared("DELETE FROM once").await.unwrap();
    assert_eq!(desk.post("msg_3", &user_created("user_2", Some("a@x.y"), T)).await.status(), 500);
    assert_eq!(desk.only().await.id, "msg_3");
}

async fn fault_s12_a_missing_table_is_never_parked(db: DatabaseConnection) {
    let desk = Desk::open(&db).await;
    db.execute_unprepared("ALTER TABLE users RENAME TO elsewhere").await.unwrap();
    for _ in 0..3 {
        for body in [user_created("user_1", None, T), user_deleted("user_1")] {
            assert_eq!(desk.post("msg_1", &body).await.status(), 500);
        }
        desk.clock.advance(HOUR);
    }
    assert_eq!(desk.letters().await, []);
}

async fn fault_s12_dead_letters_can_be_switched_off(db: DatabaseConnection) {
    let desk = Desk::with(&db, SeaOrmSink::without_dead_letters).await;
    desk.refuse_equal_addresses().await;
    assert_eq!(desk.post("msg_1", &user_created("user_1", Some("a@x.y"), T)).await.status(), 204);
    for _ in 0..3 {
        let second = user_created("user_2", Some("a@x.y"), T);
        assert_eq!(desk.post("msg_2", &second).await.status(), 500);
        let answer = desk.post("msg_3", &unusable()[0]).await;
        assert_eq!((answer.status(), answer.refusal()), (400, DeliveryErrorKind::InvalidEvent));
        desk.clock.advance(HOUR);
    }
    assert_eq!(desk.letters().await, []);
}

async fn fault_s12_what_is_parked_of_a_user_goes_with_the_user(db: DatabaseConnection) {
    let desk = Desk::open(&db).await;
    let of = |user: &str| {
        let mut body = unusable().remove(0);
        body["data"]["public_user_data"]["user_id"] = json!(user);
        body
    };
    for (id, user) in [("msg_1", "user_1"), ("msg_2", "user_2"), ("msg_3", "user_1")] {
        assert_eq!(desk.post(id, &of(user)).await.status(), 204);
    }
    desk.refuse_equal_addresses().await;
    assert_eq!(desk.post("msg_4", &user_created("user_3", Some("a@x.y"), T)).await.status(), 204);
    assert_eq!(desk.post("msg_5", &user_updated("user_1", Some("a@x.y"), T)).await.status(), 500);
    assert_eq!(desk.letters().await.len(), 4);

    assert_eq!(desk.post("msg_6", &user_deleted("user_1")).await.status(), 204);
    assert_eq!(desk.only().await.id, "msg_2");
    // What comes after the deletion is acknowledged, and nothing of it is kept.
    assert_eq!(desk.post("msg_7", &of("user_1")).await.status(), 204);
    assert_eq!(desk.post("msg_5", &user_updated("user_1", Some("a@x.y"), T)).await.status(), 204);
    assert_eq!(desk.only().await.id, "msg_2");
}

async fn fault_s12_nothing_is_parked_of_another_instance(db: DatabaseConnection) {
    let desk = Desk::open(&db).await;
    let own = WebhookService::builder([secret()], desk.sink.clone()).clock(desk.clock.clone());
    let own = own.instance_id("ins_own").build().unwrap();
    for instance in ["ins_123", "ins_other"] {
        let mut body = unusable().remove(0);
        body["instance_id"] = json!(instance);
        let delivery = SignedDelivery::new(&secret(), "msg_1", desk.clock.now(), body.to_string());
        assert_eq!(send(&own, delivery.into_request()).await.status(), 204);
    }
    assert_eq!(desk.letters().await, []);
}

async fn fault_s12_a_delivery_that_is_fine_asks_nothing_of_the_letters(db: DatabaseConnection) {
    let desk = Desk::open(&db).await;
    db.execute_unprepared("DROP TABLE clerk_dead_letters").await.unwrap();
    let now = desk.clock.now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    for (n, mut body) in [
        user_created("user_1", Some("a@x.y"), T),
        user_updated("user_1", Some("b@x.y"), T + 1),
        user_updated("user_1", Some("c@x.y"), T),
    ]
    .into_iter()
    .enumerate()
    {
        body["timestamp"] = json!(u64::try_from(now).unwrap());
        assert_eq!(desk.post(&format!("msg_{n}"), &body).await.status(), 204);
    }
}
