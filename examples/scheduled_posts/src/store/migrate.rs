//! Migrations, which several instances may start at once.

use std::collections::BTreeSet;

use sea_orm::sea_query::Query;
use sea_orm::{ConnectionTrait as _, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr};
use sea_orm::{SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait as _};
use sea_orm_migration::MigratorTrait as _;
use tower_clerk::sea_orm::Schema;

use crate::migrations::Migrator;

/// Returns the tables of the crate, in which the sink keeps users, organizations and memberships.
pub(crate) fn schema() -> Schema {
    Schema::new().with_organizations()
}

/// Creates or updates all tables, the crate's first.
///
/// Each part holds a lock and is one transaction, except on MySQL, which has no transactions for
/// tables and continues where it stopped.
pub(crate) async fn migrate(db: &DatabaseConnection) -> Result<(), DbErr> {
    schema().migrate(db).await?;
    migrate_own(db).await
}

async fn migrate_own(db: &DatabaseConnection) -> Result<(), DbErr> {
    if is_applied(db).await {
        return Ok(());
    }
    let tx = db
        .begin_with_options(TransactionOptions {
            // SQLite may refuse a lock that is only requested later in a transaction.
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
            // The lock belongs to the connection, which returns to the pool.
            let done = Migrator::up(&tx, None).await;
            tx.execute_unprepared(&format!("DO RELEASE_LOCK({MYSQL_LOCK})")).await?;
            done?;
        }
        _ => Migrator::up(&tx, None).await?,
    }
    tx.commit().await
}

/// Returns whether exactly our migrations are recorded as applied. A role that may not create tables must
/// be able to start the server then; and without the table of records, nothing is.
async fn is_applied(db: &DatabaseConnection) -> bool {
    let select = Query::select().column("version").from("seaql_migrations").to_owned();
    let Ok(rows) = db.query_all(&select).await else { return false };
    let applied = rows.iter().map(|row| row.try_get_by_index::<String>(0));
    let wanted = Migrator::migrations();
    let wanted = wanted.iter().map(|one| one.name().to_owned()).collect::<BTreeSet<_>>();
    applied.collect::<Result<BTreeSet<_>, _>>().is_ok_and(|applied| applied == wanted)
}

/// Locks the migrations. Waits longer than the pool's statements may last, whose limit is for
/// requests.
async fn lock_postgres(tx: &DatabaseTransaction) -> Result<(), DbErr> {
    // Sent separately, because a limit applies from the next message on.
    tx.execute_unprepared(&format!(
        "SET LOCAL lock_timeout = '{PATIENCE_SECONDS}s'; \
         SET LOCAL statement_timeout = '{LONGEST_SECONDS}s'"
    ))
    .await?;
    tx.execute_unprepared(&format!("SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")).await?;
    // A process that waits for a table blocks all others from it, so that wait must be short.
    tx.execute_unprepared("SET LOCAL lock_timeout TO DEFAULT").await.map(drop)
}

/// Locks the migrations. MariaDB reads only the first comment, MySQL only the second.
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

/// The id of the lock: any number that no other program on the server uses.
const MIGRATION_LOCK: i64 = 7_304_211_190_642;
/// The name of the lock, per database, because MySQL's locks belong to the server. Such a name has
/// at most 64 characters.
const MYSQL_LOCK: &str = "CONCAT('scheduled_posts_', MD5(DATABASE()))";
/// The time for another instance to finish.
const PATIENCE_SECONDS: u32 = 60;
/// A little more, so that the error names the lock.
const LONGEST_SECONDS: u32 = 70;

#[cfg(test)]
mod tests;
