//! Statements about lock-outs. Their times are the database's own, so that no instance's clock matters.

use ::sea_orm::sea_query::{
    DeleteStatement, Expr, ExprTrait as _, InsertStatement, OnConflict, Query, SelectStatement,
};

use crate::lockout::Lockout;
use crate::sea_orm::dialect::Dialect;
use crate::sea_orm::tables::{Lockouts, TableName};

/// Inserts the lock-out that a delivery causes. Affects no row if it has caused one before.
pub(in crate::sea_orm) fn insert_lockout(
    table: &TableName,
    dialect: Dialect,
    delivery_id: &str,
    lockout: &Lockout,
) -> InsertStatement {
    let (kind, subject_id, user_id) = lockout.barred.parts();
    Query::insert()
        .into_table(table.reference())
        .columns([
            Lockouts::Id,
            Lockouts::Kind,
            Lockouts::SubjectId,
            Lockouts::UserId,
            Lockouts::OccurredAt,
            Lockouts::NotedAt,
        ])
        .values_panic([
            delivery_id.into(),
            kind.into(),
            subject_id.into(),
            user_id.into(),
            lockout.occurred_at.into(),
            Expr::cust(dialect.milliseconds_now()),
        ])
        .on_conflict(OnConflict::column(Lockouts::Id).do_nothing_on([Lockouts::Id]).to_owned())
        .to_owned()
}

/// Selects the lock-outs that were noted within so many milliseconds.
pub(in crate::sea_orm) fn select_lockouts(
    table: &TableName,
    dialect: Dialect,
    milliseconds: i64,
) -> SelectStatement {
    Query::select()
        .columns([Lockouts::Kind, Lockouts::SubjectId, Lockouts::UserId, Lockouts::OccurredAt])
        .from(table.reference())
        .and_where(Expr::col(Lockouts::NotedAt).gte(before(dialect, milliseconds)))
        .to_owned()
}

/// Deletes the lock-outs that were noted more than so many milliseconds ago.
pub(in crate::sea_orm) fn forget_lockouts(
    table: &TableName,
    dialect: Dialect,
    milliseconds: i64,
) -> DeleteStatement {
    Query::delete()
        .from_table(table.reference())
        .and_where(Expr::col(Lockouts::NotedAt).lt(before(dialect, milliseconds)))
        .to_owned()
}

/// Returns the database's time so many milliseconds ago. The number stands in the text: the type of a
/// parameter in such an expression is not clear to every database.
fn before(dialect: Dialect, milliseconds: i64) -> Expr {
    Expr::cust(format!("{} - {milliseconds}", dialect.milliseconds_now()))
}
