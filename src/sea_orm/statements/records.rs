//! Statements about rows that only backfills need.

use ::sea_orm::sea_query::{DynIden, Expr, ExprTrait as _, Query, SelectStatement};

use crate::sea_orm::dialect::Dialect;
use crate::sea_orm::entity::{organization, organization_membership};
use crate::sea_orm::tables::Rows;

/// Selects the ids of those of these records that have a row, and these columns as texts.
pub(in crate::sea_orm) fn select_texts(
    table: &Rows,
    columns: &[DynIden],
    ids: &[&str],
    dialect: Dialect,
) -> SelectStatement {
    let text = match dialect {
        Dialect::MySql => "char",
        Dialect::Postgres | Dialect::Sqlite => "text",
    };
    Query::select()
        .column(table.key.clone())
        .exprs(columns.iter().map(|column| Expr::col(column.clone()).cast_as(text)))
        .from(table.table.reference())
        .and_where(Expr::col(table.key.clone()).is_in(ids.iter().copied()))
        .to_owned()
}

/// Selects the ids of an organization's memberships, and of their users.
pub(in crate::sea_orm) fn select_members(table: &Rows, organization_id: &str) -> SelectStatement {
    use organization_membership::Column;
    Query::select()
        .columns([Column::Id, Column::UserId])
        .from(table.table.reference())
        .and_where(Expr::col(Column::OrganizationId).eq(organization_id))
        .to_owned()
}

/// Selects the ids and times of creation of those of these organizations, or memberships, that have a row.
pub(in crate::sea_orm) fn select_record_creations(table: &Rows, ids: &[&str]) -> SelectStatement {
    // The column has the same name in both tables.
    Query::select()
        .column(table.key.clone())
        .column(organization::Column::CreatedAt)
        .from(table.table.reference())
        .and_where(Expr::col(table.key.clone()).is_in(ids.iter().copied()))
        .to_owned()
}
