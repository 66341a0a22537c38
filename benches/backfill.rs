//! The cost of a backfill compared with a handwritten multi-row upsert of the same rows, and its
//! memory. Prints tables; asserts nothing about time.
//!
//! The backfill and the handwritten upsert take turns, page by page, in one database.
//!
//! It uses SQLite, and the servers of `TEST_POSTGRES_URL` and `TEST_MYSQL_URL` if they are set.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark prints its results and stops on errors"
)]

mod support;

use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::Uri;
use axum::routing::get;
use axum::{Json, Router};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, DbErr, Statement, TransactionTrait, Value,
};
use serde_json::json;
use tower_clerk::backfill::{
    BackendApi, Backfill, Differences, Removal, Run, Target, UserPage, Written,
};
use tower_clerk::clock::{Clock, SystemClock};
use tower_clerk::sea_orm::{SeaOrmSink, migrate};
use tower_clerk::secret::SecretKey;
use tower_clerk::webhook::{SinkError, User};

use support::clerk::Clerk;
use support::database::{Place, TestDatabase, connect, places};
use support::turns::{Figures, Limit};

const USERS: u64 = 100_000;
const ROUNDS: usize = 3;
const PAGE: usize = 500;

fn main() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["clerk", users] => runtime.block_on(serve(users.parse().unwrap())),
        ["fill", api, database] => runtime.block_on(fill(api, database)),
        _ => runtime.block_on(compare()),
    }
}

async fn compare() {
    let (users, count) = if support::in_earnest() { (USERS, ROUNDS) } else { (1000, 1) };
    println!("{users} users, pages of {PAGE}, {count} times each; times are of one row");
    for place in places() {
        let (mut pages, mut wholes) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let written = by_pages(&place, users).await;
            let by_hand = written.iter().map(|page| page[0]).sum::<f64>() / written.len() as f64;
            pages.extend(written);
            let [whole, again] = whole(&place, users).await;
            wholes.push(vec![by_hand, whole, again]);
        }
        let names = ["by hand", "the backfill's writes"].map(str::to_owned).to_vec();
        let figures = Figures::new(&format!("pages, {}", place.name), names, pages);
        figures.beside("the backfill's writes", "by hand", Limit::None);
        let names = ["by hand", "whole backfill", "a second one"].map(str::to_owned).to_vec();
        let figures = Figures::new(&format!("backfill, {}", place.name), names, wholes);
        figures.beside("whole backfill", "by hand", Limit::None);
        figures.beside("a second one", "by hand", Limit::None);
    }
    println!("\n| users | peak memory of the process, SQLite |\n|---|---|");
    for users in [users / 10, users] {
        let clerk = Clerk::start(users);
        let database = TestDatabase::create(&places()[0]).await;
        println!("| {users} | {} |", filled(&clerk.url, &database.url));
        database.remove().await;
    }
}

/// Runs a backfill, and also writes each page by hand. Returns the nanoseconds per row, by hand and
/// by the backfill.
async fn by_pages(place: &Place, users: u64) -> Vec<Vec<f64>> {
    let (clerk, database) = (Clerk::start(users), TestDatabase::create(place).await);
    let db = connect(&database.url).await;
    migrate(&db).await.unwrap();
    create_by_hand(&db).await;
    let sink = SeaOrmSink::new(db.clone()).unwrap();
    let target = Arc::new(InTurn { sink, db: db.clone(), pages: Mutex::default() });
    let report = backfill(&clerk.url, target.clone()).run().await.unwrap();
    assert_eq!((report.users, report.written), (users, users));
    db.close().await.unwrap();
    database.remove().await;
    std::mem::take(&mut *target.pages.lock().unwrap())
}

/// Runs a backfill twice, the second time with nothing new. Returns the nanoseconds per row,
/// including HTTP and JSON.
async fn whole(place: &Place, users: u64) -> [f64; 2] {
    let (clerk, database) = (Clerk::start(users), TestDatabase::create(place).await);
    let (db, clock) = (connect(&database.url).await, SystemClock::new());
    migrate(&db).await.unwrap();
    let sink = Arc::new(SeaOrmSink::new(db.clone()).unwrap());
    let mut taken = [0.0; 2];
    for took in &mut taken {
        let start = clock.monotonic();
        let report = backfill(&clerk.url, sink.clone()).run().await.unwrap();
        *took = nanos_each(clock.monotonic() - start, report.users);
        assert_eq!((report.users, report.written + report.unchanged), (users, users));
    }
    db.close().await.unwrap();
    database.remove().await;
    taken
}

fn nanos_each(took: Duration, rows: u64) -> f64 {
    took.as_secs_f64() * 1e9 / rows as f64
}

fn backfill<T: Target>(api: &str, target: T) -> Backfill<T> {
    let key = SecretKey::parse("sk_test_bench").unwrap();
    // Clerk's rate limit is not measured.
    Backfill::new(BackendApi::new(api, &key).unwrap(), target).pace(Duration::ZERO)
}

/// The sink and the handwritten upsert, which alternate in being first with a page.
struct InTurn {
    sink: SeaOrmSink,
    db: DatabaseConnection,
    /// Nanoseconds per row, by hand and by the sink.
    pages: Mutex<Vec<Vec<f64>>>,
}

impl InTurn {
    async fn by_hand(&self, users: &[User]) -> f64 {
        let clock = SystemClock::new();
        let start = clock.monotonic();
        write_by_hand(&self.db, users).await.unwrap();
        nanos_each(clock.monotonic() - start, users.len() as u64)
    }
}

impl Target for InTurn {
    async fn runs(&self) -> Result<Vec<Run>, SinkError> {
        self.sink.runs().await
    }

    async fn write(&self, page: UserPage<'_>, run: &Run) -> Result<Written, SinkError> {
        let users = page.users;
        // After the last user comes an empty page.
        if users.is_empty() {
            return self.sink.write(page, run).await;
        }
        let hand_is_first = self.pages.lock().unwrap().len().is_multiple_of(2);
        let mut by_hand = 0.0;
        if hand_is_first {
            by_hand = self.by_hand(users).await;
        }
        let clock = SystemClock::new();
        let start = clock.monotonic();
        let written = self.sink.write(page, run).await;
        let own = nanos_each(clock.monotonic() - start, users.len() as u64);
        if !hand_is_first {
            by_hand = self.by_hand(users).await;
        }
        self.pages.lock().unwrap().push(vec![by_hand, own]);
        written
    }

    async fn compare(&self, page: UserPage<'_>) -> Result<Differences, SinkError> {
        self.sink.compare(page).await
    }

    async fn ids_after(&self, after: Option<&str>, limit: u32) -> Result<Vec<String>, SinkError> {
        self.sink.ids_after(after, limit).await
    }

    async fn rewrite(&self, page: UserPage<'_>, run: &Run) -> Result<Written, SinkError> {
        self.sink.rewrite(page, run).await
    }

    async fn created_after(&self, ids: &[String], time: i64) -> Result<Vec<String>, SinkError> {
        self.sink.created_after(ids, time).await
    }

    async fn remove(&self, user_id: &str) -> Result<Removal, SinkError> {
        self.sink.remove(user_id).await
    }
}

// --- by hand ------------------------------------------------------------------------------------

async fn create_by_hand(db: &DatabaseConnection) {
    let (id, text, time, more) = match db.get_database_backend() {
        DbBackend::MySql => {
            let more = "ENGINE InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin";
            ("VARCHAR(255)", "MEDIUMTEXT", "DATETIME(6)", more)
        }
        DbBackend::Postgres => ("TEXT", "TEXT", "TIMESTAMPTZ", ""),
        _ => ("TEXT", "TEXT", "TEXT", ""),
    };
    let sql = format!(
        "CREATE TABLE by_hand (id {id} NOT NULL PRIMARY KEY, email {text}, first_name {text}, \
         last_name {text}, username {text}, image_url {text}, created_at {time} NOT NULL, \
         updated_at {time} NOT NULL) {more}"
    );
    db.execute_unprepared(&sql).await.unwrap();
}

/// Writes a page with one statement in one transaction, which is correct if nothing else writes.
async fn write_by_hand(db: &DatabaseConnection, page: &[User]) -> Result<(), DbErr> {
    let backend = db.get_database_backend();
    let mut number = 0;
    let mut row = || {
        let marks: Vec<String> = (0..8)
            .map(|_| {
                number += 1;
                match backend {
                    DbBackend::Postgres => format!("${number}"),
                    _ => "?".to_owned(),
                }
            })
            .collect();
        format!("({})", marks.join(","))
    };
    let rows: Vec<String> = page.iter().map(|_| row()).collect();
    let columns =
        ["email", "first_name", "last_name", "username", "image_url", "created_at", "updated_at"];
    let assign = |column: &&str| match backend {
        DbBackend::MySql => format!("{column} = VALUES({column})"),
        _ => format!("{column} = excluded.{column}"),
    };
    let assignments: Vec<String> = columns.iter().map(assign).collect();
    let conflict = match backend {
        DbBackend::MySql => "ON DUPLICATE KEY UPDATE",
        _ => "ON CONFLICT (id) DO UPDATE SET",
    };
    let sql = format!(
        "INSERT INTO by_hand (id, {}) VALUES {} {conflict} {}",
        columns.join(", "),
        rows.join(", "),
        assignments.join(", ")
    );
    let values: Vec<Value> = page.iter().flat_map(values).collect();
    let tx = db.begin().await?;
    tx.execute_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
    tx.commit().await
}

fn values(user: &User) -> [Value; 8] {
    let time = |millis: i64| {
        let time = sea_orm::prelude::DateTimeUtc::from_timestamp_millis(millis).unwrap();
        Value::from(time)
    };
    [
        user.id.as_str().into(),
        user.email.clone().into(),
        user.first_name.clone().into(),
        user.last_name.clone().into(),
        user.username.clone().into(),
        user.image_url.clone().into(),
        time(user.created_at),
        time(user.updated_at),
    ]
}

// --- Clerk --------------------------------------------------------------------------------------

async fn serve(users: u64) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("http://{}", listener.local_addr().unwrap());
    let count = json!({ "object": "total_count", "total_count": users });
    let instance = json!({ "object": "instance", "id": "ins_bench" });
    let app = Router::new()
        .route("/v1/users", get(list))
        .route("/v1/users/count", get(async || Json(count)))
        .route("/v1/instance", get(async || Json(instance)))
        .with_state(Arc::new(pages(users)));
    axum::serve(listener, app).await.unwrap();
}

/// Returns the pages, made in advance, because Clerk's time for them is not measured.
fn pages(users: u64) -> Vec<Bytes> {
    let page = |first: u64| {
        let page: Vec<_> = (first..users.min(first + PAGE as u64)).map(user).collect();
        serde_json::to_vec(&page).unwrap().into()
    };
    (0..=users).step_by(PAGE).map(page).collect()
}

async fn list(State(pages): State<Arc<Vec<Bytes>>>, uri: Uri) -> Bytes {
    let url = reqwest::Url::parse(&format!("http://clerk{uri}")).unwrap();
    let after = url.query_pairs().find(|(name, _)| name == "starting_after");
    let first = after.map_or(0, |(_, id)| id[ID.len()..].parse::<usize>().unwrap() + 1);
    let page = pages.get(first / PAGE).filter(|_| first.is_multiple_of(PAGE));
    // After the last user comes an empty page.
    page.cloned().unwrap_or_else(|| Bytes::from_static(b"[]"))
}

const ID: &str = "user_bench";

fn id(n: u64) -> String {
    format!("{ID}{n:019}")
}

fn created_at(n: u64) -> i64 {
    1_600_000_000_000 + n.cast_signed()
}

/// Returns a user with about as much data as Clerk sends for an address, a Google account and some
/// metadata.
fn user(n: u64) -> serde_json::Value {
    let (at, address) = (created_at(n), format!("idn_{n}"));
    let verification = json!({
        "object": "verification_admin", "status": "verified", "strategy": "from_oauth_google",
        "attempts": null, "expire_at": null,
    });
    json!({
        "object": "user", "id": id(n), "external_id": null, "username": format!("user{n}"),
        "first_name": format!("First {n}"), "last_name": format!("Last {n}"), "locale": null,
        "primary_email_address_id": address, "primary_phone_number_id": null,
        "primary_web3_wallet_id": null, "image_url": "https://img.clerk.com/x",
        "profile_image_url": "https://img.clerk.com/x", "has_image": true,
        "public_metadata": { "plan": "pro", "team": n % 100 },
        "private_metadata": { "customer": format!("cus_{n}") }, "unsafe_metadata": {},
        "email_addresses": [{
            "object": "email_address", "id": address,
            "email_address": format!("user{n}@example.com"), "reserved": false,
            "verification": verification, "linked_to": [{ "type": "oauth_google", "id": "idn_g" }],
            "matches_sso_connection": false, "created_at": at, "updated_at": at,
        }],
        "phone_numbers": [], "web3_wallets": [], "passkeys": [], "saml_accounts": [],
        "enterprise_accounts": [], "external_accounts": [{
            "object": "google_account", "id": format!("eac_{n}"), "provider": "oauth_google",
            "identification_id": "idn_g", "provider_user_id": n.to_string(),
            "approved_scopes": "email profile", "email_address": format!("user{n}@example.com"),
            "first_name": format!("First {n}"), "last_name": format!("Last {n}"),
            "public_metadata": {}, "label": null, "created_at": at, "updated_at": at,
            "verification": verification,
        }],
        "password_enabled": false, "two_factor_enabled": false, "totp_enabled": false,
        "backup_code_enabled": false, "mfa_enabled_at": null, "mfa_disabled_at": null,
        "banned": false, "locked": false, "lockout_expires_in_seconds": null,
        "verification_attempts_remaining": 100, "delete_self_enabled": true,
        "create_organization_enabled": true, "last_sign_in_at": at, "last_active_at": at,
        "legal_accepted_at": at, "created_at": at, "updated_at": at,
    })
}

// --- memory -------------------------------------------------------------------------------------

/// Runs a backfill in a separate process and returns its report about its memory.
fn filled(api: &str, database: &str) -> String {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["fill", api, database])
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

async fn fill(api: &str, database: &str) {
    let db = connect(database).await;
    migrate(&db).await.unwrap();
    backfill(api, SeaOrmSink::new(db).unwrap()).run().await.unwrap();
    // Measured by Linux; other systems report nothing.
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    println!("{}", peak.map_or("unknown", str::trim));
}
