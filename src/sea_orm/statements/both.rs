//! Statements about a version and its row at once.

use ::sea_orm::Iterable as _;
use ::sea_orm::sea_query::{
    Expr, ExprTrait as _, Query, SelectStatement, SubQueryStatement, UpdateStatement,
};

use super::rows::select_rows;
use super::versions::{select_deleted, stored};
use crate::ids::Id;
use crate::sea_orm::entity::user;
use crate::sea_orm::schema::Deletion;
use crate::sea_orm::tables::{DELETED_AT, Kind, Versions};
use crate::sea_orm::version::Version;

/// A living user's row: of one whose version is not marked as deleted, nor the row.
pub(in crate::sea_orm) fn select_user(kind: &Kind, deletion: Deletion, id: &Id) -> SelectStatement {
    let mut select = Query::select();
    for column in user::Column::iter() {
        // SQLite calls it as the table does, in whatever case that is.
        select.expr_as(Expr::col(column), column);
    }
    select
        .from(kind.rows.reference())
        .and_where(Expr::col(user::Column::Id).eq(id.as_str()))
        .and_where(Expr::not_exists(select_deleted(&kind.versions, id)));
    if deletion == Deletion::Mark {
        select.and_where(Expr::col(DELETED_AT).is_null());
    }
    select
}

/// Whether a thing is marked as deleted, and the id that its row has, if it has one. No row: nobody
/// has named it yet.
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

/// Makes the version of a thing that has no row older than every state. The transaction has locked
/// it: otherwise the row could be on its way.
pub(in crate::sea_orm) fn forget_version_without_row(kind: &Kind, id: &Id) -> UpdateStatement {
    let Kind { rows, versions, .. } = kind;
    Query::update()
        .table(versions.reference())
        .value(Versions::Version, Version::UNTOLD.updated_at)
        .value(Versions::Tie, Version::UNTOLD.tie)
        .and_where(stored(versions, Versions::Id).eq(id.as_str()))
        .and_where(Expr::not_exists(select_rows(rows, &[id.as_str()])))
        .to_owned()
}
