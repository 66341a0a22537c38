//! What is said to the database, a function a statement. Where a statement decides something, it
//! decides by the rows that it affects; nothing is read first and written later.
//!
//! MySQL has no condition in a conflict clause (sea-query drops it without a word), and there an
//! ignored insert looks like one that was made. It gets the decision as a plain statement of its
//! own: an update whose matched rows tell, or an insert whose duplicate is an error.

use ::sea_orm::prelude::DateTimeUtc;
use ::sea_orm::sea_query::{
    DeleteStatement, Expr, ExprTrait as _, InsertStatement, OnConflict, Query, SelectStatement,
    UpdateStatement,
};

use super::entity::user;
use super::tables::{ClerkDeliveries, ClerkUserVersions};
use super::version::Version;
use crate::webhook::User;

/// Records a delivery. No row: it is recorded already.
pub(super) fn record_delivery(id: &str, received_at: DateTimeUtc) -> InsertStatement {
    insert_delivery(id, received_at)
        .on_conflict(OnConflict::column(ClerkDeliveries::Id).do_nothing().to_owned())
        .to_owned()
}

/// Records a delivery, or violates the primary key.
pub(super) fn insert_delivery(id: &str, received_at: DateTimeUtc) -> InsertStatement {
    Query::insert()
        .into_table(ClerkDeliveries::Table)
        .columns([ClerkDeliveries::Id, ClerkDeliveries::ReceivedAt])
        .values_panic([id.into(), received_at.into()])
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
pub(super) fn raise_version(id: &str, version: Version) -> InsertStatement {
    insert_version(id, version, false)
        .on_conflict(
            OnConflict::column(ClerkUserVersions::Id)
                .update_columns([ClerkUserVersions::Version, ClerkUserVersions::Tie])
                .action_and_where(of_version(ClerkUserVersions::Deleted).eq(false))
                .action_and_where(is_older_than(version))
                .to_owned(),
        )
        .to_owned()
}

/// [`raise_version`] for a user whose version was [started](start_version).
pub(super) fn raise_started_version(id: &str, version: Version) -> UpdateStatement {
    Query::update()
        .table(ClerkUserVersions::Table)
        .value(ClerkUserVersions::Version, version.updated_at)
        .value(ClerkUserVersions::Tie, version.tie)
        .and_where(of_version(ClerkUserVersions::Id).eq(id))
        .and_where(of_version(ClerkUserVersions::Deleted).eq(false))
        .and_where(is_older_than(version))
        .to_owned()
}

/// Marks a user, known or not, as deleted for ever. No row: it was marked already.
pub(super) fn bury(id: &str) -> InsertStatement {
    insert_version(id, Version::UNTOLD, true)
        .on_conflict(
            OnConflict::column(ClerkUserVersions::Id)
                .update_column(ClerkUserVersions::Deleted)
                .action_and_where(of_version(ClerkUserVersions::Deleted).eq(false))
                .to_owned(),
        )
        .to_owned()
}

/// [`bury`] for a user whose version was [started](start_version).
pub(super) fn bury_started(id: &str) -> UpdateStatement {
    Query::update()
        .table(ClerkUserVersions::Table)
        .value(ClerkUserVersions::Deleted, true)
        .and_where(of_version(ClerkUserVersions::Id).eq(id))
        .and_where(of_version(ClerkUserVersions::Deleted).eq(false))
        .to_owned()
}

/// Gives a user whom nobody has named yet a version older than every state. How many rows it
/// affects says nothing.
pub(super) fn start_version(id: &str) -> InsertStatement {
    let key = ClerkUserVersions::Id;
    insert_version(id, Version::UNTOLD, false)
        .on_conflict(OnConflict::column(key).do_nothing_on([key]).to_owned())
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
    insert_user(user).on_conflict(on_conflict).to_owned()
}

/// Makes a user's row, or violates the primary key.
pub(super) fn insert_user(user: &User) -> InsertStatement {
    Query::insert()
        .into_table(user::Entity)
        .columns(USER_COLUMNS)
        .values_panic(user_values(user))
        .to_owned()
}

/// Fills a user's row. No row: there is none.
pub(super) fn update_user(user: &User) -> UpdateStatement {
    Query::update()
        .table(user::Entity)
        .values(USER_COLUMNS.into_iter().zip(user_values(user)).skip(1))
        .and_where(Expr::col(user::Column::Id).eq(user.id.as_str()))
        .to_owned()
}

/// Makes a row of nothing but an id, unless there is one. How many rows it affects says nothing.
pub(super) fn start_user(id: &str, now: DateTimeUtc) -> InsertStatement {
    let key = user::Column::Id;
    Query::insert()
        .into_table(user::Entity)
        .columns([user::Column::Id, user::Column::CreatedAt, user::Column::UpdatedAt])
        .values_panic([id.into(), now.into(), now.into()])
        .on_conflict(OnConflict::column(key).do_nothing_on([key]).to_owned())
        .to_owned()
}

/// Removes one user's row.
pub(super) fn delete_user(id: &str) -> DeleteStatement {
    Query::delete()
        .from_table(user::Entity)
        .and_where(Expr::col(user::Column::Id).eq(id))
        .to_owned()
}

fn insert_version(id: &str, version: Version, deleted: bool) -> InsertStatement {
    Query::insert()
        .into_table(ClerkUserVersions::Table)
        .columns([
            ClerkUserVersions::Id,
            ClerkUserVersions::Version,
            ClerkUserVersions::Tie,
            ClerkUserVersions::Deleted,
        ])
        .values_panic([id.into(), version.updated_at.into(), version.tie.into(), deleted.into()])
        .to_owned()
}

fn is_older_than(version: Version) -> Expr {
    let stored = || of_version(ClerkUserVersions::Version);
    let same_time_and_less =
        stored().eq(version.updated_at).and(of_version(ClerkUserVersions::Tie).lt(version.tie));
    stored().lt(version.updated_at).or(same_time_and_less)
}

fn user_values(user: &User) -> [Expr; 8] {
    [
        user.id.as_str().into(),
        storable(user.email.as_deref()).into(),
        storable(user.first_name.as_deref()).into(),
        storable(user.last_name.as_deref()).into(),
        storable(user.username.as_deref()).into(),
        storable(user.image_url.as_deref()).into(),
        time(user.created_at).into(),
        time(user.updated_at).into(),
    ]
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
