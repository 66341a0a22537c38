//! A database of one's own for each test: a file for SQLite, a fresh database on a server.
//!
//! Servers are named by the environment, for example `TEST_POSTGRES_URL=postgres://…/postgres` and
//! `TEST_MYSQL_URL=mysql://…/mysql`, by users who may create databases.
//! What does not run for want of one says so on stderr; with `CI` or `TEST_REQUIRE_SERVERS` set,
//! it fails instead.

use std::env;
use std::io::Write as _;
use std::path::PathBuf;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbErr, Statement};
use tokio::task::JoinError;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backend {
    MySql,
    Postgres,
    Sqlite,
}

/// Runs each of these `async fn(DatabaseConnection)` on every backend, as tests of their own.
macro_rules! on_each_database {
    ($($test:ident),+ $(,)?) => {
        mod mysql {
            $crate::support::database::on_database!(MySql: $($test),+);
        }
        mod postgres {
            $crate::support::database::on_database!(Postgres: $($test),+);
        }
        mod sqlite {
            $crate::support::database::on_database!(Sqlite: $($test),+);
        }
    };
}
pub(crate) use on_each_database;

macro_rules! on_database {
    ($backend:ident: $($test:ident),+) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                let backend = $crate::support::database::Backend::$backend;
                $crate::support::database::run(backend, stringify!($test), super::$test).await;
            }
        )+
    };
}
pub(crate) use on_database;

/// Runs each of these `async fn(Place)` on every database that is a server.
macro_rules! on_each_server {
    ($($test:ident),+ $(,)?) => {
        mod mysql {
            $crate::support::database::at_place!(MySql: $($test),+);
        }
        mod postgres {
            $crate::support::database::at_place!(Postgres: $($test),+);
        }
    };
}
pub(crate) use on_each_server;

/// Runs each of these `async fn(Place)` on every backend.
macro_rules! on_each_place {
    ($($test:ident),+ $(,)?) => {
        mod mysql {
            $crate::support::database::at_place!(MySql: $($test),+);
        }
        mod postgres {
            $crate::support::database::at_place!(Postgres: $($test),+);
        }
        mod sqlite {
            $crate::support::database::at_place!(Sqlite: $($test),+);
        }
    };
}
pub(crate) use on_each_place;

macro_rules! at_place {
    ($backend:ident: $($test:ident),+) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                let backend = $crate::support::database::Backend::$backend;
                $crate::support::database::run_at(backend, stringify!($test), super::$test).await;
            }
        )+
    };
}
pub(crate) use at_place;

/// Runs a test on an empty database, and removes the database whatever became of the test.
pub(crate) async fn run<F>(
    backend: Backend,
    name: &str,
    test: impl FnOnce(DatabaseConnection) -> F + Send + 'static,
) where
    F: Future<Output = ()> + Send + 'static,
{
    run_at(backend, name, move |place: Place| async move {
        let connection = place.pool(8).await;
        let outcome = tokio::spawn(test(connection.clone())).await;
        let _closed = connection.close().await;
        resume(outcome);
    })
    .await;
}

/// Runs a test that opens the connections to an empty database itself.
pub(crate) async fn run_at<F>(backend: Backend, name: &str, test: impl FnOnce(Place) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let Some(database) = TestDatabase::create(backend, name).await else { return };
    let outcome = tokio::spawn(test(database.place())).await;
    database.remove().await;
    resume(outcome);
}

fn resume(outcome: Result<(), JoinError>) {
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic.into_panic());
    }
}

/// Where a database is.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) backend: Backend,
    pub(crate) url: String,
}

impl Place {
    /// A pool of so many connections at most.
    pub(crate) async fn pool(&self, most: u32) -> DatabaseConnection {
        self.pool_with(|options| options.max_connections(most)).await
    }

    /// A pool with options of its own.
    pub(crate) async fn pool_with(
        &self,
        set: impl FnOnce(&mut ConnectOptions) -> &mut ConnectOptions,
    ) -> DatabaseConnection {
        let mut options = ConnectOptions::new(&self.url);
        set(options.sqlx_logging(false));
        let connection = Database::connect(options).await.unwrap();
        if self.backend == Backend::Sqlite {
            connection.execute_unprepared("PRAGMA journal_mode = WAL").await.unwrap();
        }
        connection
    }
}

/// How many rows a table has.
pub(crate) async fn count(db: &DatabaseConnection, table: &str) -> i64 {
    let sql = format!("SELECT COUNT(*) FROM {table}");
    let statement = Statement::from_string(db.get_database_backend(), sql);
    db.query_one_raw(statement).await.unwrap().unwrap().try_get_by_index(0).unwrap()
}

enum TestDatabase {
    MySql { server: String, name: String },
    Postgres { server: String, name: String },
    Sqlite { folder: PathBuf },
}

impl TestDatabase {
    async fn create(backend: Backend, test: &str) -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name =
            format!("tower_clerk_{}_{}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        match backend {
            Backend::MySql => {
                let server = server_url("TEST_MYSQL_URL", test)?;
                // Unlike anything that the sink wants, so that the sink has to say what it wants.
                let charset = "CHARACTER SET latin1 COLLATE latin1_swedish_ci";
                execute(&server, &format!("CREATE DATABASE {name} {charset}")).await;
                Some(Self::MySql { server, name })
            }
            Backend::Postgres => {
                let server = server_url("TEST_POSTGRES_URL", test)?;
                // In an order that is not the bytes', where the server can.
                let sorted = "TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US' LOCALE 'C'";
                let create = format!("CREATE DATABASE {name}");
                if try_execute(&server, &format!("{create} {sorted}")).await.is_err() {
                    execute(&server, &create).await;
                }
                Some(Self::Postgres { server, name })
            }
            Backend::Sqlite => {
                let folder = env::temp_dir().join(name);
                std::fs::create_dir_all(&folder).unwrap();
                Some(Self::Sqlite { folder })
            }
        }
    }

    fn place(&self) -> Place {
        match self {
            Self::MySql { server, name } => {
                Place { backend: Backend::MySql, url: with_database(server, name) }
            }
            Self::Postgres { server, name } => {
                Place { backend: Backend::Postgres, url: with_database(server, name) }
            }
            Self::Sqlite { folder } => Place {
                backend: Backend::Sqlite,
                url: format!("sqlite://{}?mode=rwc", folder.join("test.db").display()),
            },
        }
    }

    async fn remove(self) {
        match self {
            Self::MySql { server, name } => {
                execute(&server, &format!("DROP DATABASE {name}")).await;
            }
            Self::Postgres { server, name } => {
                execute(&server, &format!("DROP DATABASE {name} WITH (FORCE)")).await;
            }
            Self::Sqlite { folder } => std::fs::remove_dir_all(folder).unwrap(),
        }
    }
}

/// The server's address, or a word about the test that does not run without it.
fn server_url(variable: &str, test: &str) -> Option<String> {
    if let Ok(url) = env::var(variable)
        && !url.is_empty()
    {
        return Some(url);
    }
    not_run(test, &format!("{variable} is unset"));
    None
}

/// Says that a test does not run for want of a server; fails when it has to.
pub(crate) fn not_run(test: &str, why: &str) {
    let required = |name| env::var(name).is_ok_and(|value| !value.is_empty() && value != "0");
    assert!(!required("CI") && !required("TEST_REQUIRE_SERVERS"), "{test} needs a server: {why}");
    // Not by a print macro: the test harness swallows those of tests that pass.
    let line = format!("\nnot run: {test} needs a server, {why}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

/// The URL of another database on the same server.
pub(crate) fn with_database(server: &str, name: &str) -> String {
    let (base, query) = server.split_once('?').unwrap_or((server, ""));
    let (address, _) = base.rsplit_once('/').unwrap();
    format!("{address}/{name}?{query}")
}

pub(crate) async fn execute(server: &str, sql: &str) {
    try_execute(server, sql).await.unwrap();
}

async fn try_execute(server: &str, sql: &str) -> Result<(), DbErr> {
    let mut options = ConnectOptions::new(server);
    options.max_connections(1).sqlx_logging(false);
    let connection = Database::connect(options).await?;
    let done = connection.execute_unprepared(sql).await;
    connection.close().await?;
    done.map(drop)
}
