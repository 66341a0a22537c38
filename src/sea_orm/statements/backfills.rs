//! Statements about the Clerk instances that users belong to, and each one's backfill progress.

#[cfg(feature = "backfill")]
use ::sea_orm::sea_query::SelectStatement;
use ::sea_orm::sea_query::{
    DeleteStatement, Expr, ExprTrait as _, InsertStatement, OnConflict, Query,
};

#[cfg(feature = "backfill")]
use crate::backfill::Run;
use crate::ids::InstanceId;
use crate::sea_orm::tables::{Backfills, TableName};

/// Records that users belong to an instance: inserts a run without any users, unless the instance
/// is known.
pub(in crate::sea_orm) fn start_run(
    table: &TableName,
    instance_id: &InstanceId,
) -> InsertStatement {
    let key = Backfills::InstanceId;
    let nobody = [
        None::<String>.into(),
        None::<i64>.into(),
        0_i64.into(),
        false.into(),
        None::<i64>.into(),
        None::<String>.into(),
        None::<i64>.into(),
        None::<i64>.into(),
        None::<bool>.into(),
    ];
    insert_run(table, instance_id, nobody)
        .on_conflict(OnConflict::column(key).do_nothing_on([key]).to_owned())
        .to_owned()
}

/// Deletes what is known of an instance.
pub(in crate::sea_orm) fn forget_run(
    table: &TableName,
    instance_id: &InstanceId,
) -> DeleteStatement {
    Query::delete()
        .from_table(table.reference())
        .and_where(Expr::col(Backfills::InstanceId).eq(&**instance_id))
        .to_owned()
}

/// Records a run's progress, replacing what was known of its instance.
///
/// MySQL's conflict clause is safe here: the table has no other key that it could apply to.
#[cfg(feature = "backfill")]
pub(in crate::sea_orm) fn record_run(table: &TableName, run: &Run) -> InsertStatement {
    let mut replace = OnConflict::column(Backfills::InstanceId);
    replace.update_columns([
        Backfills::LastUserId,
        Backfills::LastCreatedAt,
        Backfills::Users,
        Backfills::Finished,
        Backfills::StartedAt,
        Backfills::LastOrganizationId,
        Backfills::Organizations,
        Backfills::Memberships,
        Backfills::OrganizationsFinished,
    ]);
    let organizations = run.organizations.as_ref();
    let progress = [
        run.last_user_id.as_deref().into(),
        run.last_created_at.into(),
        run.users.cast_signed().into(),
        run.finished.into(),
        run.started_at.into(),
        organizations.and_then(|run| run.last_organization_id.as_deref()).into(),
        organizations.map(|run| run.organizations.cast_signed()).into(),
        organizations.map(|run| run.memberships.cast_signed()).into(),
        organizations.map(|run| run.finished).into(),
    ];
    insert_run(table, &run.instance_id, progress).on_conflict(replace).to_owned()
}

/// Selects all runs, with columns in the order of [`Run`]'s members.
#[cfg(feature = "backfill")]
pub(in crate::sea_orm) fn select_runs(table: &TableName) -> SelectStatement {
    Query::select().columns(COLUMNS).from(table.reference()).to_owned()
}

fn insert_run(table: &TableName, instance_id: &str, progress: [Expr; 9]) -> InsertStatement {
    Query::insert()
        .into_table(table.reference())
        .columns(COLUMNS)
        .values_panic([instance_id.into()].into_iter().chain(progress))
        .to_owned()
}

const COLUMNS: [Backfills; 10] = [
    Backfills::InstanceId,
    Backfills::LastUserId,
    Backfills::LastCreatedAt,
    Backfills::Users,
    Backfills::Finished,
    Backfills::StartedAt,
    Backfills::LastOrganizationId,
    Backfills::Organizations,
    Backfills::Memberships,
    Backfills::OrganizationsFinished,
];
