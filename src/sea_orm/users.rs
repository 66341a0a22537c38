//! Queries for users, and rows for users who arrive before Clerk's event.

use ::sea_orm::{DbErr, FromQueryResult as _};

use super::entity::user;
use super::sink::SeaOrmSink;
use super::statements;
use super::tables::Tables;
use super::transaction::{Started, run_to_completion};
use crate::ids::UserId;

/// The status of a user id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UserStatus {
    /// A user who has a row and is not deleted.
    Active,
    /// A user who was deleted, for ever.
    Deleted,
    /// A user who is not known yet, or whose row was removed by other code than the sink.
    Unknown,
}

impl SeaOrmSink {
    /// Returns the status of a user, by one query by primary key. A text that cannot be an id of
    /// Clerk's (letters, digits and underscores, 255 at most) is [`UserStatus::Unknown`].
    ///
    /// # Errors
    ///
    /// Returns the database's error.
    pub async fn user_status(&self, user_id: &str) -> Result<UserStatus, DbErr> {
        match UserId::parse(user_id) {
            Ok(id) => self.status(&id).await,
            Err(_) => Ok(UserStatus::Unknown),
        }
    }

    async fn status(&self, id: &UserId) -> Result<UserStatus, DbErr> {
        let select = statements::select_status(&self.store.tables.users, id.id());
        let Some(row) = self.store.row(&select).await? else {
            return Ok(UserStatus::Unknown);
        };
        Ok(match (row.try_get_by_index(0)?, row.try_get_by_index::<Option<String>>(1)?) {
            (true, _) => UserStatus::Deleted,
            (false, Some(_)) => UserStatus::Active,
            (false, None) => UserStatus::Unknown,
        })
    }

    /// Returns a user's row; `None` for a deleted user, even where the rows of deleted users are
    /// kept or once were. A column that the `Schema` leaves out is `None`, and a time 1970-01-01.
    ///
    /// The e-mail address may be unverified: it is no proof of who somebody is.
    ///
    /// # Errors
    ///
    /// Returns the database's error.
    pub async fn find_user(&self, user_id: &str) -> Result<Option<user::Model>, DbErr> {
        let Ok(id) = UserId::parse(user_id) else { return Ok(None) };
        let Tables { users, user_columns, .. } = &*self.store.tables;
        let select = statements::select_user(self.store.dialect, users, user_columns, id.id());
        let row = self.store.row(&select).await?;
        row.map(|row| user::Model::from_query_result(&row, "")).transpose()
    }

    /// Makes sure that a verified user has a row to refer to, since a first request may come
    /// before `user.created`. Every event about the user, however old, and every backfill fills a
    /// new row, even if other code than the sink removed an earlier one.
    ///
    /// Hooks are told of a new row in the same transaction
    /// ([`InTransaction::ensured`](super::InTransaction::ensured)), so that an application's own row is
    /// there as soon as this one is.
    ///
    /// Returns [`UserStatus::Active`] or [`UserStatus::Deleted`]; a deleted user is not revived.
    /// Pass only ids from verified tokens. For a known user it costs one query.
    ///
    /// # Errors
    ///
    /// Fails for an id that Clerk cannot have given: not 1 to 255 letters, digits and underscores.
    /// Otherwise returns the database's error, or a hook's: then there is no row.
    pub async fn ensure_user(&self, user_id: &str) -> Result<UserStatus, DbErr> {
        let id = UserId::parse(user_id).map_err(|_| DbErr::Custom(NOT_AN_ID.to_owned()))?;
        match self.status(&id).await? {
            UserStatus::Unknown => {}
            known => return Ok(known),
        }
        if !self.store.hooks.is_empty() {
            // An application's statements may never end: dropping the caller must cancel them.
            return self.store.retrying(|| self.start_user(&id)).await;
        }
        let sink = self.clone();
        run_to_completion(async move { sink.store.retrying(|| sink.start_user(&id)).await }).await
    }

    async fn start_user(&self, id: &UserId) -> Result<UserStatus, DbErr> {
        let tx = self.store.begin().await?;
        let row = self.store.row_of_unknown_user(id);
        match tx.start(&tx.tables().users, &row).await? {
            Started::Deleted => return Ok(UserStatus::Deleted),
            // Another request, or Clerk's event, was faster.
            Started::Known => {}
            Started::New => {
                for hook in &self.store.hooks {
                    hook.ensured(&tx.tx, id).await?;
                }
                tx.prove().await?;
            }
        }
        tx.commit().await?;
        Ok(UserStatus::Active)
    }
}

const NOT_AN_ID: &str = "a user id must be 1 to 255 letters, digits and underscores, as Clerk's \
    are; use the id of a verified session";
