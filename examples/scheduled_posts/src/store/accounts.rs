//! X accounts in the database.

use sea_orm::{ActiveValue::Set, ColumnTrait as _, Condition, DbErr, EntityTrait as _};
use sea_orm::{FromQueryResult as _, PaginatorTrait as _, QueryFilter as _, QueryOrder as _};
use sea_orm::{QuerySelect as _, QueryTrait as _};
use tower_clerk::sea_orm::user;
use uuid::Uuid;

use crate::entities::x_account::{ActiveModel, Column, Entity, Model};
use crate::store::{Cursor, Store, WriteError};
use crate::time;

impl Store {
    /// Returns a page of a user's accounts, the oldest first, and the cursor of the next page.
    pub(crate) async fn accounts(
        &self,
        user_id: &str,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<(Vec<Model>, Option<Cursor>), DbErr> {
        let mut query = Entity::find().filter(Column::UserId.eq(user_id));
        if let Some(Cursor { time, id }) = after {
            let at = self.instant(time);
            query = query
                .filter(Column::CreatedAt.gte(at.clone()))
                .filter(Condition::any().add(Column::CreatedAt.gt(at)).add(Column::Id.gt(id)));
        }
        let accounts = query
            .order_by_asc(Column::CreatedAt)
            .order_by_asc(Column::Id)
            .limit(u64::from(limit) + 1)
            .into_query();
        let rows = self.db.rows(&accounts).await?;
        let accounts = rows.iter().map(|row| Model::from_query_result(row, ""));
        let mut accounts = accounts.collect::<Result<Vec<_>, _>>()?;
        let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = accounts.len() > wanted;
        accounts.truncate(wanted);
        let last = accounts.last().filter(|_| more);
        let next = last.map(|account| Cursor { time: account.created_at, id: account.id });
        Ok((accounts, next))
    }

    /// Connects an account. Fails with [`WriteError::NoParent`] when there is no such user, and with
    /// [`WriteError::TooMany`] when the user has [`MOST_ACCOUNTS`].
    pub(crate) async fn add_account(
        &self,
        user_id: &str,
        handle: &str,
    ) -> Result<Model, WriteError> {
        self.db.again(|| self.add_account_once(user_id, handle)).await
    }

    async fn add_account_once(&self, user_id: &str, handle: &str) -> Result<Model, WriteError> {
        let tx = self.db.begin().await?;
        // Requests of one user wait for each other, so that none passes the limit beside another.
        let owner = user::Entity::find_by_id(user_id)
            .select_only()
            .column(user::Column::Id)
            .lock_exclusive()
            .into_tuple::<String>()
            .one(&tx)
            .await?;
        owner.ok_or(WriteError::NoParent)?;
        let count = Entity::find().filter(Column::UserId.eq(user_id)).count(&tx).await?;
        if count >= MOST_ACCOUNTS {
            return Err(WriteError::TooMany);
        }
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
        Entity::insert(row).exec_without_returning(&tx).await?;
        tx.commit().await?;
        Ok(account)
    }

    /// Disconnects an account and deletes its posts. Returns false when the user has no such
    /// account.
    pub(crate) async fn remove_account(&self, user_id: &str, id: Uuid) -> Result<bool, DbErr> {
        let delete = Entity::delete_many()
            .filter(Column::Id.eq(id))
            .filter(Column::UserId.eq(user_id))
            .into_query();
        Ok(self.db.execute(&delete).await? > 0)
    }
}

/// The most accounts that a user can connect.
pub(crate) const MOST_ACCOUNTS: u64 = 1000;
