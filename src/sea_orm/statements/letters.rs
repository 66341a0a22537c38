//! Statements about deliveries that could not be taken.

use ::sea_orm::Value;
use ::sea_orm::sea_query::{
    DeleteStatement, Expr, ExprTrait as _, InsertStatement, OnConflict, Order, Query,
    SelectStatement, UpdateStatement,
};

use crate::sea_orm::tables::{DeadLetters, TableName};

/// A delivery to be kept.
#[derive(Clone, Debug)]
pub(in crate::sea_orm) struct NewLetter<'a> {
    pub(in crate::sea_orm) id: &'a str,
    pub(in crate::sea_orm) kind: &'a str,
    pub(in crate::sea_orm) instance_id: Option<&'a str>,
    pub(in crate::sea_orm) user_id: Option<&'a str>,
    pub(in crate::sea_orm) failed_at: Value,
    /// The same time, or nothing.
    pub(in crate::sea_orm) parked_at: Option<Value>,
    pub(in crate::sea_orm) reason: &'a str,
    pub(in crate::sea_orm) body: &'a [u8],
}

/// Inserts a letter. Affects no row if there is one with this id.
pub(in crate::sea_orm) fn record_letter(
    table: &TableName,
    letter: NewLetter<'_>,
) -> InsertStatement {
    insert_letter(table, letter)
        .on_conflict(OnConflict::column(DeadLetters::Id).do_nothing().to_owned())
        .to_owned()
}

/// Inserts a letter. Violates the primary key if there is one with this id.
pub(in crate::sea_orm) fn insert_letter(
    table: &TableName,
    letter: NewLetter<'_>,
) -> InsertStatement {
    let parked_at = match letter.parked_at {
        Some(time) => Expr::val(time),
        // As text: an absent time has no type of its own.
        None => Expr::cust("NULL"),
    };
    Query::insert()
        .into_table(table.reference())
        .columns([
            DeadLetters::Id,
            DeadLetters::Kind,
            DeadLetters::InstanceId,
            DeadLetters::UserId,
            DeadLetters::FailedAt,
            DeadLetters::ParkedAt,
            DeadLetters::Reason,
            DeadLetters::Body,
        ])
        .values_panic([
            letter.id.into(),
            letter.kind.into(),
            letter.instance_id.into(),
            letter.user_id.into(),
            letter.failed_at.into(),
            parked_at,
            letter.reason.into(),
            letter.body.to_vec().into(),
        ])
        .to_owned()
}

/// Marks a letter as parked. Affects no row if it is parked already.
pub(in crate::sea_orm) fn park_letter(
    table: &TableName,
    id: &str,
    now: Value,
    reason: &str,
) -> UpdateStatement {
    Query::update()
        .table(table.reference())
        .value(DeadLetters::ParkedAt, now)
        .value(DeadLetters::Reason, reason)
        .and_where(Expr::col(DeadLetters::Id).eq(id))
        .and_where(Expr::col(DeadLetters::ParkedAt).is_null())
        .to_owned()
}

/// Selects and locks when a letter failed first and when it was parked.
pub(in crate::sea_orm) fn select_letter(table: &TableName, id: &str) -> SelectStatement {
    Query::select()
        .columns([DeadLetters::FailedAt, DeadLetters::ParkedAt])
        .from(table.reference())
        .and_where(Expr::col(DeadLetters::Id).eq(id))
        .lock_exclusive()
        .to_owned()
}

/// Locks the first letter, by which those who are about to insert one wait for each other.
pub(in crate::sea_orm) fn lock_first_letter(table: &TableName) -> SelectStatement {
    Query::select()
        .column(DeadLetters::Id)
        .from(table.reference())
        .order_by(DeadLetters::Id, Order::Asc)
        .limit(1)
        .lock_exclusive()
        .to_owned()
}

/// Counts the letters.
pub(in crate::sea_orm) fn count_letters(table: &TableName) -> SelectStatement {
    Query::select().expr(Expr::cust("COUNT(*)")).from(table.reference()).to_owned()
}

/// Deletes letters that failed first before a time.
pub(in crate::sea_orm) fn forget_letters(table: &TableName, before: Value) -> DeleteStatement {
    Query::delete()
        .from_table(table.reference())
        .and_where(Expr::col(DeadLetters::FailedAt).lt(before))
        .to_owned()
}

/// Selects letters without their bodies in the order of their ids, from after an id on.
pub(in crate::sea_orm) fn select_letters(
    table: &TableName,
    after: Option<&str>,
    limit: u64,
) -> SelectStatement {
    let mut select = Query::select();
    select.columns(DESCRIBED).from(table.reference());
    if let Some(after) = after {
        select.and_where(Expr::col(DeadLetters::Id).gt(after));
    }
    select.order_by(DeadLetters::Id, Order::Asc).limit(limit).to_owned()
}

/// Selects when a letter failed first, and its body.
pub(in crate::sea_orm) fn select_whole_letter(table: &TableName, id: &str) -> SelectStatement {
    Query::select()
        .columns([DeadLetters::FailedAt, DeadLetters::Body])
        .from(table.reference())
        .and_where(Expr::col(DeadLetters::Id).eq(id))
        .to_owned()
}

const DESCRIBED: [DeadLetters; 7] = [
    DeadLetters::Id,
    DeadLetters::Kind,
    DeadLetters::InstanceId,
    DeadLetters::UserId,
    DeadLetters::FailedAt,
    DeadLetters::ParkedAt,
    DeadLetters::Reason,
];

/// Deletes the letters that have this id in a column.
pub(in crate::sea_orm) fn delete_letters(
    table: &TableName,
    column: DeadLetters,
    id: &str,
) -> DeleteStatement {
    Query::delete().from_table(table.reference()).and_where(Expr::col(column).eq(id)).to_owned()
}
