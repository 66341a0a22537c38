//! Statements about recorded deliveries.

use ::sea_orm::Value;
use ::sea_orm::sea_query::{
    DeleteStatement, Expr, ExprTrait as _, InsertStatement, OnConflict, Query,
};

use crate::sea_orm::tables::{Deliveries, TableName};

/// A delivery to be recorded.
#[derive(Clone, Debug)]
pub(in crate::sea_orm) struct Recording<'a> {
    pub(in crate::sea_orm) table: &'a TableName,
    pub(in crate::sea_orm) id: &'a str,
    pub(in crate::sea_orm) received_at: Value,
}

/// Records a delivery. Affects no row if it is recorded already.
pub(in crate::sea_orm) fn record_delivery(recording: &Recording<'_>) -> InsertStatement {
    insert_delivery(recording)
        .on_conflict(OnConflict::column(Deliveries::Id).do_nothing().to_owned())
        .to_owned()
}

/// Records a delivery. Violates the primary key if it is recorded already.
pub(in crate::sea_orm) fn insert_delivery(recording: &Recording<'_>) -> InsertStatement {
    Query::insert()
        .into_table(recording.table.reference())
        .columns([Deliveries::Id, Deliveries::ReceivedAt])
        .values_panic([recording.id.into(), recording.received_at.clone().into()])
        .to_owned()
}

/// Deletes deliveries that were received before a time, `most` at most.
pub(in crate::sea_orm) fn forget_deliveries(
    table: &TableName,
    before: Value,
    most: u64,
) -> DeleteStatement {
    let old = Query::select()
        .column(Deliveries::Id)
        .from(table.reference())
        .and_where(Expr::col(Deliveries::ReceivedAt).lt(before))
        .limit(most)
        .take();
    Query::delete()
        .from_table(table.reference())
        .and_where(Expr::col(Deliveries::Id).in_subquery(old))
        .to_owned()
}

/// Does what [`forget_deliveries`] does on MySQL, which limits a statement but not a subquery.
pub(in crate::sea_orm) fn forget_some_deliveries(
    table: &TableName,
    before: Value,
    most: u64,
) -> DeleteStatement {
    Query::delete()
        .from_table(table.reference())
        .and_where(Expr::col(Deliveries::ReceivedAt).lt(before))
        .limit(most)
        .to_owned()
}
