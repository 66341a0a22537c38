//! The cost of one delivery in the database, compared with the same work as three handwritten
//! statements in one transaction. SQLite, and PostgreSQL if `TEST_POSTGRES_URL` names a server.
//!
//! The two take turns, delivery by delivery, so that other load on the machine affects both.
#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a benchmark prints its results and stops on errors"
)]

mod support;

use std::path::PathBuf;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, UNIX_EPOCH};

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

use support::turns::{Figures, Limit};

const ROUNDS: usize = 200;

/// The deliveries of each in one round.
const TURNS: usize = 25;
const WARM_UP: usize = 80;

fn main() {
    let (rounds, turns, warm_up) =
        if support::in_earnest() { (ROUNDS, TURNS, WARM_UP) } else { (1, 10, 0) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let mut places = vec![("SQLite", None)];
    places.extend(std::env::var("TEST_POSTGRES_URL").ok().map(|url| ("PostgreSQL", Some(url))));

    for (name, server) in &places {
        let place = runtime.block_on(Place::create(server.as_deref()));
        let by_hand = ByHand::new(place.db.clone());
        let sink = SeaOrmSink::new(place.db.clone()).expect("a sink");
        let mut source = Source::new(&runtime);
        let mut round = || take_turns(&mut source, &by_hand, &sink, turns);
        (0..warm_up).for_each(|_| drop(round()));
        let rounds = (0..rounds).map(|_| round()).collect();
        let names = [format!("by hand, {name}"), format!("the sink, {name}")];
        let figures = Figures::new(&format!("sink, {name}"), names.to_vec(), rounds);
        figures.beside(&names[1], &names[0], Limit::AtMost(1.15));
        runtime.block_on(place.remove());
    }
}

/// Returns the nanoseconds of a delivery by hand and by the sink, which alternate in going first.
fn take_turns(source: &mut Source, by_hand: &ByHand, sink: &SeaOrmSink, turns: usize) -> Vec<f64> {
    let (clock, runtime) = (SystemClock::new(), source.runtime);
    let mut took = [Duration::ZERO; 2];
    for turn in 0..2 * turns {
        let delivery = source.next();
        runtime.block_on(rest(&by_hand.db));
        let is_sinks = matches!(turn % 4, 1 | 2);
        let start = clock.monotonic();
        let applied = if is_sinks {
            let outcome = runtime.block_on(sink.apply(&delivery)).expect("an outcome");
            matches!(outcome, Outcome::Applied(_))
        } else {
            runtime.block_on(by_hand.apply(&delivery)).expect("statements")
        };
        took[usize::from(is_sinks)] += clock.monotonic() - start;
        assert!(applied);
    }
    took.map(|took| took.as_secs_f64() * 1e9 / turns as f64).to_vec()
}

/// Waits until the connection is back in the pool, which checks it with the database first. The
/// next delivery uses the same connection and does not pay for what the previous one left behind.
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

/// The work of the sink for a user's new state, as plain statements.
struct ByHand {
    db: DatabaseConnection,
    record: String,
    raise: String,
    write: String,
}

impl ByHand {
    fn new(db: DatabaseConnection) -> Self {
        // Each database has its own placeholders.
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
                vec![
                    user.id.as_str().into(),
                    user.updated_at.into(),
                    0_i64.into(),
                    1_i64.into(),
                    false.into(),
                ],
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

/// The statements that record the delivery, raise the version and write the row.
const STATEMENTS: [&str; 3] = [
    "INSERT INTO clerk_deliveries (id, received_at) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING",
    "INSERT INTO clerk_user_versions AS v (id, version, occurred_at, tie, deleted) \
     VALUES ($1, $2, $3, $4, $5) ON CONFLICT (id) DO UPDATE SET version = excluded.version, \
     occurred_at = excluded.occurred_at, tie = excluded.tie WHERE NOT v.deleted \
     AND (v.version, v.occurred_at, v.tie) < (excluded.version, excluded.occurred_at, excluded.tie)",
    "INSERT INTO users (id, email, first_name, last_name, username, image_url, created_at, \
     updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (id) DO UPDATE SET \
     email = excluded.email, first_name = excluded.first_name, \
     last_name = excluded.last_name, username = excluded.username, \
     image_url = excluded.image_url, created_at = excluded.created_at, \
     updated_at = excluded.updated_at",
];

/// A source of verified deliveries about a thousand users in turn, each with a newer state than all
/// before.
struct Source<'a> {
    runtime: &'a Runtime,
    secret: SigningSecret,
    service: WebhookService<Arc<Catch>>,
    catch: Arc<Catch>,
    count: i64,
}

/// A sink that keeps the delivery.
#[derive(Default)]
struct Catch(Mutex<Option<Delivery>>);

impl Sink for Catch {
    async fn apply(&self, delivery: &Delivery) -> Result<Outcome, SinkError> {
        *self.0.lock().expect("no panic") = Some(delivery.clone());
        Ok(Outcome::Ignored)
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
        let now = SystemClock::new().now();
        let mut body = user_updated(&user, Some("ann@example.com"), 1_600_000_000_000 + self.count);
        // As Clerk's events have it: this is the first try.
        let since_1970 = now.duration_since(UNIX_EPOCH).expect("a time after 1970");
        body["timestamp"] = u64::try_from(since_1970.as_millis()).expect("a time").into();
        let id = format!("msg_{}", self.count);
        let delivery = SignedDelivery::new(&self.secret, &id, now, body.to_string());
        let answer = self.service.call(delivery.into_request());
        let mut context = Context::from_waker(Waker::noop());
        let answer: Poll<Result<Response<Full<Bytes>>, _>> = pin!(answer).poll(&mut context);
        assert!(answer.is_ready());
        self.catch.0.lock().expect("no panic").take().expect("a delivery")
    }
}

/// A database for one benchmark.
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
