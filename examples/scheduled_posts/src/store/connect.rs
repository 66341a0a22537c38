//! Opening the database, and bringing its tables up to date. The only file that tells backends apart.

use std::time::Duration;

use sea_orm::sqlx::sqlite::SqliteJournalMode;
use sea_orm::{ConnectOptions, ConnectionTrait as _, Database, DatabaseConnection, DbBackend};
use sea_orm::{DbErr, TransactionTrait as _};
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
    Database::connect(options).await
}

/// Creates or updates all tables, the crate's first. Several instances may start at once.
pub(crate) async fn migrate(db: &DatabaseConnection) -> Result<(), DbErr> {
    if db.get_database_backend() != DbBackend::Postgres {
        return run_migrations(db).await;
    }
    // The lock lives in a transaction of its own, so that it goes when this process does.
    let lock = db.begin().await?;
    lock.execute_unprepared("SET LOCAL statement_timeout = '60s'; SET LOCAL lock_timeout = '60s'")
        .await?;
    lock.execute_unprepared(&format!("SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")).await?;
    run_migrations(db).await?;
    lock.commit().await
}

async fn run_migrations(db: &DatabaseConnection) -> Result<(), DbErr> {
    tower_clerk::sea_orm::migrate(db).await?;
    Migrator::up(db, None).await
}

const WAIT: Duration = Duration::from_secs(5);
/// Any number that no other program on the server uses.
const MIGRATION_LOCK: i64 = 7_304_211_190_642;
