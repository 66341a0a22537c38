//! The members of organizations, from the crate's tables.

use chrono::{DateTime, Utc};
use sea_orm::sea_query::{Expr, ExprTrait, Order, Query};
use sea_orm::{DbErr, FromQueryResult};
use tower_clerk::sea_orm::{organization_membership, user};

use crate::store::Store;

/// A member of an organization.
#[derive(Debug, FromQueryResult)]
pub(crate) struct Member {
    /// The membership's id.
    id: String,
    pub(crate) user_id: String,
    pub(crate) email: Option<String>,
    pub(crate) role: Option<String>,
    pub(crate) created_at: DateTime<Utc>,
}

impl Store {
    /// Returns a page of an organization's members, by the ids of their memberships, and where the next page
    /// begins.
    pub(crate) async fn members(
        &self,
        organization_id: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<(Vec<Member>, Option<String>), DbErr> {
        use organization_membership::{Column, Entity};
        let of_member = |column: Column| Expr::col((Entity, column));
        let is_own = of_member(Column::UserId).equals((user::Entity, user::Column::Id));
        let select = Query::select()
            .columns(
                [Column::Id, Column::UserId, Column::Role, Column::CreatedAt]
                    .map(|it| (Entity, it)),
            )
            .column((user::Entity, user::Column::Email))
            .from(Entity)
            .left_join(user::Entity, is_own)
            .and_where(of_member(Column::OrganizationId).eq(organization_id))
            .and_where_option(after.map(|after| of_member(Column::Id).gt(after)))
            .order_by((Entity, Column::Id), Order::Asc)
            .limit(u64::from(limit) + 1)
            .to_owned();
        let rows = self.db.rows(&select).await?;
        let members = rows.iter().map(|row| Member::from_query_result(row, ""));
        let mut members = members.collect::<Result<Vec<_>, _>>()?;
        let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = members.len() > wanted;
        members.truncate(wanted);
        let next = members.last().filter(|_| more).map(|member| member.id.clone());
        Ok((members, next))
    }
}
