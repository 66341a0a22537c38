//! What is said to the database, a function a statement. Where a statement decides something, it
//! decides by the rows that it affects; nothing is read first and written later.
//!
//! MySQL will need its own form of every conflict clause here: sea-query drops their conditions
//! for it without a word.

use ::sea_orm::prelude::DateTimeUtc;
use ::sea_orm::sea_query::{
    DeleteStatement, Expr, ExprTrait as _, InsertStatement, OnConflict, Query, SelectStatement,
    UpdateStatement,
};

use super::entity::user;
use super::tables::{ClerkDeliveries, ClerkUserVersions};
use crate::webhook::User;

/// Records a delivery. No row: it is recorded already.
pub(super) fn record_delivery(id: &str, received_at: DateTimeUtc) -> InsertStatement {
    Query::insert()
        .into_table(ClerkDeliveries::Table)
        .columns([ClerkDeliveries::Id, ClerkDeliveries::ReceivedAt])
        .values_panic([id.into(), received_at.into()])
        .on_conflict(OnConflict::column(ClerkDeliveries::Id).do_nothing().to_owned())
        .to_owned()
}

/// Forgets the deliveries that came before a time.
pub(super) fn forget_deliveries(before: DateTimeUtc) -> DeleteStatement {
    Query::delete()
        .from_table(ClerkDeliveries::Table)
        .and_where(Expr::col(ClerkDeliveries::ReceivedAt).lt(before))
        .to_owned()
}

/// Raises a user's version and holds the row's lock until the end of the transaction. No row: a
/// state at least as new is known, or the user is gone.
pub(super) fn raise_version(id: &str, version: i64) -> InsertStatement {
    insert_version(id, version, false)
        .on_conflict(
            OnConflict::column(ClerkUserVersions::Id)
                .update_column(ClerkUserVersions::Version)
                .action_and_where(of_version(ClerkUserVersions::Deleted).eq(false))
                .action_and_where(of_version(ClerkUserVersions::Version).lt(version))
                .to_owned(),
        )
        .to_owned()
}

/// Marks a user, known or not, as deleted for ever. No row: it was marked already.
pub(super) fn bury(id: &str) -> InsertStatement {
    insert_version(id, UNTOLD, true)
        .on_conflict(
            OnConflict::column(ClerkUserVersions::Id)
                .update_column(ClerkUserVersions::Deleted)
                .action_and_where(of_version(ClerkUserVersions::Deleted).eq(false))
                .to_owned(),
        )
        .to_owned()
}

/// Gives a user whom nobody has named yet a version older than every state.
pub(super) fn start_version(id: &str) -> InsertStatement {
    insert_version(id, UNTOLD, false)
        .on_conflict(OnConflict::column(ClerkUserVersions::Id).do_nothing().to_owned())
        .to_owned()
}

/// Changes nothing and takes the lock of a living user's version. No row: the user is gone.
pub(super) fn lock_version(id: &str) -> UpdateStatement {
    Query::update()
        .table(ClerkUserVersions::Table)
        .value(ClerkUserVersions::Version, Expr::col(ClerkUserVersions::Version))
        .and_where(of_version(ClerkUserVersions::Id).eq(id))
        .and_where(of_version(ClerkUserVersions::Deleted).eq(false))
        .to_owned()
}

/// Whether a user is marked as deleted. No row: nobody has named the user yet.
pub(super) fn select_deleted(id: &str) -> SelectStatement {
    Query::select()
        .column(ClerkUserVersions::Deleted)
        .from(ClerkUserVersions::Table)
        .and_where(of_version(ClerkUserVersions::Id).eq(id))
        .to_owned()
}

/// Writes a user's row, whatever it held.
pub(super) fn write_user(user: &User) -> InsertStatement {
    let mut on_conflict = OnConflict::column(user::Column::Id);
    on_conflict.update_columns(USER_COLUMNS.into_iter().skip(1));
    Query::insert()
        .into_table(user::Entity)
        .columns(USER_COLUMNS)
        .values_panic([
            user.id.as_str().into(),
            storable(user.email.as_deref()).into(),
            storable(user.first_name.as_deref()).into(),
            storable(user.last_name.as_deref()).into(),
            storable(user.username.as_deref()).into(),
            storable(user.image_url.as_deref()).into(),
            time(user.created_at).into(),
            time(user.updated_at).into(),
        ])
        .on_conflict(on_conflict)
        .to_owned()
}

/// Makes a row of nothing but an id, unless there is one.
pub(super) fn start_user(id: &str, now: DateTimeUtc) -> InsertStatement {
    Query::insert()
        .into_table(user::Entity)
        .columns([user::Column::Id, user::Column::CreatedAt, user::Column::UpdatedAt])
        .values_panic([id.into(), now.into(), now.into()])
        .on_conflict(OnConflict::column(user::Column::Id).do_nothing().to_owned())
        .to_owned()
}

/// Removes one user's row.
pub(super) fn delete_user(id: &str) -> DeleteStatement {
    Query::delete()
        .from_table(user::Entity)
        .and_where(Expr::col(user::Column::Id).eq(id))
        .to_owned()
}

fn insert_version(id: &str, version: i64, deleted: bool) -> InsertStatement {
    Query::insert()
        .into_table(ClerkUserVersions::Table)
        .columns([ClerkUserVersions::Id, ClerkUserVersions::Version, ClerkUserVersions::Deleted])
        .values_panic([id.into(), version.into(), deleted.into()])
        .to_owned()
}

/// The stored column: in a conflict clause the bare name would also mean the rejected row's.
fn of_version(column: ClerkUserVersions) -> Expr {
    Expr::col((ClerkUserVersions::Table, column))
}

/// PostgreSQL's text holds every character but U+0000.
fn storable(text: Option<&str>) -> Option<String> {
    text.map(|text| text.replace('\0', ""))
}

fn time(millis: i64) -> DateTimeUtc {
    DateTimeUtc::from_timestamp_millis(millis).unwrap_or_default()
}

const USER_COLUMNS: [user::Column; 8] = [
    user::Column::Id,
    user::Column::Email,
    user::Column::FirstName,
    user::Column::LastName,
    user::Column::Username,
    user::Column::ImageUrl,
    user::Column::CreatedAt,
    user::Column::UpdatedAt,
];

/// Older than every version that an event carries; those begin at 1.
const UNTOLD: i64 = 0;
