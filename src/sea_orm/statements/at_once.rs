//! PostgreSQL's way to take a state in by one message: what `deliveries`, `versions` and `rows` say
//! one after another, as parts of one statement.

use ::sea_orm::sea_query::error::Error;
use ::sea_orm::sea_query::{
    CommonTableExpression, Expr, InsertStatement, IntoIden, Query, SelectStatement, UnionType,
    WithClause, WithQuery,
};

use super::rows::{ID, overwrite};
use super::versions::unless_newer;
use super::{Recording, record_delivery};
use crate::sea_orm::row::Row;
use crate::sea_orm::tables::{Kind, Versions};
use crate::sea_orm::version::Version;

/// Records a delivery, raises a version, and writes the row, each only if the part before it
/// affected one. As many rows as parts did so, but for the last: none for a repeated delivery, one
/// for a stale one, two where the row is written.
///
/// The parts hand rows on to each other and see nothing else of what the others did. What another
/// transaction committed while a part waited for it is seen, as in a statement of its own: a
/// conflict clause is about the newest row, not about the one from the statement's beginning.
pub(in crate::sea_orm) fn take_in(
    recording: &Recording<'_>,
    kind: &Kind,
    row: &Row,
    version: Version,
) -> Result<WithQuery, Error> {
    let record = record_delivery(recording).returning_col(ID).to_owned();
    let raise = [
        (Versions::Id, row.id.as_str().into()),
        (Versions::Version, version.updated_at.into()),
        (Versions::Tie, version.tie.into()),
        (Versions::Deleted, false.into()),
    ];
    let raise = insert_for_each(RECORDED, raise)?
        .into_table(kind.versions.reference())
        .on_conflict(unless_newer(&kind.versions))
        .returning_col(Versions::Id)
        .to_owned();
    let columns = row.columns.iter();
    let columns = columns.map(|(column, value)| (column.clone(), Expr::val(value.clone())));
    let id = (ID.into_iden(), Expr::val(row.id.as_str()));
    let write = insert_for_each(RAISED, [id].into_iter().chain(columns))?
        .into_table(kind.rows.reference())
        .on_conflict(overwrite(row))
        .to_owned();

    let parts = [(RECORDED, record), (RAISED, raise), (WRITTEN, write)];
    let mut with = WithClause::new();
    for (name, part) in parts {
        with.cte(CommonTableExpression::new().table_name(name).query(part).to_owned());
    }
    let affected = |part| Query::select().column(ID).from(part).to_owned();
    Ok(with.query(affected(RECORDED).union(UnionType::All, affected(RAISED)).to_owned()))
}

/// Inserts these values if a part of the statement affected a row.
fn insert_for_each<C: IntoIden>(
    part: &'static str,
    values: impl IntoIterator<Item = (C, Expr)>,
) -> Result<InsertStatement, Error> {
    let (columns, values): (Vec<_>, Vec<_>) = values.into_iter().unzip();
    let select: SelectStatement = Query::select().exprs(values).from(part).to_owned();
    Ok(Query::insert().columns(columns).select_from(select)?.to_owned())
}

const RECORDED: &str = "recorded";
const RAISED: &str = "raised";
const WRITTEN: &str = "written";
