//! Statements that read or change a version together with its row.

use ::sea_orm::sea_query::{
    Expr, ExprTrait as _, Query, SelectStatement, SubQueryStatement, UpdateStatement,
};
use ::sea_orm::{ColumnTrait as _, Iterable as _};

use super::rows::{is, select_rows};
use super::versions::{select_deleted, stored};
use crate::ids::Id;
use crate::sea_orm::dialect::Dialect;
use crate::sea_orm::entity::user;
use crate::sea_orm::mapping::UserColumns;
use crate::sea_orm::tables::{Kind, Versions};
use crate::sync::Version;

/// Selects a user's row by the entity's names, if neither the version nor the row is marked as
/// deleted.
pub(in crate::sea_orm) fn select_user(
    dialect: Dialect,
    kind: &Kind,
    columns: &UserColumns,
    id: &Id,
) -> SelectStatement {
    let mut select = Query::select();
    for column in user::Column::iter() {
        let value = match columns.named(column) {
            Some(name) => Expr::col(name.clone()),
            None if column.def().is_null() => Expr::cust("CAST(NULL AS CHAR(1))"),
            None => Expr::cust(dialect.beginning_of_time()),
        };
        // Without the alias, SQLite returns the name in the table's own case.
        select.expr_as(value, column);
    }
    select
        .from(kind.rows.table.reference())
        .and_where(is(&kind.rows.key, id.as_str()))
        .and_where(Expr::not_exists(select_deleted(&kind.versions, id)));
    if let Some(deleted_at) = &columns.deleted_at {
        select.and_where(Expr::col(deleted_at.clone()).is_null());
    }
    select
}

/// Selects whether a record is marked as deleted, and the id in its row, if it has one. Returns no
/// row for an unknown record.
pub(in crate::sea_orm) fn select_status(kind: &Kind, id: &Id) -> SelectStatement {
    let Kind { rows, versions, .. } = kind;
    let row = SubQueryStatement::SelectStatement(select_rows(rows, &[id.as_str()]));
    Query::select()
        .column(Versions::Deleted)
        .expr(Expr::SubQuery(None, Box::new(row)))
        .from(versions.reference())
        .and_where(Expr::col(Versions::Id).eq(id.as_str()))
        .to_owned()
}

/// Makes the version of a record without a row older than every state. The transaction must have
/// locked the version: otherwise another one could be inserting the row.
pub(in crate::sea_orm) fn forget_version_without_row(kind: &Kind, id: &Id) -> UpdateStatement {
    let Kind { rows, versions, .. } = kind;
    Query::update()
        .table(versions.reference())
        .value(Versions::Version, Version::UNTOLD.updated_at)
        .value(Versions::OccurredAt, Version::UNTOLD.occurred_at)
        .value(Versions::Tie, Version::UNTOLD.tie)
        .and_where(stored(versions, Versions::Id).eq(id.as_str()))
        .and_where(Expr::not_exists(select_rows(rows, &[id.as_str()])))
        .to_owned()
}
