//! What one delivery costs in the database, beside the same statements written by hand in one
//! transaction. SQLite, and PostgreSQL where `TEST_POSTGRES_URL` names a server.
#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a benchmark that cannot go on ends, and prints what it found"
)]

mod support;

use std::path::PathBuf;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use http::Response;
use http_body_util::Full;
use sea_orm::prelude::DateTimeUtc;
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, DbErr,
    SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait, Value,
};
use tower::Service;
use tower_clerk::clock::{Clock, SystemClock};
use tower_clerk::sea_orm::{SeaOrmSink, migrate};
use tower_clerk::secret::SigningSecret;
use tower_clerk::test_util::{SignedDelivery, user_updated};
use tower_clerk::webhook::{Delivery, Event, Outcome, Sink, SinkError, WebhookService};

use support::Ratios;

fn sink(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let mut places = vec![("SQLite", None)];
    places.extend(std::env::var("TEST_POSTGRES_URL").ok().map(|url| ("PostgreSQL", Some(url))));

    let mut group = c.benchmark_group("sink");
    for (name, server) in &places {
        let place = runtime.block_on(Place::create(server.as_deref()));
        let db = &place.db;
        let mut source = Source::new(&runtime);
        group.bench_function(format!("by hand, {name}"), |b| {
            b.iter_batched(
                || source.next(),
                |delivery| assert!(runtime.block_on(by_hand(db, &delivery)).expect("statements")),
                BatchSize::SmallInput,
            );
        });
        let sink = SeaOrmSink::new(db.clone()).expect("a sink");
        group.bench_function(format!("the sink, {name}"), |b| {
            b.iter_batched(
                || source.next(),
                |delivery| {
                    let outcome = runtime.block_on(sink.apply(&delivery)).expect("an outcome");
                    assert_eq!(outcome, Outcome::Applied);
                },
                BatchSize::SmallInput,
            );
        });
        runtime.block_on(place.remove());
    }
    group.finish();

    let ratios = Ratios::of("sink");
    for (name, _) in &places {
        ratios.beside(&format!("the sink, {name}"), &format!("by hand, {name}"));
    }
}

/// What the sink says to the database about a user's new state, said by hand.
async fn by_hand(db: &DatabaseConnection, delivery: &Delivery) -> Result<bool, DbErr> {
    let Event::UserUpdated(user) = delivery.event() else { return Ok(false) };
    let backend = db.get_database_backend();
    let mode = (backend == DbBackend::Sqlite).then_some(SqliteTransactionMode::Immediate);
    let options = TransactionOptions { sqlite_transaction_mode: mode, ..Default::default() };
    let tx = db.begin_with_options(options).await?;
    let run = async |sql: &str, values: Vec<Value>| {
        let done = tx.execute_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
        Ok::<_, DbErr>(done.rows_affected() == 1)
    };
    let time = |millis| DateTimeUtc::from_timestamp_millis(millis).unwrap_or_default();
    let now: DateTimeUtc = SystemClock::new().now().into();
    let done = run(
        "INSERT INTO clerk_deliveries (id, received_at) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING",
        vec![delivery.id().into(), now.into()],
    )
    .await?
        && run(
            "INSERT INTO clerk_user_versions (id, version, tie, deleted) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (id) DO UPDATE SET version = excluded.version, tie = excluded.tie \
             WHERE NOT clerk_user_versions.deleted AND clerk_user_versions.version < excluded.version",
            vec![user.id.as_str().into(), user.updated_at.into(), 1_i64.into(), false.into()],
        )
        .await?
        && run(
            "INSERT INTO users (id, email, first_name, last_name, username, image_url, created_at, \
             updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (id) DO UPDATE SET \
             email = excluded.email, first_name = excluded.first_name, \
             last_name = excluded.last_name, username = excluded.username, \
             image_url = excluded.image_url, created_at = excluded.created_at, \
             updated_at = excluded.updated_at",
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

/// Verified deliveries, each of a newer state than all before, of a thousand users in turn.
struct Source<'a> {
    runtime: &'a tokio::runtime::Runtime,
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
    fn new(runtime: &'a tokio::runtime::Runtime) -> Self {
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

criterion_group! {
    name = benches;
    config = support::criterion();
    targets = sink
}
criterion_main!(benches);
