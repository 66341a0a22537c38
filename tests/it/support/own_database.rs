//! A database for one test: a file for SQLite, a new database on a server otherwise. The tests of the
//! application include this file by its path.
//!
//! Servers are named by the environment, for example `TEST_POSTGRES_URL=postgres://…/postgres` and
//! `TEST_MYSQL_URL=mysql://…/mysql`, with users who may create databases. A test that does not run
//! because its server is missing says so on stderr; with `CI` or `TEST_REQUIRE_SERVERS` set, it fails.

use std::env;
use std::hash::{BuildHasher as _, RandomState};
use std::io::Write as _;
use std::path::Path;

use sea_orm::{ConnectOptions, ConnectionTrait as _, Database, DbErr};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backend {
    MySql,
    Postgres,
    Sqlite,
}

/// A database, and how it is removed.
pub(crate) struct OwnDatabase {
    pub(crate) url: String,
    /// The server that it is on, and the statement that drops it there; none for a file.
    drop: Option<(String, String)>,
}

impl OwnDatabase {
    /// Creates an empty database; on SQLite, one that will be the file. Returns `None` when there is
    /// no server and none is required.
    pub(crate) async fn create(backend: Backend, test: &str, file: &Path) -> Option<Self> {
        let name = format!("test_{:016x}", RandomState::new().hash_one(test));
        match backend {
            Backend::MySql => {
                let server = server_url("TEST_MYSQL_URL", test)?;
                // Unlike anything that the tables want, so that they have to say what they want.
                let charset = "CHARACTER SET latin1 COLLATE latin1_swedish_ci";
                execute(&server, &format!("CREATE DATABASE {name} {charset}")).await;
                let drop = format!("DROP DATABASE IF EXISTS {name}");
                Some(Self { url: with_database(&server, &name), drop: Some((server, drop)) })
            }
            Backend::Postgres => {
                let server = server_url("TEST_POSTGRES_URL", test)?;
                // In an order that is not the bytes', where the server can.
                let sorted = "TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US' LOCALE 'C'";
                let create = format!("CREATE DATABASE {name}");
                if try_execute(&server, &format!("{create} {sorted}")).await.is_err() {
                    execute(&server, &create).await;
                }
                let drop = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
                Some(Self { url: with_database(&server, &name), drop: Some((server, drop)) })
            }
            Backend::Sqlite => {
                Some(Self { url: format!("sqlite://{}?mode=rwc", file.display()), drop: None })
            }
        }
    }

    /// Drops the database. A file goes with the folder that it is in.
    pub(crate) async fn remove(self) {
        if let Some((server, drop)) = self.drop {
            execute(&server, &drop).await;
        }
    }
}

/// Returns the server's URL, or says that the test does not run without it.
fn server_url(variable: &str, test: &str) -> Option<String> {
    let url = env::var(variable).ok().filter(|url| !url.is_empty());
    if url.is_none() {
        not_run(test, &format!("{variable} is unset"));
    }
    url
}

/// Says that a test does not run because its server is missing; fails where servers are required.
pub(crate) fn not_run(test: &str, why: &str) {
    let required = |name| env::var(name).is_ok_and(|value| !value.is_empty() && value != "0");
    assert!(!required("CI") && !required("TEST_REQUIRE_SERVERS"), "{test} needs a server: {why}");
    // Not by a print macro: the test harness hides the output of tests that pass.
    let line = format!("\nnot run: {test} needs a server, {why}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

/// Returns the URL of another database on the same server.
pub(crate) fn with_database(server: &str, name: &str) -> String {
    let (base, query) = server.split_once('?').unwrap_or((server, ""));
    let (address, _) = base.rsplit_once('/').filter(|(base, _)| base.contains("//")).unwrap();
    let query = if query.is_empty() { String::new() } else { format!("?{query}") };
    format!("{address}/{name}{query}")
}

/// Runs a statement on a server.
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
