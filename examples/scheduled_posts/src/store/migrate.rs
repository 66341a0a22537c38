//! Bringing the tables up to date, however many instances do so at once.

use sea_orm::{ConnectionTrait as _, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr};
use sea_orm::{SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait as _};
use sea_orm_migration::MigratorTrait as _;

use crate::migrations::Migrator;

/// Creates or updates all tables, the crate's first. Each part holds a lock, and is one transaction
/// where the database has those for tables: MySQL has not, and goes on where it stopped.
pub(crate) async fn migrate(db: &DatabaseConnection) -> Result<(), DbErr> {
    tower_clerk::sea_orm::migrate(db).await?;
    let tx = db
        .begin_with_options(TransactionOptions {
            // A lock that SQLite grants late it may not grant at all.
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        })
        .await?;
    match db.get_database_backend() {
        DbBackend::Postgres => {
            let lock = format!("SELECT pg_advisory_xact_lock({MIGRATION_LOCK})");
            tx.execute_unprepared(&lock).await?;
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

async fn lock_mysql(tx: &DatabaseTransaction) -> Result<(), DbErr> {
    let lock = format!("SELECT GET_LOCK({MYSQL_LOCK}, {PATIENCE_SECONDS})");
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
/// Below the connection's own limit on statements.
const PATIENCE_SECONDS: u32 = 5;
