//! Statements about the rows of users, organizations and memberships. The transaction that runs
//! them must hold the version's lock.

use ::sea_orm::Value;
use ::sea_orm::sea_query::{
    DeleteStatement, DynIden, Expr, ExprTrait as _, InsertStatement, OnConflict, Query,
    SelectStatement, UpdateStatement,
};

use crate::ids::Id;
use crate::sea_orm::row::Row;
use crate::sea_orm::tables::Rows;

/// Inserts rows of one kind, or overwrites those that exist.
pub(in crate::sea_orm) fn write_rows(table: &Rows, rows: &[Row]) -> InsertStatement {
    let mut write = OnConflict::column(table.key.clone());
    match rows.first() {
        Some(first) if !first.columns.is_empty() => {
            write.update_columns(first.columns.iter().map(|(column, _)| column.clone()));
        }
        // A row of ids alone is overwritten by itself.
        _ => drop(write.update_column(table.key.clone())),
    }
    insert_rows(table, rows).on_conflict(write).to_owned()
}

/// Inserts rows of one kind. Violates the key if one exists.
pub(in crate::sea_orm) fn insert_rows(table: &Rows, rows: &[Row]) -> InsertStatement {
    let mut insert = Query::insert();
    insert.into_table(table.table.reference());
    if let Some(first) = rows.first() {
        let columns = first.own_key.iter().chain(&first.columns).map(|(column, _)| column.clone());
        insert.columns([table.key.clone()].into_iter().chain(columns));
    }
    for row in rows {
        let values = row.own_key.iter().chain(&row.columns);
        let values = values.map(|(_, value)| Expr::val(value.clone()));
        insert.values_panic([Expr::val(row.id.as_str())].into_iter().chain(values));
    }
    insert
}

/// Inserts a row, unless there is one. The number of affected rows means nothing.
pub(in crate::sea_orm) fn start_row(table: &Rows, row: &Row) -> InsertStatement {
    let unless =
        OnConflict::column(table.key.clone()).do_nothing_on([table.key.clone()]).to_owned();
    insert_rows(table, std::slice::from_ref(row)).on_conflict(unless).to_owned()
}

/// Updates a row, whose own key stays. Affects no row if there is none.
pub(in crate::sea_orm) fn update_row(table: &Rows, row: &Row) -> UpdateStatement {
    let values = row.columns.iter().map(|(column, value)| (column.clone(), value.clone().into()));
    // A statement must set something.
    let key = (table.key.clone(), Expr::col(table.key.clone()));
    let key = row.columns.is_empty().then_some(key);
    Query::update()
        .table(table.table.reference())
        .values(values.chain(key))
        .and_where(is(&table.key, row.id.as_str()))
        .to_owned()
}

/// Deletes the rows that have this id in a column.
pub(in crate::sea_orm) fn delete_where(
    table: &Rows,
    column: &DynIden,
    id: &str,
) -> DeleteStatement {
    Query::delete().from_table(table.table.reference()).and_where(is(column, id)).to_owned()
}

/// Sets the time of the deletion in a user's row. Affects no row if there is none, or if it is set.
pub(in crate::sea_orm) fn mark_deleted(
    table: &Rows,
    deleted_at: &DynIden,
    id: &Id,
    now: Value,
) -> UpdateStatement {
    Query::update()
        .table(table.table.reference())
        .value(deleted_at.clone(), now)
        .and_where(is(&table.key, id.as_str()))
        .and_where(Expr::col(deleted_at.clone()).is_null())
        .to_owned()
}

/// Empties one column of a row.
pub(in crate::sea_orm) fn empty(table: &Rows, id: &str, column: &DynIden) -> UpdateStatement {
    Query::update()
        .table(table.table.reference())
        .value(column.clone(), Expr::cust("NULL"))
        .and_where(is(&table.key, id))
        .to_owned()
}

/// Selects the ids of the rows that have this id in a column.
pub(in crate::sea_orm) fn select_ids(table: &Rows, column: &DynIden, id: &Id) -> SelectStatement {
    Query::select()
        .column(table.key.clone())
        .from(table.table.reference())
        .and_where(is(column, id.as_str()))
        .to_owned()
}

/// Selects which of these ids have rows.
pub(in crate::sea_orm) fn select_rows(table: &Rows, ids: &[&str]) -> SelectStatement {
    Query::select()
        .column(table.key.clone())
        .from(table.table.reference())
        .and_where(Expr::col(table.key.clone()).is_in(ids.iter().copied()))
        .to_owned()
}

/// Returns the condition that a column has this id.
pub(super) fn is(column: &DynIden, id: &str) -> Expr {
    Expr::col(column.clone()).eq(id)
}
