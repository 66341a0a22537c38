//! Statements about the rows of users, organizations and memberships. The transaction that runs
//! them must hold the version's lock.

use ::sea_orm::Value;
use ::sea_orm::sea_query::{
    DeleteStatement, DynIden, Expr, ExprTrait as _, InsertStatement, IntoIden, OnConflict, Query,
    SelectStatement, UpdateStatement,
};

use crate::ids::Id;
use crate::sea_orm::row::Row;
use crate::sea_orm::tables::{DELETED_AT, TableName};

/// Inserts rows of one kind, or overwrites those that exist.
pub(in crate::sea_orm) fn write_rows(table: &TableName, rows: &[Row]) -> InsertStatement {
    let mut write = OnConflict::column(ID);
    if let Some(first) = rows.first() {
        write.update_columns(first.columns.iter().map(|(column, _)| column.clone()));
    }
    insert_rows(table, rows).on_conflict(write).to_owned()
}

/// Inserts rows of one kind. Violates the primary key if one exists.
pub(in crate::sea_orm) fn insert_rows(table: &TableName, rows: &[Row]) -> InsertStatement {
    let mut insert = Query::insert();
    insert.into_table(table.reference());
    if let Some(first) = rows.first() {
        let columns = first.columns.iter().map(|(column, _)| column.clone());
        insert.columns([ID.into_iden()].into_iter().chain(columns));
    }
    for row in rows {
        let values = row.columns.iter().map(|(_, value)| Expr::val(value.clone()));
        insert.values_panic([Expr::val(row.id.as_str())].into_iter().chain(values));
    }
    insert
}

/// Inserts a row, unless there is one. The number of affected rows means nothing.
pub(in crate::sea_orm) fn start_row(table: &TableName, row: &Row) -> InsertStatement {
    insert_rows(table, std::slice::from_ref(row))
        .on_conflict(OnConflict::column(ID).do_nothing_on([ID]).to_owned())
        .to_owned()
}

/// Updates a row. Affects no row if there is none.
pub(in crate::sea_orm) fn update_row(table: &TableName, row: &Row) -> UpdateStatement {
    let values = row.columns.iter().map(|(column, value)| (column.clone(), value.clone().into()));
    Query::update()
        .table(table.reference())
        .values(values)
        .and_where(Expr::col(ID).eq(row.id.as_str()))
        .to_owned()
}

/// Deletes the rows that have this id in a column.
pub(in crate::sea_orm) fn delete_where(
    table: &TableName,
    column: impl IntoIden,
    id: &str,
) -> DeleteStatement {
    Query::delete()
        .from_table(table.reference())
        .and_where(Expr::col(column.into_iden()).eq(id))
        .to_owned()
}

/// Sets the time of the deletion in a user's row. Affects no row if there is none, or if it is set.
pub(in crate::sea_orm) fn mark_deleted(table: &TableName, id: &Id, now: Value) -> UpdateStatement {
    Query::update()
        .table(table.reference())
        .value(DELETED_AT, now)
        .and_where(Expr::col(ID).eq(id.as_str()))
        .and_where(Expr::col(DELETED_AT).is_null())
        .to_owned()
}

/// Empties one column of a row.
pub(in crate::sea_orm) fn empty(table: &TableName, id: &str, column: &DynIden) -> UpdateStatement {
    Query::update()
        .table(table.reference())
        .value(column.clone(), Expr::cust("NULL"))
        .and_where(Expr::col(ID).eq(id))
        .to_owned()
}

/// Selects the ids of the rows that have this id in a column.
pub(in crate::sea_orm) fn select_ids(
    table: &TableName,
    column: DynIden,
    id: &Id,
) -> SelectStatement {
    Query::select()
        .column(ID)
        .from(table.reference())
        .and_where(Expr::col(column).eq(id.as_str()))
        .to_owned()
}

/// Selects which of these ids have rows.
pub(in crate::sea_orm) fn select_rows(table: &TableName, ids: &[&str]) -> SelectStatement {
    Query::select()
        .column(ID)
        .from(table.reference())
        .and_where(Expr::col(ID).is_in(ids.iter().copied()))
        .to_owned()
}

/// The key column, the same in every kind of row.
pub(in crate::sea_orm) const ID: &str = "id";
