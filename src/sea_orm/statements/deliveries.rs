//! Statements about the deliveries taken in.

use ::sea_orm::prelude::DateTimeUtc;
use ::sea_orm::sea_query::{
    DeleteStatement, Expr, ExprTrait as _, InsertStatement, OnConflict, Query,
};

use crate::sea_orm::tables::{Deliveries, TableName};

/// A delivery to be recorded.
#[derive(Clone, Copy, Debug)]
pub(in crate::sea_orm) struct Recording<'a> {
    pub(in crate::sea_orm) table: &'a TableName,
    pub(in crate::sea_orm) id: &'a str,
    pub(in crate::sea_orm) received_at: DateTimeUtc,
}

/// Records a delivery. No row: it is recorded already.
pub(in crate::sea_orm) fn record_delivery(recording: &Recording<'_>) -> InsertStatement {
    insert_delivery(recording)
        .on_conflict(OnConflict::column(Deliveries::Id).do_nothing().to_owned())
        .to_owned()
}

/// Records a delivery, or violates the primary key.
pub(in crate::sea_orm) fn insert_delivery(recording: &Recording<'_>) -> InsertStatement {
    Query::insert()
        .into_table(recording.table.reference())
        .columns([Deliveries::Id, Deliveries::ReceivedAt])
        .values_panic([recording.id.into(), recording.received_at.into()])
        .to_owned()
}

/// Forgets deliveries that came before a time, so many at most.
pub(in crate::sea_orm) fn forget_deliveries(
    table: &TableName,
    before: DateTimeUtc,
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

/// [`forget_deliveries`] for MySQL, which limits the statement itself and no subquery.
pub(in crate::sea_orm) fn forget_some_deliveries(
    table: &TableName,
    before: DateTimeUtc,
    most: u64,
) -> DeleteStatement {
    Query::delete()
        .from_table(table.reference())
        .and_where(Expr::col(Deliveries::ReceivedAt).lt(before))
        .limit(most)
        .to_owned()
}
