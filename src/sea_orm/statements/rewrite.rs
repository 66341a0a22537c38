//! The statement with which a backfill writes known states again.

use ::sea_orm::sea_query::{ExprTrait as _, InsertStatement, OnConflict};

use super::versions::{ORDER, insert_versions, rejected, stored};
use crate::sea_orm::tables::{TableName, Versions};
use crate::sync::Version;

/// Does what [`raise_versions`](super::raise_versions) does, and also sets the versions of records of
/// which a state with the same `updated_at` is known.
pub(in crate::sea_orm) fn raise_or_repeat_versions(
    table: &TableName,
    versions: &[(&str, Version)],
) -> InsertStatement {
    insert_versions(table, versions, false)
        .on_conflict(
            OnConflict::column(Versions::Id)
                .update_columns(ORDER)
                .action_and_where(stored(table, Versions::Deleted).eq(false))
                .action_and_where(stored(table, Versions::Version).lte(rejected(Versions::Version)))
                .to_owned(),
        )
        .to_owned()
}
