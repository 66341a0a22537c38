//! Statements that take a deletion back, and that look at the age of rows. Only operators and backfills
//! need them.

use ::sea_orm::Value;
use ::sea_orm::prelude::DateTimeUtc;
#[cfg(feature = "backfill")]
use ::sea_orm::sea_query::Expr;
#[cfg(feature = "backfill")]
use ::sea_orm::sea_query::SelectStatement;
use ::sea_orm::sea_query::{DynIden, ExprTrait as _, Query, UpdateStatement};

use super::rows::is;
use super::versions::stored;
use crate::ids::Id;
use crate::sea_orm::tables::{Rows, TableName, Versions};
use crate::sync::Version;

/// Removes a record's tombstone, and sets the version below that of every state. Affects no row if the
/// record is not marked as deleted.
pub(in crate::sea_orm) fn remove_tombstone(table: &TableName, id: &Id) -> UpdateStatement {
    Query::update()
        .table(table.reference())
        .value(Versions::Deleted, false)
        .value(Versions::Version, Version::UNTOLD.updated_at)
        .value(Versions::OccurredAt, Version::UNTOLD.occurred_at)
        .value(Versions::Tie, Version::UNTOLD.tie)
        .and_where(stored(table, Versions::Id).eq(id.as_str()))
        .and_where(stored(table, Versions::Deleted).eq(true))
        .to_owned()
}

/// Removes the time of the deletion from a user's row. The transaction must hold the version's lock.
pub(in crate::sea_orm) fn unmark_deleted(
    table: &Rows,
    deleted_at: &DynIden,
    id: &Id,
) -> UpdateStatement {
    Query::update()
        .table(table.table.reference())
        .value(deleted_at.clone(), Value::from(None::<DateTimeUtc>))
        .and_where(is(&table.key, id.as_str()))
        .to_owned()
}

/// Selects the ids and times of creation of those of these users who have a row.
#[cfg(feature = "backfill")]
pub(in crate::sea_orm) fn select_creations(
    table: &Rows,
    created_at: &DynIden,
    ids: &[&str],
) -> SelectStatement {
    Query::select()
        .columns([&table.key, created_at].map(Clone::clone))
        .from(table.table.reference())
        .and_where(Expr::col(table.key.clone()).is_in(ids.iter().copied()))
        .to_owned()
}
