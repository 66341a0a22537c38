//! Statements about how far backfills got.

use ::sea_orm::sea_query::{InsertStatement, OnConflict, Query, SelectStatement};

use crate::backfill::Run;
use crate::sea_orm::tables::{Backfills, TableName};

/// Remembers how far a run got, in the place of what was known of its instance.
///
/// On MySQL's conflict clause: the table has no other key that it could be about.
pub(in crate::sea_orm) fn record_run(table: &TableName, run: &Run) -> InsertStatement {
    let mut replace = OnConflict::column(Backfills::InstanceId);
    replace.update_columns([
        Backfills::LastUserId,
        Backfills::LastCreatedAt,
        Backfills::Users,
        Backfills::Finished,
    ]);
    Query::insert()
        .into_table(table.reference())
        .columns(COLUMNS)
        .values_panic([
            run.instance_id.as_str().into(),
            run.last_user_id.as_deref().into(),
            run.last_created_at.into(),
            run.users.cast_signed().into(),
            run.finished.into(),
        ])
        .on_conflict(replace)
        .to_owned()
}

/// Everything that is known of runs, in the order of [`Run`]'s members.
pub(in crate::sea_orm) fn select_runs(table: &TableName) -> SelectStatement {
    Query::select().columns(COLUMNS).from(table.reference()).to_owned()
}

const COLUMNS: [Backfills; 5] = [
    Backfills::InstanceId,
    Backfills::LastUserId,
    Backfills::LastCreatedAt,
    Backfills::Users,
    Backfills::Finished,
];
