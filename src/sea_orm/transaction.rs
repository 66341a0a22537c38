//! How a transaction begins on each database, how long it waits, and which databases there are.

use std::time::Duration;

use ::sea_orm::error::ConnAcquireErr;
use ::sea_orm::{
    ConnectionTrait as _, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr,
    IsolationLevel, SqliteTransactionMode, TransactionOptions, TransactionTrait as _,
};

/// Begins a transaction that may write, and that waits for nothing as long as Svix waits for us:
/// 5 s for a connection and for a lock, 8 s for a statement.
///
/// PostgreSQL and MySQL: read committed, so that a writer who waited for a row's lock sees what the
/// other one committed instead of failing, and so that MySQL locks rows and not the gaps between
/// them. SQLite: a write lock from the start, since a lock that is
/// wanted later is refused at once when somebody else wrote meanwhile.
pub(super) async fn begin(db: &DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
    let begun = async {
        match db.get_database_backend() {
            // The driver waits 5 s for the lock.
            DbBackend::Sqlite => db.begin_with_options(immediate()).await,
            _ => run_to_completion(begin_on_server(db.clone())).await,
        }
    };
    match tokio::time::timeout(FOR_A_CONNECTION, begun).await {
        Ok(begun) => begun,
        Err(_) => Err(DbErr::ConnectionAcquire(ConnAcquireErr::Timeout)),
    }
}

/// Begins a transaction for migrations, which may have to wait for each other. Not to be dropped
/// before it has begun: see [`run_to_completion`].
#[cfg(feature = "sea-orm-migration")]
pub(super) async fn begin_patiently(db: &DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
    match db.get_database_backend() {
        DbBackend::MySql | DbBackend::Postgres => db.begin_with_options(read_committed()).await,
        DbBackend::Sqlite => db.begin_with_options(immediate()).await,
        _ => Err(unsupported()),
    }
}

/// Runs what must not be broken off, as a task that whoever waits for it may leave.
///
/// The driver counts a transaction from the server's answer to `BEGIN` on: a future that is dropped
/// before gives a connection back to the pool with a transaction in it that nobody ends, and takes
/// the application's next statements with it. A task that was left ends with a whole
/// [`DatabaseTransaction`], which rolls back. And MySQL's driver loses count of the answers when it
/// is left while it prepares a statement: that connection hangs from then on.
pub(super) async fn run_to_completion<T: Send + 'static>(
    work: impl Future<Output = Result<T, DbErr>> + Send + 'static,
) -> Result<T, DbErr> {
    match tokio::spawn(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime ends, and this with it.
            Err(_) => Err(DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed)),
        },
    }
}

async fn begin_on_server(db: DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
    match db.get_database_backend() {
        DbBackend::MySql => {
            let tx = db.begin_with_options(read_committed()).await?;
            tx.execute_unprepared(MYSQL_LIMITS).await?;
            Ok(tx)
        }
        DbBackend::Postgres => {
            // In one message with the limits, where the option would be a message of its own.
            let tx = db.begin().await?;
            tx.execute_unprepared(POSTGRES_LIMITS).await?;
            Ok(tx)
        }
        _ => Err(unsupported()),
    }
}

/// Whether the statements are written for this database.
pub(super) fn is_supported(backend: DbBackend) -> bool {
    matches!(backend, DbBackend::MySql | DbBackend::Postgres | DbBackend::Sqlite)
}

pub(super) const UNSUPPORTED: &str = "must be MySQL, MariaDB, PostgreSQL or SQLite";

fn unsupported() -> DbErr {
    DbErr::BackendNotSupported { db: "this database", ctx: UNSUPPORTED }
}

fn read_committed() -> TransactionOptions {
    let isolation_level = Some(IsolationLevel::ReadCommitted);
    TransactionOptions { isolation_level, ..TransactionOptions::default() }
}

fn immediate() -> TransactionOptions {
    let sqlite_transaction_mode = Some(SqliteTransactionMode::Immediate);
    TransactionOptions { sqlite_transaction_mode, ..TransactionOptions::default() }
}

/// A little more than SQLite's driver waits for its lock.
const FOR_A_CONNECTION: Duration = Duration::from_millis(5500);

/// Until the end of the transaction, and only where nobody set a limit.
const POSTGRES_LIMITS: &str = "SET TRANSACTION ISOLATION LEVEL READ COMMITTED; SELECT \
    CASE current_setting('lock_timeout') WHEN '0' THEN set_config('lock_timeout', '5s', true) END, \
    CASE current_setting('statement_timeout') WHEN '0' THEN \
    set_config('statement_timeout', '8s', true) END";

/// A session has this one alone, and it stays set: 50 s if nobody said otherwise. MySQL has no
/// limit for statements that write; what does not wait for a lock does not take long here.
const MYSQL_LIMITS: &str =
    "SET innodb_lock_wait_timeout = LEAST(@@SESSION.innodb_lock_wait_timeout, 5)";
