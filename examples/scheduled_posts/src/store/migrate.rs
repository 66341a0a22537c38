//! Migrations, which several instances may start at once.

use std::collections::BTreeSet;

use sea_orm::sea_query::Query;
use sea_orm::{ConnectionTrait as _, DatabaseTransaction, DbBackend, DbErr, Statement};
use sea_orm_migration::MigratorTrait as _;

use crate::migrations::Migrator;
use crate::store::database::Database;

/// Creates or updates all tables, the crate's first.
///
/// Each part holds a lock and is one transaction, except on MySQL, which has no transactions for
/// tables and continues where it stopped.
pub(crate) async fn migrate(db: &Database) -> Result<(), DbErr> {
    db.schema().migrate(db.pool()).await?;
    migrate_own(db).await
}

async fn migrate_own(db: &Database) -> Result<(), DbErr> {
    if is_applied(db).await {
        return Ok(());
    }
    let tx = db.begin().await?;
    match db.backend() {
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
async fn is_applied(db: &Database) -> bool {
    let select = Query::select().column("version").from("seaql_migrations").to_owned();
    let Ok(rows) = db.rows(&select).await else { return false };
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
    tx.execute_unprepared("SET LOCAL lock_timeout = '5s'").await.map(drop)
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
