//! How a transaction begins on each database, and which databases there are.

use ::sea_orm::{
    DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, IsolationLevel,
    SqliteTransactionMode, TransactionOptions, TransactionTrait as _,
};

/// Begins a transaction that may write.
///
/// PostgreSQL and MySQL: read committed, so that a writer who waited for a row's lock sees what the
/// other one committed instead of failing, and so that MySQL locks rows and not the gaps between
/// them. SQLite: a write lock from the start, since a lock that is
/// wanted later is refused at once when somebody else wrote meanwhile.
pub(super) async fn begin(db: &DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
    let options = match db.get_database_backend() {
        DbBackend::MySql | DbBackend::Postgres => TransactionOptions {
            isolation_level: Some(IsolationLevel::ReadCommitted),
            ..TransactionOptions::default()
        },
        DbBackend::Sqlite => TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        },
        _ => return Err(DbErr::BackendNotSupported { db: "this database", ctx: UNSUPPORTED }),
    };
    db.begin_with_options(options).await
}

/// Whether the statements are written for this database.
pub(super) fn is_supported(backend: DbBackend) -> bool {
    matches!(backend, DbBackend::MySql | DbBackend::Postgres | DbBackend::Sqlite)
}

pub(super) const UNSUPPORTED: &str = "must be MySQL, MariaDB, PostgreSQL or SQLite";
