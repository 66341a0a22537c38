//! What one delivery costs in the database, beside the same work as three plain statements by hand in
//! one transaction. SQLite, and PostgreSQL where `TEST_POSTGRES_URL` names a server.
//!
//! The two take turns, delivery by delivery: whatever else the machine does meets both.
#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a benchmark that cannot go on ends, and prints what it found"
)]

use std::path::PathBuf;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use sea_orm::prelude::DateTimeUtc;
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, DbErr,
    SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait, Value,
};
use tokio::runtime::Runtime;
use tower::Service;
use tower_clerk::clock::{Clock, SystemClock};
use tower_clerk::sea_orm::{SeaOrmSink, migrate};
use tower_clerk::secret::SigningSecret;
use tower_clerk::test_util::{SignedDelivery, user_updated};
use tower_clerk::webhook::{Delivery, Event, Outcome, Sink, SinkError, WebhookService};

const ROUNDS: usize = 5;
const TURNS: usize = 2000;
const WARM_UP: usize = 2000;

fn main() {
    // `cargo bench` says --bench, `cargo test --benches` does not, and wants it quick.
    let in_earnest = std::env::args().any(|argument| argument == "--bench");
    let (rounds, turns, warm_up) = if in_earnest { (ROUNDS, TURNS, WARM_UP) } else { (1, 10, 1) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let mut places = vec![("SQLite", None)];
    places.extend(std::env::var("TEST_POSTGRES_URL").ok().map(|url| ("PostgreSQL", Some(url))));

    println!("{turns} deliveries each in turn, medians, {rounds} rounds");
    println!("\n| sink | median | ratio | of | ratios of the rounds |\n|---|---|---|---|---|");
    for (name, server) in &places {
        let place = runtime.block_on(Place::create(server.as_deref()));
        let by_hand = ByHand::new(place.db.clone());
        let sink = SeaOrmSink::new(place.db.clone()).expect("a sink");
        let mut source = Source::new(&runtime);
        take_turns(&mut source, &by_hand, &sink, warm_up);
        let mut all = [Vec::new(), Vec::new()];
        let mut ratios = Vec::new();
        for _ in 0..rounds {
            let [hand, own] = &mut take_turns(&mut source, &by_hand, &sink, turns);
            ratios.push(format!("{:.3}", median(own) / median(hand)));
            all[0].append(hand);
            all[1].append(own);
        }
        let [hand, own] = all.map(|mut times| median(&mut times));
        let (ratio, ratios) = (own / hand, ratios.join(", "));
        println!("| the sink, {name} | {own:.0} ns | {ratio:.3} | by hand, {name} | {ratios} |");
        runtime.block_on(place.remove());
    }
}

/// How long each took by hand, and how long by the sink.
fn take_turns(
    source: &mut Source,
    by_hand: &ByHand,
    sink: &SeaOrmSink,
    turns: usize,
) -> [Vec<Duration>; 2] {
    let (clock, runtime) = (SystemClock::new(), source.runtime);
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..turns {
        let delivery = source.next();
        runtime.block_on(rest(&by_hand.db));
        let start = clock.monotonic();
        assert!(runtime.block_on(by_hand.apply(&delivery)).expect("statements"));
        times[0].push(clock.monotonic() - start);

        let delivery = source.next();
        runtime.block_on(rest(&by_hand.db));
        let start = clock.monotonic();
        let outcome = runtime.block_on(sink.apply(&delivery)).expect("an outcome");
        times[1].push(clock.monotonic() - start);
        assert_eq!(outcome, Outcome::Applied);
    }
    times
}

/// Until the connection is back in the pool, which asks the database about it first: the next one
/// uses the same, and pays for nothing that the one before left behind.
async fn rest(db: &DatabaseConnection) {
    let is_back = || match db.get_database_backend() {
        DbBackend::Postgres => {
            let pool = db.get_postgres_connection_pool();
            pool.num_idle() == pool.size() as usize
        }
        _ => {
            let pool = db.get_sqlite_connection_pool();
            pool.num_idle() == pool.size() as usize
        }
    };
    while !is_back() {
        tokio::task::yield_now().await;
    }
}

/// In nanoseconds.
fn median(times: &mut [Duration]) -> f64 {
    times.sort_unstable();
    times.get(times.len() / 2).expect("a time").as_secs_f64() * 1e9
}

/// What the sink does in the database about a user's new state, in plain statements.
struct ByHand {
    db: DatabaseConnection,
    record: String,
    raise: String,
    write: String,
}

impl ByHand {
    fn new(db: DatabaseConnection) -> Self {
        // Each database's own way to name a value.
        let [record, raise, write] = match db.get_database_backend() {
            DbBackend::Sqlite => STATEMENTS.map(|sql| {
                (1..=8).fold(sql.to_owned(), |sql, n| sql.replace(&format!("${n}"), "?"))
            }),
            _ => STATEMENTS.map(str::to_owned),
        };
        Self { db, record, raise, write }
    }

    async fn apply(&self, delivery: &Delivery) -> Result<bool, DbErr> {
        let Event::UserUpdated(user) = delivery.event() else { return Ok(false) };
        let backend = self.db.get_database_backend();
        let mode = (backend == DbBackend::Sqlite).then_some(SqliteTransactionMode::Immediate);
        let options = TransactionOptions { sqlite_transaction_mode: mode, ..Default::default() };
        let tx = self.db.begin_with_options(options).await?;
        let run = async |sql: &str, values: Vec<Value>| {
            let done = tx.execute_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
            Ok::<_, DbErr>(done.rows_affected() == 1)
        };
        let time = |millis| DateTimeUtc::from_timestamp_millis(millis).unwrap_or_default();
        let now: DateTimeUtc = SystemClock::new().now().into();
        let done = run(&self.record, vec![delivery.id().into(), now.into()]).await?
            && run(
                &self.raise,
                vec![user.id.as_str().into(), user.updated_at.into(), 1_i64.into(), false.into()],
            )
            .await?
            && run(
                &self.write,
                vec![
                    user.id.as_str().into(),
                    user.email.clone().into(),
                    user.first_name.clone().into(),
                    user.last_name.clone().into(),
                    user.username.clone().into(),
                    user.image_url.clone().into(),
                    time(user.created_at).into(),
                    time(user.updated_at).into(),
                ],
            )
            .await?;
        tx.commit().await?;
        Ok(done)
    }
}

/// Record the delivery, raise the version, write the row.
const STATEMENTS: [&str; 3] = [
    "INSERT INTO clerk_deliveries (id, received_at) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING",
    "INSERT INTO clerk_user_versions AS v (id, version, tie, deleted) VALUES ($1, $2, $3, $4) \
     ON CONFLICT (id) DO UPDATE SET version = excluded.version, tie = excluded.tie \
     WHERE NOT v.deleted AND (v.version < excluded.version \
     OR v.version = excluded.version AND v.tie < excluded.tie)",
    "INSERT INTO users (id, email, first_name, last_name, username, image_url, created_at, \
     updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (id) DO UPDATE SET \
     email = excluded.email, first_name = excluded.first_name, \
     last_name = excluded.last_name, username = excluded.username, \
     image_url = excluded.image_url, created_at = excluded.created_at, \
     updated_at = excluded.updated_at",
];

/// Verified deliveries, each of a newer state than all before, of a thousand users in turn.
struct Source<'a> {
    runtime: &'a Runtime,
    secret: SigningSecret,
    service: WebhookService<Arc<Catch>>,
    catch: Arc<Catch>,
    count: i64,
}

/// Keeps what it is given.
#[derive(Default)]
struct Catch(Mutex<Option<Delivery>>);

impl Sink for Catch {
    async fn apply(&self, delivery: &Delivery) -> Result<Outcome, SinkError> {
        *self.0.lock().expect("no panic") = Some(delivery.clone());
        Ok(Outcome::Applied)
    }
}

impl<'a> Source<'a> {
    fn new(runtime: &'a Runtime) -> Self {
        let secret = SigningSecret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let secret = secret.expect("a secret");
        let catch = Arc::new(Catch::default());
        let service = WebhookService::builder([secret.clone()], Arc::clone(&catch)).build();
        Self { runtime, secret, service: service.expect("a service"), catch, count: 0 }
    }

    fn next(&mut self) -> Delivery {
        // For the service's deadline.
        let _inside = self.runtime.enter();
        self.count += 1;
        let user = format!("user_2g7np7Hrk0SN6kj5EDM{:08}", self.count % 1000);
        let body = user_updated(&user, Some("ann@example.com"), 1_600_000_000_000 + self.count);
        let id = format!("msg_{}", self.count);
        let now = SystemClock::new().now();
        let delivery = SignedDelivery::new(&self.secret, &id, now, body.to_string());
        let answer = self.service.call(delivery.into_request());
        let mut context = Context::from_waker(Waker::noop());
        let answer: Poll<Result<Response<Full<Bytes>>, _>> = pin!(answer).poll(&mut context);
        assert!(answer.is_ready());
        self.catch.0.lock().expect("no panic").take().expect("a delivery")
    }
}

/// A database for one bench.
struct Place {
    db: DatabaseConnection,
    server: Option<String>,
    folder: PathBuf,
    name: String,
}

impl Place {
    async fn create(server: Option<&str>) -> Self {
        let name = format!("tower_clerk_bench_{}", std::process::id());
        let folder = std::env::temp_dir().join(&name);
        let url = if let Some(server) = server {
            connect(server)
                .await
                .execute_unprepared(&format!("CREATE DATABASE {name}"))
                .await
                .expect("a database");
            let (address, _) = server.rsplit_once('/').expect("a URL");
            format!("{address}/{name}")
        } else {
            std::fs::create_dir_all(&folder).expect("a folder");
            format!("sqlite://{}?mode=rwc", folder.join("bench.db").display())
        };
        let db = connect(&url).await;
        if server.is_none() {
            db.execute_unprepared("PRAGMA journal_mode = WAL").await.expect("a mode");
        }
        migrate(&db).await.expect("tables");
        Self { db, server: server.map(str::to_owned), folder, name }
    }

    async fn remove(self) {
        self.db.close().await.expect("an end");
        match self.server {
            Some(server) => {
                let drop = format!("DROP DATABASE {}", self.name);
                connect(&server).await.execute_unprepared(&drop).await.expect("no database");
            }
            None => std::fs::remove_dir_all(self.folder).expect("no folder"),
        }
    }
}

async fn connect(url: &str) -> DatabaseConnection {
    let mut options = ConnectOptions::new(url);
    options.max_connections(4).sqlx_logging(false);
    Database::connect(options).await.expect("a database")
}
