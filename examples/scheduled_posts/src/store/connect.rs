//! The connection pool, with each backend's settings for its connections.

use std::time::Duration;

use sea_orm::sqlx::sqlite::SqliteJournalMode;
use sea_orm::sqlx::{self, Connection as _, Executor as _, MySqlConnection};
use sea_orm::{ConnectOptions, DatabaseConnection, DbBackend, DbErr, RuntimeErr};
use tower_clerk::sea_orm::{OutdatedConnections, Pooling};

use crate::config::DatabaseUrl;
use crate::store::database::Database;
use crate::store::file::create_private;
use crate::store::pooler;

/// Opens a pool. All its waits end well before the 15 s that a webhook has.
pub(crate) async fn connect(url: &DatabaseUrl) -> Result<Database, DbErr> {
    let outdated = OutdatedConnections::new();
    let pool = match pool(url, Pooling::Session, &outdated).await {
        Ok(pool) => pool,
        // A pool retries and in the end reports a timeout; a single connection reports the cause.
        Err(error) => return Err(try_once(url).await.err().unwrap_or(error)),
    };
    // Only now, because the database may have to start first.
    let pooling = match url.backend() {
        DbBackend::Postgres => pooler::pooling(url).await,
        _ => Pooling::Session,
    };
    let pool = match pooling {
        Pooling::Transaction => {
            tracing::info!(
                "a pooler stands before PostgreSQL, or may do so, that gives each transaction another \
                 connection: every statement is a transaction"
            );
            pool.close().await?;
            self::pool(url, pooling, &outdated).await?
        }
        _ => pool,
    };
    Ok(Database::new(pool, pooling, outdated))
}

/// Opens a connection to a database server, and closes it. Does nothing for SQLite.
pub(crate) async fn try_once(url: &DatabaseUrl) -> Result<(), DbErr> {
    let failed = |error: sqlx::Error| DbErr::Conn(RuntimeErr::SqlxError(error.into()));
    let connection = async {
        match url.backend() {
            DbBackend::MySql => MySqlConnection::connect(url.expose()).await.map(drop),
            DbBackend::Postgres => pooler::connect(url).await.map(drop),
            _ => Ok(()),
        }
    };
    match tokio::time::timeout(WAIT, connection).await {
        Ok(done) => done.map_err(failed),
        Err(_) => Err(DbErr::Custom("no answer within 5 s".into())),
    }
}

async fn pool(
    url: &DatabaseUrl,
    pooling: Pooling,
    outdated: &OutdatedConnections,
) -> Result<DatabaseConnection, DbErr> {
    if let Some(file) = url.file().filter(|_| !url.is_read_only()) {
        create_private(&file);
    }
    let (postgres, mysql) = (outdated.clone(), outdated.clone());
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
        .map_sqlx_postgres_opts(move |postgres| match pooling {
            Pooling::Transaction => pooler::accepted(postgres).statement_cache_capacity(0),
            _ => pooler::accepted(postgres),
        })
        .map_sqlx_postgres_before_acquire(move |_, connection| {
            let may_be_used = postgres.allow(connection.age);
            Box::pin(async move { Ok(may_be_used) })
        })
        .map_sqlx_mysql_before_acquire(move |_, connection| {
            let may_be_used = mysql.allow(connection.age);
            Box::pin(async move { Ok(may_be_used) })
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
    sea_orm::Database::connect(options).await
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
