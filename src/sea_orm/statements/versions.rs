//! Statements about the newest version seen of each record. They order all writers of a record:
//! raising, tombstoning or locking a version locks its row until the end of the transaction.

#[cfg(feature = "backfill")]
use ::sea_orm::sea_query::Order;
use ::sea_orm::sea_query::{
    DynIden, Expr, ExprTrait as _, InsertStatement, IntoIden, OnConflict, Query, SelectStatement,
    UpdateStatement,
};

use crate::ids::Id;
#[cfg(feature = "backfill")]
use crate::sea_orm::dialect::Dialect;
use crate::sea_orm::tables::{TableName, Versions};
use crate::sync::{UPDATED, Version};

/// Raises versions, given in the order of their ids and each once. Affects no row of a record that
/// is deleted, or of which a state at least as new is known.
pub(in crate::sea_orm) fn raise_versions(
    table: &TableName,
    versions: &[(&str, Version)],
) -> InsertStatement {
    let is_older = order_of(&|column| stored(table, column)).lt(order_of(&rejected));
    insert_versions(table, versions, false)
        .on_conflict(
            OnConflict::column(Versions::Id)
                .update_columns(ORDER)
                .action_and_where(stored(table, Versions::Deleted).eq(false))
                .action_and_where(is_older)
                .to_owned(),
        )
        .to_owned()
}

/// Does what [`raise_versions`] does, for one that was [started](start_versions).
pub(in crate::sea_orm) fn raise_started_version(
    table: &TableName,
    id: &Id,
    version: Version,
) -> UpdateStatement {
    Query::update()
        .table(table.reference())
        .value(Versions::Version, version.updated_at)
        .value(Versions::OccurredAt, version.occurred_at)
        .value(Versions::Tie, version.tie)
        .and_where(stored(table, Versions::Id).eq(id.as_str()))
        .and_where(stored(table, Versions::Deleted).eq(false))
        .and_where(order_of(&|column| stored(table, column)).lt(Expr::tuple([
            version.updated_at.into(),
            version.is_update().into(),
            version.occurred_at.into(),
            version.tie.into(),
        ])))
        .to_owned()
}

/// Sets versions that this transaction has locked.
#[cfg(feature = "backfill")]
pub(in crate::sea_orm) fn set_locked_versions(
    table: &TableName,
    versions: &[(&str, Version)],
) -> InsertStatement {
    let mut set = OnConflict::column(Versions::Id);
    set.update_columns(ORDER);
    insert_versions(table, versions, false).on_conflict(set).to_owned()
}

/// Marks a record, known or not, as deleted for ever. Affects no row if it was marked already.
pub(in crate::sea_orm) fn tombstone(table: &TableName, id: &Id) -> InsertStatement {
    insert_versions(table, &[(id.as_str(), Version::UNTOLD)], true)
        .on_conflict(
            OnConflict::column(Versions::Id)
                .update_column(Versions::Deleted)
                .action_and_where(stored(table, Versions::Deleted).eq(false))
                .to_owned(),
        )
        .to_owned()
}

/// Does what [`tombstone`] does, for a record whose version was [started](start_versions).
pub(in crate::sea_orm) fn tombstone_started(table: &TableName, id: &Id) -> UpdateStatement {
    Query::update()
        .table(table.reference())
        .value(Versions::Deleted, true)
        .and_where(stored(table, Versions::Id).eq(id.as_str()))
        .and_where(stored(table, Versions::Deleted).eq(false))
        .to_owned()
}

/// Gives unknown records a version older than every state. The number of affected rows means
/// nothing.
pub(in crate::sea_orm) fn start_versions(table: &TableName, ids: &[&str]) -> InsertStatement {
    let versions: Vec<_> = ids.iter().map(|id| (*id, Version::UNTOLD)).collect();
    start_versions_at(table, &versions)
}

/// Gives unknown records these versions, and leaves the others as they are.
pub(in crate::sea_orm) fn start_versions_at(
    table: &TableName,
    versions: &[(&str, Version)],
) -> InsertStatement {
    let key = Versions::Id;
    insert_versions(table, versions, false)
        .on_conflict(OnConflict::column(key).do_nothing_on([key]).to_owned())
        .to_owned()
}

/// Locks the version of a record and changes nothing. Affects no row if the record is deleted.
pub(in crate::sea_orm) fn lock_version(table: &TableName, id: &Id) -> UpdateStatement {
    Query::update()
        .table(table.reference())
        .value(Versions::Version, Expr::col(Versions::Version))
        .and_where(stored(table, Versions::Id).eq(id.as_str()))
        .and_where(stored(table, Versions::Deleted).eq(false))
        .to_owned()
}

/// Does what [`select_versions`] does, and locks the versions in the order of their ids.
#[cfg(feature = "backfill")]
pub(in crate::sea_orm) fn lock_versions(table: &TableName, ids: &[&str]) -> SelectStatement {
    select_versions(table, ids).order_by(Versions::Id, Order::Asc).lock_exclusive().to_owned()
}

/// Selects id, version, time of the event, tie and tombstone of those of these records that are known.
#[cfg(feature = "backfill")]
pub(in crate::sea_orm) fn select_versions(table: &TableName, ids: &[&str]) -> SelectStatement {
    Query::select()
        .columns([
            Versions::Id,
            Versions::Version,
            Versions::OccurredAt,
            Versions::Tie,
            Versions::Deleted,
        ])
        .from(table.reference())
        .and_where(Expr::col(Versions::Id).is_in(ids.iter().copied()))
        .to_owned()
}

/// Selects the id of a record that is marked as deleted. Returns no row if it is not.
pub(in crate::sea_orm) fn select_deleted(table: &TableName, id: &Id) -> SelectStatement {
    Query::select()
        .column(Versions::Id)
        .from(table.reference())
        .and_where(Expr::col(Versions::Id).eq(id.as_str()))
        .and_where(Expr::col(Versions::Deleted).eq(true))
        .to_owned()
}

/// Selects the ids of records that are not marked as deleted, in byte order, after a given id.
#[cfg(feature = "backfill")]
pub(in crate::sea_orm) fn select_living(
    table: &TableName,
    dialect: Dialect,
    after: Option<&str>,
    limit: u32,
) -> SelectStatement {
    // PostgreSQL would sort by the database's own collation. The ids of these tables have this one
    // from the start, so that their index is used.
    let id = || match dialect {
        Dialect::Postgres => Expr::cust_with_expr("$1 COLLATE \"C\"", Expr::col(Versions::Id)),
        Dialect::MySql | Dialect::Sqlite => Expr::col(Versions::Id),
    };
    Query::select()
        .column(Versions::Id)
        .from(table.reference())
        .and_where(Expr::col(Versions::Deleted).eq(false))
        .and_where_option(after.map(|after| id().gt(after)))
        .order_by_expr(id(), Order::Asc)
        .limit(limit.into())
        .to_owned()
}

fn insert_versions(
    table: &TableName,
    versions: &[(&str, Version)],
    deleted: bool,
) -> InsertStatement {
    let mut insert = Query::insert();
    insert.into_table(table.reference()).columns([
        Versions::Id,
        Versions::Version,
        Versions::OccurredAt,
        Versions::Tie,
        Versions::Deleted,
    ]);
    for (id, version) in versions {
        insert.values_panic([
            (*id).into(),
            version.updated_at.into(),
            version.occurred_at.into(),
            version.tie.into(),
            deleted.into(),
        ]);
    }
    insert
}

/// Returns a version in the order of [`Version`], as one value to compare.
fn order_of(column: &dyn Fn(Versions) -> Expr) -> Expr {
    Expr::tuple([
        column(Versions::Version),
        column(Versions::Tie).gte(UPDATED),
        column(Versions::OccurredAt),
        column(Versions::Tie),
    ])
}

/// Returns the stored column: in a conflict clause the bare name could also mean the rejected
/// row's.
pub(super) fn stored(table: &TableName, column: Versions) -> Expr {
    Expr::col((table.name.clone(), column))
}

/// Returns the column of the row that conflicted with a stored one.
fn rejected(column: Versions) -> Expr {
    let excluded: DynIden = "excluded".into_iden();
    Expr::col((excluded, column))
}

/// The columns of a version.
const ORDER: [Versions; 3] = [Versions::Version, Versions::OccurredAt, Versions::Tie];
