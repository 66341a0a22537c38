//! The database goes away, is cut off, is held by somebody else or is slow: what becomes of
//! deliveries, with real servers.

mod busy;
mod cut;
mod failover;
mod held;
mod left;
mod pooler;
mod stopped;
mod types;

use std::time::Duration;

use sea_orm::sea_query::{Expr, ExprTrait, Query};
use sea_orm::{ConnectionTrait, DatabaseConnection, EntityTrait};
use serde_json::{Value, json};
use tower_clerk::sea_orm::{SeaOrmSink, migrate, user};
use tower_clerk::test_util::{user_created, user_updated};
use tower_clerk::webhook::WebhookService;

use crate::support::database::count;
use crate::support::delivery::{Answer, builder, send, signed};

/// Versions count upward from here, in milliseconds; a creation is version 0.
const T: i64 = 1_649_360_000_000;

type Service = WebhookService<SeaOrmSink>;

fn service(db: &DatabaseConnection, deadline: Duration) -> Service {
    let sink = SeaOrmSink::new(db.clone()).unwrap();
    builder(sink).deadline(deadline).build().unwrap()
}

/// A service on fresh tables.
async fn fresh_service(db: &DatabaseConnection, deadline: Duration) -> Service {
    migrate(db).await.unwrap();
    service(db, deadline)
}

/// Posts a delivery; there is an answer in time or the test fails.
async fn post(service: &Service, id: &str, body: &Value) -> Answer {
    let answer = send(service, signed(id, body).into_request());
    tokio::time::timeout(IN_TIME, answer).await.expect("an answer before Svix gives up")
}

/// Posts a delivery that must be put off until later: 503, and when to try again.
async fn put_off(service: &Service, id: &str, body: &Value) {
    let answer = post(service, id, body).await;
    assert_eq!(answer.status(), 503, "{id}");
    let seconds = answer.parts.headers["retry-after"].to_str().unwrap();
    assert!(seconds.parse::<u32>().unwrap() >= 1, "{seconds}");
    assert_eq!(answer.detail(), "Try again later");
}

async fn taken_in(service: &Service, id: &str, body: &Value) {
    assert_eq!(post(service, id, body).await.status(), 204, "{id}");
}

fn created(user: &str) -> Value {
    marked(user_created(user, Some(&email(0)), T), 0)
}

fn updated(user: &str, version: i64) -> Value {
    marked(user_updated(user, Some(&email(version)), T + version), version)
}

fn email(version: i64) -> String {
    format!("v{version}@example.com")
}

/// Every column tells which event it is from.
fn marked(mut body: Value, version: i64) -> Value {
    body["data"]["first_name"] = json!(format!("first {version}"));
    body["data"]["last_name"] = json!(format!("last {version}"));
    body
}

/// What the database knows of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    Nothing,
    Version(i64),
    Deleted,
}

/// Looks at a user's row and version; panics when they are not of one event.
async fn known(db: &DatabaseConnection, user: &str) -> Known {
    let row = user::Entity::find_by_id(user).one(db).await.unwrap();
    // Values apart from the statements: the drivers keep a hundred of those and close the others,
    // which takes MySQL's longer than everything else here.
    let mut select = Query::select();
    select.columns(["version", "deleted"]).from("clerk_user_versions");
    select.and_where(Expr::col("id").eq(user));
    let Some(version) = db.query_one(&select).await.unwrap() else {
        assert_eq!(row, None, "{user}: a row without a version");
        return Known::Nothing;
    };
    if version.try_get::<bool>("", "deleted").unwrap() {
        assert_eq!(row, None, "{user}: a row of somebody deleted");
        return Known::Deleted;
    }
    let version = version.try_get::<i64>("", "version").unwrap() - T;
    let row = row.expect(user);
    let columns = [row.email, row.first_name, row.last_name];
    let whole = [email(version), format!("first {version}"), format!("last {version}")];
    assert_eq!(columns, whole.map(Some), "{user}: not of one event");
    assert_eq!(row.updated_at.timestamp_millis(), T + version, "{user}");
    Known::Version(version)
}

/// Whether a delivery is recorded.
async fn is_recorded(db: &DatabaseConnection, id: &str) -> bool {
    let mut select = Query::select();
    select.column("id").from("clerk_deliveries").and_where(Expr::col("id").eq(id));
    db.query_one(&select).await.unwrap().is_some()
}

async fn is_empty(db: &DatabaseConnection) {
    for table in ["users", "clerk_user_versions", "clerk_deliveries"] {
        assert_eq!(count(db, table).await, 0, "{table}");
    }
}

/// Removes every row.
async fn clear(db: &DatabaseConnection) {
    for table in ["users", "clerk_user_versions", "clerk_deliveries"] {
        db.execute_unprepared(&format!("DELETE FROM {table}")).await.unwrap();
    }
}

/// Longer than any deadline here, shorter than Svix waits.
const IN_TIME: Duration = Duration::from_secs(14);
