//! Scheduled posts in the database.

use chrono::{DateTime, Utc};
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use sea_orm::{ColumnTrait as _, Condition, DbErr, EntityTrait as _, FromQueryResult as _, Value};
use sea_orm::{QueryFilter as _, QueryOrder as _, QueryResult, QuerySelect as _, QueryTrait as _};
use uuid::Uuid;

use crate::entities::scheduled_post::{Column, Entity, Model};
use crate::store::{Cursor, Store, WriteError};
use crate::time;

/// A page of the list: inclusive bounds, beginning after a cursor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Page {
    pub(crate) start: Option<DateTime<Utc>>,
    pub(crate) end: Option<DateTime<Utc>>,
    pub(crate) after: Option<Cursor>,
    pub(crate) limit: u32,
}

/// A post to be written.
#[derive(Debug)]
pub(crate) struct NewPost {
    pub(crate) x_account_id: Uuid,
    pub(crate) content: String,
    pub(crate) scheduled_at: DateTime<Utc>,
}

/// A change of a post; `None` leaves a column as it is.
#[derive(Debug, Default)]
pub(crate) struct Change {
    pub(crate) content: Option<String>,
    pub(crate) scheduled_at: Option<DateTime<Utc>>,
    pub(crate) status: Option<&'static str>,
}

impl Store {
    /// Returns a page of a user's posts, by time and then id, and the cursor of the next page.
    pub(crate) async fn posts(
        &self,
        user_id: &str,
        page: &Page,
    ) -> Result<(Vec<Model>, Option<Cursor>), DbErr> {
        let mut query = Entity::find().filter(Column::UserId.eq(user_id));
        if let Some(start) = page.start {
            query = query.filter(Column::ScheduledAt.gte(self.instant(start)));
        }
        if let Some(end) = page.end {
            query = query.filter(Column::ScheduledAt.lte(self.instant(end)));
        }
        if let Some(Cursor { time, id }) = page.after {
            // Neither condition is enough alone; together they select the rows after the cursor and
            // can use the index.
            let at = self.instant(time);
            query = query
                .filter(Column::ScheduledAt.gte(at.clone()))
                .filter(Condition::any().add(Column::ScheduledAt.gt(at)).add(Column::Id.gt(id)));
        }
        let posts = query
            .order_by_asc(Column::ScheduledAt)
            .order_by_asc(Column::Id)
            .limit(u64::from(page.limit) + 1)
            .into_query();
        let mut posts = models(&self.db.rows(&posts).await?)?;
        let wanted = usize::try_from(page.limit).unwrap_or(usize::MAX);
        let more = posts.len() > wanted;
        posts.truncate(wanted);
        let last = posts.last().filter(|_| more);
        let next = last.map(|post| Cursor { time: post.scheduled_at, id: post.id });
        Ok((posts, next))
    }

    /// Writes a post. Fails with [`WriteError::NoParent`] when the user has no such account.
    pub(crate) async fn add_post(&self, user_id: &str, new: NewPost) -> Result<Model, WriteError> {
        let now = time::now();
        let post = Model {
            id: Uuid::new_v4(),
            user_id: user_id.to_owned(),
            x_account_id: new.x_account_id,
            content: new.content,
            scheduled_at: new.scheduled_at,
            status: "scheduled".to_owned(),
            created_at: now,
            updated_at: now,
        };
        // Not through the entity, whose instants have the same type on every database.
        let row: [(Column, Value); 8] = [
            (Column::Id, post.id.into()),
            (Column::UserId, post.user_id.clone().into()),
            (Column::XAccountId, post.x_account_id.into()),
            (Column::Content, post.content.clone().into()),
            (Column::ScheduledAt, self.instant(post.scheduled_at)),
            (Column::Status, post.status.clone().into()),
            (Column::CreatedAt, self.instant(post.created_at)),
            (Column::UpdatedAt, self.instant(post.updated_at)),
        ];
        let (columns, values): (Vec<_>, Vec<_>) = row.into_iter().unzip();
        let mut insert = Query::insert().into_table(Entity).columns(columns).take();
        let insert = insert.values(values.into_iter().map(Expr::value));
        let insert = insert.map_err(|error| DbErr::Custom(error.to_string()))?;
        self.db.execute(&*insert).await?;
        Ok(post)
    }

    /// Changes a post and returns it; `None` when the user has no such post.
    pub(crate) async fn change_post(
        &self,
        user_id: &str,
        id: Uuid,
        change: Change,
    ) -> Result<Option<Model>, DbErr> {
        let own = Condition::all().add(Column::Id.eq(id)).add(Column::UserId.eq(user_id));
        let mut columns = Vec::new();
        if let Some(content) = change.content {
            columns.push((Column::Content, Expr::value(content)));
        }
        if let Some(scheduled_at) = change.scheduled_at {
            columns.push((Column::ScheduledAt, Expr::value(self.instant(scheduled_at))));
        }
        if let Some(status) = change.status {
            columns.push((Column::Status, Expr::value(status)));
        }
        if !columns.is_empty() {
            // A clock that was set back must not make a change older than what it changed.
            let now = self.instant(time::now());
            let later = Expr::case(
                Expr::col(Column::UpdatedAt).gt(now.clone()),
                Expr::col(Column::UpdatedAt),
            );
            columns.push((Column::UpdatedAt, later.finally(Expr::value(now)).into()));
            let mut update = Entity::update_many().filter(own.clone());
            for (column, value) in columns {
                update = update.col_expr(column, value);
            }
            if self.db.execute(&update.into_query()).await? == 0 {
                return Ok(None);
            }
        }
        let select = Entity::find().filter(own).into_query();
        Ok(models(&self.db.rows(&select).await?)?.pop())
    }

    /// Deletes all posts of a user.
    pub(crate) async fn remove_posts(&self, user_id: &str) -> Result<(), DbErr> {
        let delete = Entity::delete_many().filter(Column::UserId.eq(user_id)).into_query();
        self.db.execute(&delete).await.map(drop)
    }

    /// Deletes a post. Returns false when the user has no such post.
    pub(crate) async fn remove_post(&self, user_id: &str, id: Uuid) -> Result<bool, DbErr> {
        let delete = Entity::delete_many()
            .filter(Column::Id.eq(id))
            .filter(Column::UserId.eq(user_id))
            .into_query();
        Ok(self.db.execute(&delete).await? > 0)
    }
}

fn models(rows: &[QueryResult]) -> Result<Vec<Model>, DbErr> {
    rows.iter().map(|row| Model::from_query_result(row, "")).collect()
}
