//! The connection pool, with each backend's settings for its connections.

use std::time::Duration;

use sea_orm::sqlx::sqlite::SqliteJournalMode;
use sea_orm::sqlx::{self, Connection as _, Executor as _, MySqlConnection, PgConnection};
use sea_orm::{ConnectOptions, Database, DatabaseConnection, DbBackend, DbErr, RuntimeErr};

use crate::config::DatabaseUrl;
use crate::store::file::create_private;

/// Opens a pool. All its waits end well before the 15 s that a webhook has.
pub(crate) async fn connect(url: &DatabaseUrl) -> Result<DatabaseConnection, DbErr> {
    match pool(url).await {
        Ok(db) => Ok(db),
        // A pool retries and in the end reports a timeout; a single connection reports the cause.
        Err(error) => Err(try_once(url).await.err().unwrap_or(error)),
    }
}

/// Opens a connection to a database server, and closes it. Does nothing for SQLite.
pub(crate) async fn try_once(url: &DatabaseUrl) -> Result<(), DbErr> {
    let failed = |error: sqlx::Error| DbErr::Conn(RuntimeErr::SqlxError(error.into()));
    let connection = async {
        match url.backend() {
            DbBackend::MySql => MySqlConnection::connect(url.expose()).await.map(drop),
            DbBackend::Postgres => PgConnection::connect(url.expose()).await.map(drop),
            _ => Ok(()),
        }
    };
    match tokio::time::timeout(WAIT, connection).await {
        Ok(done) => done.map_err(failed),
        Err(_) => Err(DbErr::Custom("no answer within 5 s".into())),
    }
}

async fn pool(url: &DatabaseUrl) -> Result<DatabaseConnection, DbErr> {
    if let Some(file) = url.file().filter(|_| !url.is_read_only()) {
        create_private(&file);
    }
    let mut options = ConnectOptions::new(url.expose());
    options
        .max_connections(if url.is_in_memory() { 1 } else { 10 })
        .connect_timeout(WAIT)
        .acquire_timeout(WAIT)
        .sqlx_logging(false)
        .map_sqlx_sqlite_opts(|sqlite| {
            sqlite
                .create_if_missing(true)
                .foreign_keys(true)
                .journal_mode(SqliteJournalMode::Wal)
                .busy_timeout(WAIT)
        })
        .map_sqlx_postgres_opts(|postgres| {
            postgres
                .application_name("scheduled-posts")
                .options([("statement_timeout", "8s"), ("lock_timeout", "5s")])
        })
        // The driver itself sets the time zone to UTC and the character set to utf8mb4.
        .map_sqlx_mysql_pool_opts(|pool| {
            pool.after_connect(|connection, _| {
                Box::pin(async move { connection.execute(MYSQL_SESSION).await.map(drop) })
            })
        });
    if url.is_in_memory() {
        // The data lives in the connection: when the pool retires it, everything is lost.
        options.idle_timeout(None).max_lifetime(None);
    }
    Database::connect(options).await
}

const WAIT: Duration = Duration::from_secs(5);
/// The settings of a session, in seconds, and for MySQL's statements in milliseconds. MariaDB and
/// MySQL each read only their own comment: MySQL can limit no statements but queries. The mode is
/// strict, so that a value that does not fit is an error instead of being changed.
const MYSQL_SESSION: &str = "SET SESSION innodb_lock_wait_timeout = 5, \
     SESSION lock_wait_timeout = 5, \
     SESSION sql_mode = CONCAT(@@sql_mode, ',STRICT_TRANS_TABLES') \
     /*M!100101 , SESSION max_statement_time = 8 */ \
     /*!50708 , SESSION max_execution_time = 8000 */";
