//! The steps of a transaction, on every database and for every kind of record. Only this file and
//! `batch` choose statements by database.

use ::sea_orm::prelude::DateTimeUtc;
use ::sea_orm::{ConnectionTrait as _, DatabaseTransaction, DbBackend, DbErr, StatementBuilder};

use super::row::Row;
use super::statements::Recording;
use super::tables::{Kind, TableName};
use super::version::Version;
use super::{failure, statements};
use crate::ids::Id;
use crate::webhook::Outcome;

/// Records a delivery. Returns `false` if a committed transaction has recorded it already.
pub(super) async fn record_delivery(
    tx: &DatabaseTransaction,
    recording: &Recording<'_>,
) -> Result<bool, DbErr> {
    if !is_mysql(tx) {
        return affects(tx, &statements::record_delivery(recording)).await;
    }
    match tx.execute(&statements::insert_delivery(recording)).await {
        Ok(_) => Ok(true),
        Err(error) if failure::is_duplicate(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Records a delivery and applies the state that it carries.
pub(super) async fn record_and_upsert(
    tx: &DatabaseTransaction,
    recording: &Recording<'_>,
    kind: &Kind,
    row: &Row,
    version: Version,
) -> Result<Outcome, DbErr> {
    if tx.get_database_backend() == DbBackend::Postgres && row.is_plain() {
        let at_once = statements::record_and_upsert(recording, kind, row, version);
        return Ok(match tx.execute_raw(at_once).await?.rows_affected() {
            0 => Outcome::Duplicate,
            1 => Outcome::Stale,
            _ => Outcome::Applied,
        });
    }
    if !record_delivery(tx, recording).await? {
        return Ok(Outcome::Duplicate);
    }
    upsert(tx, kind, row, version).await
}

/// Applies a state. Raises the version first: the lock of its row keeps other writers of the same
/// record out until the commit.
pub(super) async fn upsert(
    tx: &DatabaseTransaction,
    kind: &Kind,
    row: &Row,
    version: Version,
) -> Result<Outcome, DbErr> {
    if !raise_version(tx, kind, &row.id, version).await? {
        return Ok(Outcome::Stale);
    }
    write_row(tx, kind, row).await?;
    Ok(Outcome::Applied)
}

/// Deletes deliveries that were received before a time, [`FORGOTTEN_AT_ONCE`] at most, and returns
/// how many.
pub(super) async fn forget_deliveries(
    tx: &DatabaseTransaction,
    table: &TableName,
    before: DateTimeUtc,
) -> Result<u64, DbErr> {
    let forget = match is_mysql(tx) {
        true => statements::forget_some_deliveries(table, before, FORGOTTEN_AT_ONCE),
        false => statements::forget_deliveries(table, before, FORGOTTEN_AT_ONCE),
    };
    Ok(tx.execute(&forget).await?.rows_affected())
}

/// Raises a version and locks it until the end of the transaction. Returns `false` if a state at
/// least as new is known or the record is deleted.
async fn raise_version(
    tx: &DatabaseTransaction,
    kind: &Kind,
    id: &Id,
    version: Version,
) -> Result<bool, DbErr> {
    let table = &kind.versions;
    if !is_mysql(tx) {
        return affects(tx, &statements::raise_versions(table, &[(id.as_str(), version)])).await;
    }
    tx.execute(&statements::start_versions(table, &[id.as_str()])).await?;
    affects(tx, &statements::raise_started_version(table, id, version)).await
}

/// Marks a record, known or not, as deleted for ever. Returns `false` if it was marked already.
pub(super) async fn tombstone(
    tx: &DatabaseTransaction,
    kind: &Kind,
    id: &Id,
) -> Result<bool, DbErr> {
    let table = &kind.versions;
    if !is_mysql(tx) {
        return affects(tx, &statements::tombstone(table, id)).await;
    }
    tx.execute(&statements::start_versions(table, &[id.as_str()])).await?;
    affects(tx, &statements::tombstone_started(table, id)).await
}

/// Locks a version until the end of the transaction and inserts a row, unless there is one, for a
/// record that no event has described yet. Returns `false`, and inserts nothing, if the record is
/// deleted.
pub(super) async fn start(tx: &DatabaseTransaction, kind: &Kind, row: &Row) -> Result<bool, DbErr> {
    let lives = lock(tx, kind, &row.id).await?;
    if lives {
        tx.execute(&statements::start_row(&kind.rows, row)).await?;
    }
    Ok(lives)
}

/// Inserts a row for a record whose version is locked and which has none. If other code removed an
/// earlier row, it also sets the version below that of every state, so that any event and any backfill
/// fills the new row.
pub(super) async fn start_anew(
    tx: &DatabaseTransaction,
    kind: &Kind,
    row: &Row,
) -> Result<(), DbErr> {
    tx.execute(&statements::forget_version_without_row(kind, &row.id)).await?;
    tx.execute(&statements::start_row(&kind.rows, row)).await?;
    Ok(())
}

/// Writes a row whose version is locked.
///
/// On MySQL it uses no conflict clause, which cannot name the key that it applies to: it would
/// overwrite an unrelated row if the application has made another column unique.
async fn write_row(tx: &DatabaseTransaction, kind: &Kind, row: &Row) -> Result<(), DbErr> {
    let rows = std::slice::from_ref(row);
    if !is_mysql(tx) {
        tx.execute(&statements::write_rows(&kind.rows, rows)).await?;
    } else if !affects(tx, &statements::update_row(&kind.rows, row)).await? {
        tx.execute(&statements::insert_rows(&kind.rows, rows)).await?;
    }
    Ok(())
}

/// Locks a version, which orders what follows against a deletion on another connection. Returns
/// `false` if the record is deleted.
pub(super) async fn lock(tx: &DatabaseTransaction, kind: &Kind, id: &Id) -> Result<bool, DbErr> {
    tx.execute(&statements::start_versions(&kind.versions, &[id.as_str()])).await?;
    affects(tx, &statements::lock_version(&kind.versions, id)).await
}

pub(super) fn is_mysql(tx: &DatabaseTransaction) -> bool {
    tx.get_database_backend() == DbBackend::MySql
}

async fn affects(
    tx: &DatabaseTransaction,
    statement: &impl StatementBuilder,
) -> Result<bool, DbErr> {
    // On MySQL sqlx asks for the number of matched rows, whether or not they changed.
    Ok(tx.execute(statement).await?.rows_affected() != 0)
}

pub(super) const FORGOTTEN_AT_ONCE: u64 = 5000;
