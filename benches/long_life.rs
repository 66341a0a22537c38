//! What years of use cost: start-up, the first delivery, pruning, a comparison with Clerk and the
//! removal of users who are gone, with up to a million users and ten million recorded deliveries.
//! Prints a table for each database, with the memory that each step added, and how time grows from one
//! size to the next, ten times as large.
//!
//! It uses SQLite, and the server of `TEST_POSTGRES_URL` if it is set. Each size has a process of its
//! own, so that its memory is its own; the Backend API has one too.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark prints its results and stops on errors"
)]

mod support;

use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend};
use serde_json::{Value, json};
use tower::ServiceExt as _;
use tower_clerk::backfill::{BackendApi, Backfill};
use tower_clerk::clock::{Clock, SystemClock};
use tower_clerk::sea_orm::{Schema, SeaOrmSink};
use tower_clerk::secret::{SecretKey, SigningSecret};
use tower_clerk::test_util::{SignedDelivery, user_updated};
use tower_clerk::webhook::WebhookService;

use support::clerk::Clerk;
use support::database::{Place, TestDatabase, connect, places};

/// The sizes, in users. There are ten times as many deliveries, all of them old but a tenth.
const SIZES: [u64; 3] = [10_000, 100_000, 1_000_000];
/// The users whom Clerk no longer has: the first ones.
const GONE: u64 = 5;

fn main() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["clerk", users] => runtime.block_on(serve(users.parse().unwrap())),
        ["live", url, api, users] => runtime.block_on(live(url, api, users.parse().unwrap())),
        _ => runtime.block_on(compare()),
    }
}

async fn compare() {
    let sizes = if support::in_earnest() { &SIZES[..] } else { &[100, 1000] };
    for place in places().iter().filter(|place| place.name != "MySQL") {
        let mut by_size = Vec::new();
        for users in sizes {
            by_size.push(steps(place, *users).await);
        }
        println!("\n{}: seconds, and the growth of the process's memory in MiB\n", place.name);
        let heads: Vec<String> =
            sizes.iter().map(|users| format!("{users} users, {} deliveries", users * 10)).collect();
        println!(
            "| step | {} | times 10, at most |\n|---|{}---|",
            heads.join(" | "),
            "---|".repeat(sizes.len())
        );
        for step in 0..by_size[0].len() {
            let cells = by_size.iter().map(|steps| &steps[step]);
            let shown: Vec<String> =
                cells.clone().map(|one| format!("{:.3} s, {:+.1}", one.seconds, one.mib)).collect();
            let seconds: Vec<f64> = cells.map(|one| one.seconds).collect();
            let growth = seconds.windows(2).map(|pair| pair[1] / pair[0]).fold(0.0, f64::max);
            println!("| {} | {} | {growth:.1} |", by_size[0][step].name, shown.join(" | "));
        }
    }
}

/// A step, as another process printed it.
struct Step {
    name: String,
    seconds: f64,
    mib: f64,
}

/// Fills a new database and lives with it in a process of its own.
async fn steps(place: &Place, users: u64) -> Vec<Step> {
    let (database, clerk) = (TestDatabase::create(place).await, Clerk::start(users));
    let db = connect(&database.url).await;
    Schema::new().migrate(&db).await.unwrap();
    fill(&db, users).await;
    db.close().await.unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["live", &database.url, &clerk.url, &users.to_string()])
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success());
    database.remove().await;
    let told = String::from_utf8(output.stdout).unwrap();
    let step = |line: &str| {
        let [name, seconds, mib] = line.split('\t').collect::<Vec<_>>().try_into().unwrap();
        Step { name: name.to_owned(), seconds: seconds.parse().unwrap(), mib: mib.parse().unwrap() }
    };
    told.lines().map(step).collect()
}

/// Each step in the order of an operator's day; prints a line of its name, its seconds and the memory
/// that it added at most.
async fn live(url: &str, api: &str, users: u64) {
    let secret = SigningSecret::parse("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD").unwrap();
    let start = Measure::begin("start: connect, look at the tables");
    let db = connect(url).await;
    Schema::new().migrate(&db).await.unwrap();
    start.end();

    let sink = SeaOrmSink::new(db.clone()).unwrap();
    let service = WebhookService::builder([secret.clone()], sink.clone()).build().unwrap();
    let first = Measure::begin("the first delivery");
    let state = user_updated(&id(users - 1), Some("new@example.com"), created_at(users) + 1);
    let now = SystemClock::new().now();
    let signed = SignedDelivery::new(&secret, "msg_first", now, state.to_string());
    let body = http_body_util::Full::<bytes::Bytes>::from(signed.body().clone());
    let mut request = http::Request::post("/").body(body).unwrap();
    *request.headers_mut() = signed.headers().clone();
    let answer = service.oneshot(request).await.unwrap();
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    first.end();

    let backfill = || {
        let key = SecretKey::parse("sk_live_bench").unwrap();
        let api = BackendApi::new(api, &key).unwrap();
        // Clerk's rate limit is not measured.
        Backfill::new(api, sink.clone()).pace(Duration::ZERO)
    };
    let drift = Measure::begin("drift (a dry run)");
    let found = backfill().dry_run().await.unwrap();
    assert_eq!((found.users, found.gone.unwrap().count), (users - GONE, GONE));
    drift.end();

    let removal = Measure::begin("the removal of 5 users who are gone");
    let removed = backfill().remove_gone(10).await.unwrap();
    assert_eq!(removed.removed, GONE);
    removal.end();

    let pruning = Measure::begin("pruning nine tenths of the deliveries");
    assert_eq!(sink.forget_deliveries(MONTH).await.unwrap(), users * 9);
    pruning.end();
    let again = Measure::begin("pruning with nothing to prune");
    assert_eq!(sink.forget_deliveries(MONTH).await.unwrap(), 0);
    again.end();
    db.close().await.unwrap();
}

struct Measure {
    name: &'static str,
    began: std::time::Instant,
    resident: f64,
}

impl Measure {
    fn begin(name: &'static str) -> Self {
        // The peak is counted anew from here. Only Linux knows this file.
        let _ = std::fs::write("/proc/self/clear_refs", "5");
        Self { name, began: SystemClock::new().monotonic(), resident: mib("VmRSS:") }
    }

    fn end(self) {
        let took = SystemClock::new().monotonic() - self.began;
        let added = mib("VmHWM:") - self.resident;
        println!("{}\t{}\t{added}", self.name, took.as_secs_f64());
    }
}

/// Returns a figure of the process's memory in MiB; 0 where the system does not tell.
fn mib(figure: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib = status.lines().find_map(|line| line.strip_prefix(figure)?.trim().strip_suffix(" kB"));
    kib.map_or(0.0, |kib| kib.parse::<f64>().unwrap() / 1024.0)
}

// --- years of use -------------------------------------------------------------------------------

/// Puts in what years of deliveries would have left.
async fn fill(db: &DatabaseConnection, users: u64) {
    let deliveries = users * 10;
    let (numbers, id, delivery, time) = match db.get_database_backend() {
        DbBackend::Postgres => (
            "generate_series(0::bigint, {} - 1) AS numbers (n)",
            "'user_bench' || lpad(n::text, 19, '0')",
            "'msg_' || md5(n::text)",
            "to_timestamp((1600000000000 + n) / 1000.0)",
        ),
        _ => (
            "(WITH RECURSIVE numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers \
             WHERE n + 1 < {}) SELECT n FROM numbers)",
            "printf('user_bench%019d', n)",
            "printf('msg_%x_%d', n * 2654435761 % 4294967296, n)",
            "strftime('%Y-%m-%dT%H:%M:%f+00:00', (1600000000000 + n) / 1000.0, 'unixepoch')",
        ),
    };
    let of = |count: u64| numbers.replace("{}", &count.to_string());
    let young = SystemClock::new().now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let received = match db.get_database_backend() {
        DbBackend::Postgres => {
            format!("CASE WHEN n % 10 = 0 THEN to_timestamp({young}) ELSE {time} END")
        }
        _ => format!(
            "CASE WHEN n % 10 = 0 THEN strftime('%Y-%m-%dT%H:%M:%f+00:00', {young}, 'unixepoch') \
             ELSE {time} END"
        ),
    };
    for sql in [
        format!(
            "INSERT INTO users (id, email, first_name, created_at, updated_at) \
             SELECT {id}, 'user' || n || '@example.com', 'First ' || n, {time}, {time} FROM {}",
            of(users)
        ),
        format!(
            "INSERT INTO clerk_user_versions (id, version, tie, deleted, occurred_at) \
             SELECT {id}, 1600000000000 + n, n, FALSE, 1600000000000 + n FROM {}",
            of(users)
        ),
        format!(
            "INSERT INTO clerk_deliveries (id, received_at) SELECT {delivery}, {received} FROM {}",
            of(deliveries)
        ),
        "INSERT INTO clerk_backfills (instance_id, users, finished) VALUES ('ins_1', 0, TRUE)"
            .to_owned(),
        "ANALYZE".to_owned(),
    ] {
        db.execute_unprepared(&sql).await.unwrap();
    }
}

const ID: &str = "user_bench";
const MONTH: Duration = Duration::from_secs(30 * 24 * 3600);
const PAGE: u64 = 500;

fn id(n: u64) -> String {
    format!("{ID}{n:019}")
}

fn number(id: &str) -> u64 {
    id.strip_prefix(ID).unwrap().parse().unwrap()
}

fn created_at(n: u64) -> i64 {
    1_600_000_000_000 + n.cast_signed()
}

// --- Clerk --------------------------------------------------------------------------------------

/// Serves a Backend API that no longer has the first users.
async fn serve(users: u64) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("http://{}", listener.local_addr().unwrap());
    let count = json!({ "object": "total_count", "total_count": users - GONE });
    let instance = json!({ "object": "instance", "id": "ins_1" });
    let app = Router::new()
        .route("/v1/users", get(list))
        .route("/v1/users/{id}", get(one))
        .route("/v1/users/count", get(async || axum::Json(count)))
        .route("/v1/instance", get(async || axum::Json(instance)))
        .with_state(users);
    axum::serve(listener, app).await.unwrap();
}

async fn list(State(users): State<u64>, uri: Uri) -> Response {
    let url = reqwest::Url::parse(&format!("http://clerk{uri}")).unwrap();
    let wanted: Vec<u64> = url
        .query_pairs()
        .filter(|(name, _)| name == "user_id")
        .map(|(_, id)| number(&id))
        .filter(|n| *n >= GONE)
        .collect();
    let is_by_id = url.query_pairs().any(|(name, _)| name == "user_id");
    let after = url.query_pairs().find(|(name, _)| name == "starting_after");
    let first = after.map_or(GONE, |(_, id)| number(&id) + 1);
    let page: Vec<Value> = match is_by_id {
        true => wanted.into_iter().map(user).collect(),
        false => (first..users.min(first + PAGE)).map(user).collect(),
    };
    axum::Json(page).into_response()
}

async fn one(Path(id): Path<String>) -> Response {
    if number(&id) >= GONE {
        return axum::Json(user(number(&id))).into_response();
    }
    let error = json!({ "errors": [{ "code": "resource_not_found", "message": "not found" }] });
    (StatusCode::NOT_FOUND, axum::Json(error)).into_response()
}

fn user(n: u64) -> Value {
    let at = created_at(n);
    json!({
        "object": "user", "id": id(n), "first_name": format!("First {n}"), "last_name": null,
        "primary_email_address_id": "idn_1", "image_url": null, "username": null,
        "email_addresses": [{ "id": "idn_1", "email_address": format!("user{n}@example.com") }],
        "created_at": at, "updated_at": at,
    })
}
