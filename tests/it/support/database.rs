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

use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, Statement};

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

/// Runs a test on an empty database, and removes the database whatever became of the test.
pub(crate) async fn run<F>(backend: Backend, name: &str, test: impl FnOnce(DatabaseConnection) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let Some(database) = TestDatabase::create(backend, name).await else { return };
    let connection = database.connect().await;
    let outcome = tokio::spawn(test(connection.clone())).await;
    let _closed = connection.close().await;
    database.remove().await;
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic.into_panic());
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
                execute(&server, &format!("CREATE DATABASE {name}")).await;
                Some(Self::Postgres { server, name })
            }
            Backend::Sqlite => {
                let folder = env::temp_dir().join(name);
                std::fs::create_dir_all(&folder).unwrap();
                Some(Self::Sqlite { folder })
            }
        }
    }

    async fn connect(&self) -> DatabaseConnection {
        let url = match self {
            Self::MySql { server, name } | Self::Postgres { server, name } => {
                let (address, _) = server.rsplit_once('/').unwrap();
                format!("{address}/{name}")
            }
            Self::Sqlite { folder } => {
                format!("sqlite://{}?mode=rwc", folder.join("test.db").display())
            }
        };
        let mut options = ConnectOptions::new(url);
        options.max_connections(8).sqlx_logging(false);
        let connection = Database::connect(options).await.unwrap();
        if let Self::Sqlite { .. } = self {
            connection.execute_unprepared("PRAGMA journal_mode = WAL").await.unwrap();
        }
        connection
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
    let required = |name| env::var(name).is_ok_and(|value| !value.is_empty() && value != "0");
    assert!(
        !required("CI") && !required("TEST_REQUIRE_SERVERS"),
        "{test} needs a server: set {variable}"
    );
    // Not by a print macro: the test harness swallows those of tests that pass.
    let line = format!("\nnot run: {test} needs a server, {variable} is unset\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
    None
}

async fn execute(server: &str, sql: &str) {
    let mut options = ConnectOptions::new(server);
    options.max_connections(1).sqlx_logging(false);
    let connection = Database::connect(options).await.unwrap();
    connection.execute_unprepared(sql).await.unwrap();
    connection.close().await.unwrap();
}
