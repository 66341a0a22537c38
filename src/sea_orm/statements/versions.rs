//! Statements about the newest state seen of each thing. They order all writers of the same thing:
//! whoever raises, tombstones or locks a version holds its row until the end of the transaction.

use ::sea_orm::sea_query::{
    DynIden, Expr, ExprTrait as _, InsertStatement, IntoIden, OnConflict, Query, SelectStatement,
    UpdateStatement,
};
#[cfg(feature = "backfill")]
use ::sea_orm::{DbBackend, sea_query::Order};

use crate::ids::Id;
use crate::sea_orm::tables::{TableName, Versions};
use crate::sea_orm::version::Version;

/// Raises versions, given in the order of their ids and each once. No row for one of which a state
/// at least as new is known, or that is gone.
pub(in crate::sea_orm) fn raise_versions(
    table: &TableName,
    versions: &[(&str, Version)],
) -> InsertStatement {
    insert_versions(table, versions, false)
        .on_conflict(
            OnConflict::column(Versions::Id)
                .update_columns([Versions::Version, Versions::Tie])
                .action_and_where(stored(table, Versions::Deleted).eq(false))
                .action_and_where(is_older_than(
                    table,
                    rejected(Versions::Version),
                    rejected(Versions::Tie),
                ))
                .to_owned(),
        )
        .to_owned()
}

/// [`raise_versions`] for one that was [started](start_versions).
pub(in crate::sea_orm) fn raise_started_version(
    table: &TableName,
    id: &Id,
    version: Version,
) -> UpdateStatement {
    Query::update()
        .table(table.reference())
        .value(Versions::Version, version.updated_at)
        .value(Versions::Tie, version.tie)
        .and_where(stored(table, Versions::Id).eq(id.as_str()))
        .and_where(stored(table, Versions::Deleted).eq(false))
        .and_where(is_older_than(table, version.updated_at.into(), version.tie.into()))
        .to_owned()
}

/// Sets versions that this transaction has locked.
#[cfg(feature = "backfill")]
pub(in crate::sea_orm) fn set_locked_versions(
    table: &TableName,
    versions: &[(&str, Version)],
) -> InsertStatement {
    let mut set = OnConflict::column(Versions::Id);
    set.update_columns([Versions::Version, Versions::Tie]);
    insert_versions(table, versions, false).on_conflict(set).to_owned()
}

/// Marks a thing, known or not, as deleted for ever. No row: it was marked already.
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

/// [`tombstone`] for one whose version was [started](start_versions).
pub(in crate::sea_orm) fn tombstone_started(table: &TableName, id: &Id) -> UpdateStatement {
    Query::update()
        .table(table.reference())
        .value(Versions::Deleted, true)
        .and_where(stored(table, Versions::Id).eq(id.as_str()))
        .and_where(stored(table, Versions::Deleted).eq(false))
        .to_owned()
}

/// Gives things that nobody has named yet a version older than every state. How many rows it
/// affects says nothing.
pub(in crate::sea_orm) fn start_versions(table: &TableName, ids: &[&str]) -> InsertStatement {
    let key = Versions::Id;
    let versions: Vec<_> = ids.iter().map(|id| (*id, Version::UNTOLD)).collect();
    insert_versions(table, &versions, false)
        .on_conflict(OnConflict::column(key).do_nothing_on([key]).to_owned())
        .to_owned()
}

/// Changes nothing and takes the lock of a living thing's version. No row: it is gone.
pub(in crate::sea_orm) fn lock_version(table: &TableName, id: &Id) -> UpdateStatement {
    Query::update()
        .table(table.reference())
        .value(Versions::Version, Expr::col(Versions::Version))
        .and_where(stored(table, Versions::Id).eq(id.as_str()))
        .and_where(stored(table, Versions::Deleted).eq(false))
        .to_owned()
}

/// [`select_versions`], and locks them in the order of their ids.
#[cfg(feature = "backfill")]
pub(in crate::sea_orm) fn lock_versions(table: &TableName, ids: &[&str]) -> SelectStatement {
    select_versions(table, ids).order_by(Versions::Id, Order::Asc).lock_exclusive().to_owned()
}

/// Id, version, tie and tombstone of the things that somebody has named.
#[cfg(feature = "backfill")]
pub(in crate::sea_orm) fn select_versions(table: &TableName, ids: &[&str]) -> SelectStatement {
    Query::select()
        .columns([Versions::Id, Versions::Version, Versions::Tie, Versions::Deleted])
        .from(table.reference())
        .and_where(Expr::col(Versions::Id).is_in(ids.iter().copied()))
        .to_owned()
}

/// The id of a thing that is marked as deleted. No row: it is not.
pub(in crate::sea_orm) fn select_deleted(table: &TableName, id: &Id) -> SelectStatement {
    Query::select()
        .column(Versions::Id)
        .from(table.reference())
        .and_where(Expr::col(Versions::Id).eq(id.as_str()))
        .and_where(Expr::col(Versions::Deleted).eq(true))
        .to_owned()
}

/// Ids of things that are not marked as deleted, in byte order, from behind one of them.
#[cfg(feature = "backfill")]
pub(in crate::sea_orm) fn select_living(
    table: &TableName,
    backend: DbBackend,
    after: Option<&str>,
    limit: u32,
) -> SelectStatement {
    // PostgreSQL would sort by the rules of the database's language. The tables' own ids have this
    // collation from the start, so that their index serves.
    let id = || match backend {
        DbBackend::Postgres => Expr::cust_with_expr("$1 COLLATE \"C\"", Expr::col(Versions::Id)),
        _ => Expr::col(Versions::Id),
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
        Versions::Tie,
        Versions::Deleted,
    ]);
    for (id, version) in versions {
        insert.values_panic([
            (*id).into(),
            version.updated_at.into(),
            version.tie.into(),
            deleted.into(),
        ]);
    }
    insert
}

fn is_older_than(table: &TableName, updated_at: Expr, tie: Expr) -> Expr {
    let version = || stored(table, Versions::Version);
    let same_time_and_less =
        version().eq(updated_at.clone()).and(stored(table, Versions::Tie).lt(tie));
    version().lt(updated_at).or(same_time_and_less)
}

/// The stored column: in a conflict clause the bare name would also mean the rejected row's.
pub(super) fn stored(table: &TableName, column: Versions) -> Expr {
    Expr::col((table.name.clone(), column))
}

/// What the row that met a stored one would have brought.
fn rejected(column: Versions) -> Expr {
    let excluded: DynIden = "excluded".into_iden();
    Expr::col((excluded, column))
}
