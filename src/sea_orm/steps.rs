//! The steps of a transaction, the same on every database. The only file that tells them apart by
//! the statements they get.

use ::sea_orm::prelude::DateTimeUtc;
use ::sea_orm::{ConnectionTrait as _, DatabaseTransaction, DbBackend, DbErr, StatementBuilder};

use super::version::Version;
use super::{failure, statements};
use crate::webhook::User;

/// Records a delivery. False: it is recorded already, by a transaction that has been committed.
pub(super) async fn record_delivery(
    tx: &DatabaseTransaction,
    id: &str,
    now: DateTimeUtc,
) -> Result<bool, DbErr> {
    if !is_mysql(tx) {
        return affects(tx, &statements::record_delivery(id, now)).await;
    }
    match tx.execute(&statements::insert_delivery(id, now)).await {
        Ok(_) => Ok(true),
        Err(error) if failure::is_duplicate(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Raises a user's version and locks it until the end of the transaction. False: a state at least
/// as new is known, or the user is gone.
pub(super) async fn raise_version(
    tx: &DatabaseTransaction,
    id: &str,
    version: Version,
) -> Result<bool, DbErr> {
    if !is_mysql(tx) {
        return affects(tx, &statements::raise_version(id, version)).await;
    }
    tx.execute(&statements::start_version(id)).await?;
    affects(tx, &statements::raise_started_version(id, version)).await
}

/// Marks a user, known or not, as deleted for ever. False: it was marked already.
pub(super) async fn bury(tx: &DatabaseTransaction, id: &str) -> Result<bool, DbErr> {
    if !is_mysql(tx) {
        return affects(tx, &statements::bury(id)).await;
    }
    tx.execute(&statements::start_version(id)).await?;
    affects(tx, &statements::bury_started(id)).await
}

/// Locks the version of a user, known or not, until the end of the transaction. False: the user
/// is gone.
pub(super) async fn lock_version(tx: &DatabaseTransaction, id: &str) -> Result<bool, DbErr> {
    tx.execute(&statements::start_version(id)).await?;
    affects(tx, &statements::lock_version(id)).await
}

/// Writes the row of a user whose version is locked.
///
/// Not with MySQL's conflict clause: it does not say which key it is about, and would write over
/// somebody else's row where an application made another column unique.
pub(super) async fn write_user(tx: &DatabaseTransaction, user: &User) -> Result<(), DbErr> {
    if !is_mysql(tx) {
        tx.execute(&statements::write_user(user)).await?;
    } else if !affects(tx, &statements::update_user(user)).await? {
        tx.execute(&statements::insert_user(user)).await?;
    }
    Ok(())
}

async fn affects(
    tx: &DatabaseTransaction,
    statement: &impl StatementBuilder,
) -> Result<bool, DbErr> {
    // On MySQL sqlx asks for the rows that were found, whether or not they changed.
    Ok(tx.execute(statement).await?.rows_affected() != 0)
}

fn is_mysql(tx: &DatabaseTransaction) -> bool {
    tx.get_database_backend() == DbBackend::MySql
}
