//! Asking for users, and making a row for one who comes ahead of Clerk's event.

use ::sea_orm::{ConnectionTrait as _, DbErr, EntityTrait as _};

use super::entity::user;
use super::sink::SeaOrmSink;
use super::{retry, statements, steps, transaction};
use crate::webhook::is_user_id;

/// What is known of a user id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UserStatus {
    /// The user has a row.
    Active,
    /// The user was deleted, for ever.
    Deleted,
    /// No event has named the user yet.
    Unknown,
}

impl SeaOrmSink {
    /// What is known of a user: one query by primary key. Of a text that is no id of Clerk's
    /// (letters, digits and underscores, 255 at most), nothing.
    ///
    /// # Errors
    ///
    /// Whatever keeps the database from answering.
    pub async fn user_status(&self, user_id: &str) -> Result<UserStatus, DbErr> {
        if !is_user_id(user_id) {
            return Ok(UserStatus::Unknown);
        }
        let Some(row) = self.db().query_one(&statements::select_deleted(user_id)).await? else {
            return Ok(UserStatus::Unknown);
        };
        let deleted: bool = row.try_get_by_index(0)?;
        Ok(if deleted { UserStatus::Deleted } else { UserStatus::Active })
    }

    /// A user's row.
    ///
    /// # Errors
    ///
    /// Whatever keeps the database from answering.
    pub async fn find_user(&self, user_id: &str) -> Result<Option<user::Model>, DbErr> {
        if !is_user_id(user_id) {
            return Ok(None);
        }
        user::Entity::find_by_id(user_id).one(self.db()).await
    }

    /// Makes sure that a verified user has a row to refer to, since a first request may come
    /// before `user.created`. Every event about the user fills the row, however old.
    ///
    /// Gives [`UserStatus::Active`] or [`UserStatus::Deleted`]; a deleted user is not revived.
    /// Give it ids from verified tokens alone. For a user who is known already it costs one query.
    ///
    /// # Errors
    ///
    /// An id that Clerk cannot have given: not 1 to 255 letters, digits and underscores. Whatever
    /// keeps the database from answering.
    pub async fn ensure_user(&self, user_id: &str) -> Result<UserStatus, DbErr> {
        if !is_user_id(user_id) {
            return Err(DbErr::Custom(NOT_AN_ID.to_owned()));
        }
        match self.user_status(user_id).await? {
            UserStatus::Unknown => {}
            known => return Ok(known),
        }
        retry::on_conflict(self.clock(), || self.start(user_id)).await
    }

    async fn start(&self, user_id: &str) -> Result<UserStatus, DbErr> {
        let tx = transaction::begin(self.db()).await?;
        // The lock of the version's row orders this against a deletion on another connection.
        if !steps::lock_version(&tx, user_id).await? {
            tx.rollback().await?;
            return Ok(UserStatus::Deleted);
        }
        tx.execute(&statements::start_user(user_id, self.now())).await?;
        tx.commit().await?;
        Ok(UserStatus::Active)
    }
}

const NOT_AN_ID: &str = "a user id must be 1 to 255 letters, digits and underscores, as Clerk's are; \
    use the id of a verified session";
