//! X accounts in the database.

use sea_orm::{ActiveValue::Set, ColumnTrait as _, DbErr, EntityTrait as _, QueryFilter as _};
use sea_orm::{QueryOrder as _, QuerySelect as _};
use uuid::Uuid;

use crate::entities::x_account::{ActiveModel, Column, Entity, Model};
use crate::store::{Store, WriteError};
use crate::time;

impl Store {
    /// Returns a user's accounts, the oldest first.
    pub(crate) async fn accounts(&self, user_id: &str) -> Result<Vec<Model>, DbErr> {
        Entity::find()
            .filter(Column::UserId.eq(user_id))
            .order_by_asc(Column::CreatedAt)
            .order_by_asc(Column::Id)
            .limit(MOST)
            .all(&self.db)
            .await
    }

    /// Connects an account. Fails with [`WriteError::NoParent`] when there is no such user.
    pub(crate) async fn add_account(
        &self,
        user_id: &str,
        handle: &str,
    ) -> Result<Model, WriteError> {
        let account = Model {
            id: Uuid::new_v4(),
            user_id: user_id.to_owned(),
            handle: handle.to_owned(),
            created_at: time::now(),
        };
        let row = ActiveModel {
            id: Set(account.id),
            user_id: Set(account.user_id.clone()),
            handle: Set(account.handle.clone()),
            created_at: Set(account.created_at),
        };
        Entity::insert(row).exec_without_returning(&self.db).await?;
        Ok(account)
    }

    /// Disconnects an account and deletes its posts. Returns false when the user has no such
    /// account.
    pub(crate) async fn remove_account(&self, user_id: &str, id: Uuid) -> Result<bool, DbErr> {
        let done = Entity::delete_many()
            .filter(Column::Id.eq(id))
            .filter(Column::UserId.eq(user_id))
            .exec(&self.db)
            .await?;
        Ok(done.rows_affected > 0)
    }
}

/// The most accounts of the list, which has no pages: more than any user connects.
const MOST: u64 = 1000;
