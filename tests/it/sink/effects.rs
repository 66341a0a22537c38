//! What a delivery did to its record's row, and who is new to an application: each user once, whatever
//! comes first.

use std::sync::{Arc, Mutex};

use sea_orm::prelude::DateTimeUtc;
use sea_orm::sea_query::Query;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, Statement,
};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tower_clerk::backfill::{Run, Target, UserPage};
use tower_clerk::sea_orm::{InTransaction, Schema, SeaOrmSink, UserStatus, migrate};
use tower_clerk::test_util::{user_created, user_deleted, user_updated};
use tower_clerk::webhook::{Delivery, Effect, Event, Outcome, Sink, SinkError, User};

use crate::sink::organizations::{membership_event, organization_deleted, organization_event};
use crate::sink::states::orders;
use crate::support::database::{Place, count, on_database, on_each_database, on_each_place};
use crate::support::delivery::{Recorder, builder, send, signed};

on_each_database!(
    fault_s10_the_outcome_says_what_became_of_the_users_row,
    fault_s10_the_outcome_says_what_became_of_the_row_of_an_organization_or_a_membership,
    fault_s10_each_user_is_new_once_whatever_comes_first,
);
mod at_once {
    use super::fault_s10_each_user_is_new_once_to_two_instances_at_once;

    super::on_each_place!(fault_s10_each_user_is_new_once_to_two_instances_at_once);
}
mod partitioned {
    super::on_database!(Postgres: fault_s10_a_partitioned_tables_rows_are_told_apart);
}

const T: i64 = 1_649_360_000_000;

const INSERTED: Outcome = Outcome::Applied(Effect::Inserted);
const UPDATED: Outcome = Outcome::Applied(Effect::Updated);
const DELETED: Outcome = Outcome::Applied(Effect::Deleted);

/// The sink, and the outcomes of its deliveries.
#[derive(Clone)]
struct Noting {
    sink: SeaOrmSink,
    outcomes: Arc<Mutex<Vec<Outcome>>>,
}

impl Sink for Noting {
    async fn apply(&self, delivery: &Delivery) -> Result<Outcome, SinkError> {
        let outcome = self.sink.apply(delivery).await?;
        self.outcomes.lock().unwrap().push(outcome);
        Ok(outcome)
    }
}

impl Noting {
    fn new(sink: SeaOrmSink) -> Self {
        Self { sink, outcomes: Arc::default() }
    }

    async fn post(&self, id: &str, body: &Value) -> Outcome {
        let service = builder(self.clone()).build().unwrap();
        assert_eq!(send(&service, signed(id, body).into_request()).await.status(), 204, "{id}");
        self.outcomes.lock().unwrap().pop().unwrap()
    }
}

async fn fault_s10_the_outcome_says_what_became_of_the_users_row(db: DatabaseConnection) {
    migrate(&db).await.unwrap();
    let own_row = "INSERT INTO users (id, created_at, updated_at) \
        VALUES ('plain_own', '2024-01-01 00:00:00', '2024-01-01 00:00:00'), \
        ('cast_own', '2024-01-01 00:00:00', '2024-01-01 00:00:00')";
    db.execute_unprepared(own_row).await.unwrap();
    users_rows_are_told_apart(&db, "plain", Schema::new()).await;

    // With a value for which PostgreSQL gets a statement for each step.
    let time = match db.get_database_backend() {
        DbBackend::Postgres => "timestamptz",
        _ => "datetime",
    };
    let add = format!("ALTER TABLE users ADD COLUMN asked_at {time}");
    db.execute_unprepared(&add).await.unwrap();
    let asked_at = DateTimeUtc::from_timestamp_secs(1_700_000_000).unwrap().fixed_offset();
    let schema = Schema::new().user_column("asked_at", move |_| asked_at.into());
    users_rows_are_told_apart(&db, "cast", schema).await;
}

async fn users_rows_are_told_apart(db: &DatabaseConnection, of: &str, schema: Schema) {
    let sink = SeaOrmSink::with_schema(db.clone(), schema).unwrap();
    let noting = Noting::new(sink.clone());
    let user = |n: &str| format!("{of}_{n}");
    let (late, asked, gone, removed, own) =
        (user("late"), user("asked"), user("gone"), user("removed"), user("own"));
    for (number, (body, expected)) in [
        (user_updated(&late, None, T + 1), INSERTED),
        (user_created(&late, None, T), Outcome::Stale),
        (user_updated(&late, None, T + 2), UPDATED),
        (user_deleted(&late), DELETED),
        (user_deleted(&late), Outcome::Stale),
        (user_updated(&late, None, T + 3), Outcome::Stale),
        (user_deleted(&gone), DELETED),
        (user_created(&gone, None, T), Outcome::Stale),
        (user_created(&own, None, T), UPDATED),
        (user_created(&removed, None, T), INSERTED),
    ]
    .into_iter()
    .enumerate()
    {
        let id = format!("msg_{of}_{number}");
        assert_eq!(noting.post(&id, &body).await, expected, "{id}");
        assert_eq!(noting.post(&id, &body).await, Outcome::Duplicate, "{id}");
    }
    sink.ensure_user(&asked).await.unwrap();
    let first = user_created(&asked, None, T);
    assert_eq!(noting.post(&format!("msg_{of}_asked"), &first).await, UPDATED);

    db.execute_unprepared(&format!("DELETE FROM users WHERE id = '{removed}'")).await.unwrap();
    let next = user_updated(&removed, None, T + 1);
    assert_eq!(noting.post(&format!("msg_{of}_removed"), &next).await, INSERTED);
    let other = json!({ "type": "session.created", "data": null });
    assert_eq!(noting.post(&format!("msg_{of}_other"), &other).await, Outcome::Ignored);
}

async fn fault_s10_the_outcome_says_what_became_of_the_row_of_an_organization_or_a_membership(
    db: DatabaseConnection,
) {
    let schema = Schema::new().with_organizations();
    schema.migrate(&db).await.unwrap();
    let noting = Noting::new(SeaOrmSink::with_schema(db, schema).unwrap());
    let member = |kind, version| membership_event(kind, "orgmem_1", "org_2", "user_1", version);
    for (number, (body, expected)) in [
        (organization_event("updated", "org_1", 1), INSERTED),
        (organization_event("created", "org_1", 0), Outcome::Stale),
        (organization_event("updated", "org_1", 2), UPDATED),
        (organization_deleted("org_1"), DELETED),
        (member("updated", 1), INSERTED),
        // Both have had rows since then.
        (organization_event("created", "org_2", 0), UPDATED),
        (user_created("user_1", None, T), UPDATED),
        (member("created", 0), Outcome::Stale),
        (member("updated", 2), UPDATED),
        (member("deleted", 2), DELETED),
        (member("updated", 3), Outcome::Stale),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(noting.post(&format!("msg_{number}"), &body).await, expected, "{number}");
    }
}

async fn fault_s10_a_partitioned_tables_rows_are_told_apart(db: DatabaseConnection) {
    migrate(&db).await.unwrap();
    for statement in [
        "ALTER TABLE users RENAME TO part",
        "ALTER INDEX users_pkey RENAME TO part_pkey",
        "CREATE TABLE users (LIKE part INCLUDING ALL) PARTITION BY HASH (id)",
        "ALTER TABLE users ATTACH PARTITION part FOR VALUES WITH (MODULUS 1, REMAINDER 0)",
        "INSERT INTO users (id, created_at, updated_at) VALUES ('plain_own', now(), now())",
    ] {
        db.execute_unprepared(statement).await.unwrap();
    }
    Schema::new().check(&db).await.unwrap();
    users_rows_are_told_apart(&db, "plain", Schema::new()).await;
}

/// Gives each user settings, as the documentation shows.
#[derive(Clone)]
struct Settings;

impl Settings {
    async fn create(&self, tx: &DatabaseTransaction, user_id: &str) -> Result<(), DbErr> {
        let mut insert = Query::insert();
        insert.into_table("settings").columns(["user_id"]).values_panic([user_id.into()]);
        tx.execute(&insert).await.map(drop)
    }
}

impl InTransaction for Settings {
    async fn run(
        &self,
        tx: &DatabaseTransaction,
        delivery: &Delivery,
        outcome: Outcome,
    ) -> Result<(), DbErr> {
        match (delivery.event(), outcome) {
            (Event::UserCreated(user) | Event::UserUpdated(user), INSERTED) => {
                self.create(tx, &user.id).await
            }
            _ => Ok(()),
        }
    }

    async fn ensured(&self, tx: &DatabaseTransaction, user_id: &str) -> Result<(), DbErr> {
        self.create(tx, user_id).await
    }

    async fn backfilled(
        &self,
        tx: &DatabaseTransaction,
        users: &[(&User, Effect)],
    ) -> Result<(), DbErr> {
        for (user, effect) in users {
            if *effect == Effect::Inserted {
                self.create(tx, &user.id).await?;
            }
        }
        Ok(())
    }
}

async fn with_settings(db: &DatabaseConnection) -> SeaOrmSink {
    migrate(db).await.unwrap();
    // Without a key, so that a second row of one user is seen and not refused.
    db.execute_unprepared("CREATE TABLE IF NOT EXISTS settings (user_id VARCHAR(99))")
        .await
        .unwrap();
    SeaOrmSink::new(db.clone()).unwrap().with_hook(Settings)
}

/// Returns how many settings a user has.
async fn settings_of(db: &DatabaseConnection, user: &str) -> i64 {
    count(db, &format!("settings WHERE user_id = '{user}'")).await
}

/// Lets a user become known in one way: by a delivery, or as the word says.
async fn become_known(sink: &SeaOrmSink, user: &str, way: &Value) {
    match way.as_str() {
        Some("ensured") => {
            sink.ensure_user(user).await.unwrap();
        }
        Some(_) => {
            let run = Run::new("ins_1");
            sink.write(UserPage::new(&[listed(user).await]), &run).await.unwrap();
        }
        None => {
            let id = format!("msg_{user}_{}_{}", way["type"], way["data"]["updated_at"]);
            let id = id.replace(['"', '.'], "");
            let service = builder(sink.clone()).build().unwrap();
            for _ in 0..2 {
                assert_eq!(send(&service, signed(&id, way).into_request()).await.status(), 204);
            }
        }
    }
}

/// Returns a user as a list of Clerk's has them, in a state between the others of these tests.
async fn listed(user: &str) -> User {
    let recorder = Arc::new(Recorder::default());
    let service = builder(Arc::clone(&recorder)).build().unwrap();
    let body = user_updated(user, None, T + 1);
    assert_eq!(send(&service, signed("msg", &body).into_request()).await.status(), 204);
    match recorder.only().event() {
        Event::UserUpdated(user) => user.clone(),
        other => panic!("{other:?}"),
    }
}

async fn fault_s10_each_user_is_new_once_whatever_comes_first(db: DatabaseConnection) {
    let sink = with_settings(&db).await;
    for n in 0..24 {
        let user = format!("stays_{n}");
        let ways = [
            user_created(&user, None, T),
            user_updated(&user, None, T + 2),
            json!("ensured"),
            json!("backfilled"),
        ];
        for (step, way) in orders(&ways)[n].iter().enumerate() {
            become_known(&sink, &user, way).await;
            assert_eq!(settings_of(&db, &user).await, 1, "{user} after step {step}");
        }

        let user = format!("goes_{n}");
        let ways = [
            user_updated(&user, None, T),
            json!("ensured"),
            json!("backfilled"),
            user_deleted(&user),
        ];
        let order = &orders(&ways)[n];
        for way in order {
            become_known(&sink, &user, way).await;
        }
        let never_there = order[0]["type"] == "user.deleted";
        assert_eq!(settings_of(&db, &user).await, i64::from(!never_there), "{user}");
        assert_eq!(sink.user_status(&user).await.unwrap(), UserStatus::Deleted);
    }
}

async fn fault_s10_each_user_is_new_once_to_two_instances_at_once(place: Place) {
    let pools = [place.pool(6).await, place.pool(6).await];
    let sinks = [with_settings(&pools[0]).await, with_settings(&pools[1]).await];
    for n in 0..20 {
        let user = format!("user_{n}");
        let mut at_once = JoinSet::new();
        for way in [
            user_created(&user, None, T),
            user_updated(&user, None, T + 2),
            user_updated(&user, None, T + 3),
            json!("ensured"),
            json!("backfilled"),
        ] {
            for sink in sinks.clone() {
                let (user, way) = (user.clone(), way.clone());
                at_once.spawn(async move { become_known(&sink, &user, &way).await });
            }
        }
        at_once.join_all().await;
    }
    let all = "SELECT COUNT(*), COUNT(DISTINCT user_id) FROM settings";
    let all = Statement::from_string(pools[0].get_database_backend(), all);
    let row = pools[0].query_one_raw(all).await.unwrap().unwrap();
    let counts: [i64; 2] = [0, 1].map(|column| row.try_get_by_index(column).unwrap());
    assert_eq!(counts, [20, 20]);
}
