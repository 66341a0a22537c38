//! Opening the database, and bringing its tables up to date. The only file that tells backends apart.

use std::time::Duration;

use sea_orm::sqlx::sqlite::SqliteJournalMode;
use sea_orm::{ConnectOptions, ConnectionTrait as _, Database, DatabaseConnection, DbBackend};
use sea_orm::{DbErr, SqliteTransactionMode, TransactionOptions, TransactionTrait as _};
use sea_orm_migration::MigratorTrait as _;

use crate::config::DatabaseUrl;
use crate::migrations::Migrator;

/// A pool whose waits all end well before a webhook's 15 s are over.
pub(crate) async fn connect(url: &DatabaseUrl) -> Result<DatabaseConnection, DbErr> {
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
        });
    if url.is_in_memory() {
        // The data is the connection's: a pool that retires it would forget everything.
        options.idle_timeout(None).max_lifetime(None);
    }
    Database::connect(options).await
}

/// Creates or updates all tables, the crate's first. Several instances may start at once: each
/// part is one transaction that holds a lock.
pub(crate) async fn migrate(db: &DatabaseConnection) -> Result<(), DbErr> {
    tower_clerk::sea_orm::migrate(db).await?;
    let tx = db
        .begin_with_options(TransactionOptions {
            // A lock that SQLite grants late it may not grant at all.
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        })
        .await?;
    if db.get_database_backend() == DbBackend::Postgres {
        tx.execute_unprepared(&format!("SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")).await?;
    }
    Migrator::up(&tx, None).await?;
    tx.commit().await
}

const WAIT: Duration = Duration::from_secs(5);
/// Any number that no other program on the server uses.
const MIGRATION_LOCK: i64 = 7_304_211_190_642;
