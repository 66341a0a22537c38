//! The start of a transaction on each database, its time limits, and the supported databases.

use std::time::Duration;

use ::sea_orm::error::ConnAcquireErr;
use ::sea_orm::{
    ConnectionTrait as _, DatabaseConnection, DatabaseTransaction, DbErr, IsolationLevel,
    SqliteTransactionMode, TransactionOptions, TransactionTrait as _,
};

use super::dialect::Dialect;

/// Begins a transaction that may write. Its limits are shorter than the time that Svix waits for an
/// answer: 5.5 s for a connection and the beginning, then 5 s for a lock and 8 s for a statement.
///
/// On PostgreSQL and MySQL it is read committed, so that a writer that waited for a row's lock sees
/// what the other one committed instead of failing, and so that MySQL locks rows and not the gaps
/// between them. On SQLite it takes the write lock from the start, since a lock that is requested
/// later is refused at once if another transaction has written in between.
pub(super) async fn begin(db: &DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
    let begun = async {
        match Dialect::of(db)? {
            // The driver waits 5 s for the lock.
            Dialect::Sqlite => db.begin_with_options(immediate()).await,
            Dialect::MySql => run_to_completion(begin_on_mysql(db.clone())).await,
            Dialect::Postgres => run_to_completion(begin_on_postgres(db.clone())).await,
        }
    };
    match tokio::time::timeout(FOR_A_CONNECTION, begun).await {
        Ok(begun) => begun,
        Err(_) => Err(DbErr::ConnectionAcquire(ConnAcquireErr::Timeout)),
    }
}

/// Begins a transaction for migrations, which may have to wait for each other. The future must not
/// be dropped before the transaction has begun: see [`run_to_completion`].
#[cfg(feature = "sea-orm-migration")]
pub(super) async fn begin_patiently(db: &DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
    match Dialect::of(db)? {
        Dialect::MySql | Dialect::Postgres => db.begin_with_options(read_committed()).await,
        Dialect::Sqlite => db.begin_with_options(immediate()).await,
    }
}

/// Runs `work` on its own task, so that dropping the caller does not cancel it.
///
/// The driver knows of a transaction only after the server has answered `BEGIN`. If the future is
/// dropped before that, the connection returns to the pool with an open transaction, and the
/// application's next statements become part of it. On its own task the work always ends: a
/// transaction that was only begun is dropped and rolls back; a delivery is committed, although no
/// caller waits for it. MySQL's driver also loses count of the answers if it is cancelled while it
/// prepares a statement: that connection hangs from then on.
pub(super) async fn run_to_completion<T: Send + 'static>(
    work: impl Future<Output = Result<T, DbErr>> + Send + 'static,
) -> Result<T, DbErr> {
    match tokio::spawn(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is shutting down and has cancelled the task.
            Err(_) => Err(DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed)),
        },
    }
}

async fn begin_on_mysql(db: DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
    let tx = db.begin_with_options(read_committed()).await?;
    tx.execute_unprepared(MYSQL_LIMITS).await?;
    Ok(tx)
}

async fn begin_on_postgres(db: DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
    // The limits also set the isolation level: as an option it would be another message.
    let tx = db.begin().await?;
    tx.execute_unprepared(POSTGRES_LIMITS).await?;
    Ok(tx)
}

fn read_committed() -> TransactionOptions {
    let isolation_level = Some(IsolationLevel::ReadCommitted);
    TransactionOptions { isolation_level, ..TransactionOptions::default() }
}

fn immediate() -> TransactionOptions {
    let sqlite_transaction_mode = Some(SqliteTransactionMode::Immediate);
    TransactionOptions { sqlite_transaction_mode, ..TransactionOptions::default() }
}

/// The time that a transaction may take to begin, the wait for a connection included: a little
/// longer than SQLite's driver waits for its lock.
const FOR_A_CONNECTION: Duration = Duration::from_millis(5500);

/// Limits that last until the end of the transaction, set only where the connection has none.
const POSTGRES_LIMITS: &str = "SET TRANSACTION ISOLATION LEVEL READ COMMITTED; SELECT \
    CASE current_setting('lock_timeout') WHEN '0' THEN set_config('lock_timeout', '5s', true) END, \
    CASE current_setting('statement_timeout') WHEN '0' THEN \
    set_config('statement_timeout', '8s', true) END";

/// A limit that MySQL has for sessions only, so that it stays set; the server's default is 50 s.
/// MySQL has no limit for statements that write; those here are short unless they wait for a lock.
const MYSQL_LIMITS: &str =
    "SET innodb_lock_wait_timeout = LEAST(@@SESSION.innodb_lock_wait_timeout, 5)";
