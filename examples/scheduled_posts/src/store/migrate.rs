//! Bringing the tables up to date, however many instances do so at once.

use sea_orm::{ConnectionTrait as _, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr};
use sea_orm::{SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait as _};
use sea_orm_migration::MigratorTrait as _;

use crate::migrations::Migrator;

/// Creates or updates all tables, the crate's first. Each part holds a lock, and is one transaction
/// where the database has those for tables: MySQL has not, and goes on where it stopped.
pub(crate) async fn migrate(db: &DatabaseConnection) -> Result<(), DbErr> {
    tower_clerk::sea_orm::migrate(db).await?;
    migrate_own(db).await
}

async fn migrate_own(db: &DatabaseConnection) -> Result<(), DbErr> {
    let tx = db
        .begin_with_options(TransactionOptions {
            // A lock that SQLite grants late it may not grant at all.
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        })
        .await?;
    match db.get_database_backend() {
        DbBackend::Postgres => {
            lock_postgres(&tx).await?;
            Migrator::up(&tx, None).await?;
        }
        DbBackend::MySql => {
            lock_mysql(&tx).await?;
            // The lock is the connection's, which goes back to the pool.
            let done = Migrator::up(&tx, None).await;
            tx.execute_unprepared(&format!("DO RELEASE_LOCK({MYSQL_LOCK})")).await?;
            done?;
        }
        _ => Migrator::up(&tx, None).await?,
    }
    tx.commit().await
}

/// Waits longer than a statement of the pool may last, which is meant for requests.
async fn lock_postgres(tx: &DatabaseTransaction) -> Result<(), DbErr> {
    // Messages of their own: the limit of a message is that from before it.
    tx.execute_unprepared(&format!(
        "SET LOCAL lock_timeout = '{PATIENCE_SECONDS}s'; \
         SET LOCAL statement_timeout = '{LONGEST_SECONDS}s'"
    ))
    .await?;
    tx.execute_unprepared(&format!("SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")).await?;
    // Whoever waits for a table keeps everybody else from it, so that is not to last.
    tx.execute_unprepared("SET LOCAL lock_timeout TO DEFAULT").await.map(drop)
}

/// The same: MariaDB reads the first comment only, MySQL the second.
async fn lock_mysql(tx: &DatabaseTransaction) -> Result<(), DbErr> {
    let lock = format!(
        "/*M!100101 SET STATEMENT max_statement_time = {LONGEST_SECONDS} FOR */ \
         SELECT /*+ MAX_EXECUTION_TIME({LONGEST_SECONDS}000) */ \
         GET_LOCK({MYSQL_LOCK}, {PATIENCE_SECONDS})"
    );
    let answer = tx.query_one_raw(Statement::from_string(DbBackend::MySql, lock)).await?;
    match answer.map(|row| row.try_get_by_index::<Option<i64>>(0)).transpose()?.flatten() {
        Some(1) => Ok(()),
        _ => Err(DbErr::Migration("another instance is still migrating this database".into())),
    }
}

/// Any number that no other program on the server uses.
const MIGRATION_LOCK: i64 = 7_304_211_190_642;
/// MySQL's locks are the server's and have names of 64 characters at most: a name for each database.
const MYSQL_LOCK: &str = "CONCAT('scheduled_posts_', MD5(DATABASE()))";
/// For another instance to be done.
const PATIENCE_SECONDS: u32 = 60;
/// A little more, so that it is the lock of which is told that it was not to be had.
const LONGEST_SECONDS: u32 = 70;

#[cfg(test)]
mod tests;
