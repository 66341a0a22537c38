//! The table `organization_memberships`: the members of each organization. For reading; the sink
//! writes it.
#![allow(
    missing_docs,
    clippy::exhaustive_enums,
    clippy::exhaustive_structs,
    reason = "the entity macro writes these types; their form is sea-orm's"
)]

use ::sea_orm::entity::prelude::*;

use crate::sea_orm::columns::{Column as Filled, Content};
use crate::webhook::event::OrganizationMembership;

/// A membership's row. A user who leaves and comes back gets a new one with another id.
#[derive(Clone, Debug, DeriveEntityModel, PartialEq, Eq)]
#[sea_orm(table_name = "organization_memberships")]
pub struct Model {
    /// Clerk's id, `orgmem_…`.
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub id: String,
    #[sea_orm(column_type = "Text")]
    pub organization_id: String,
    /// Clerk's id of the user, also where the table of users has a key of the application's own.
    #[sea_orm(column_type = "Text")]
    pub user_id: String,
    /// For example `org:admin`.
    #[sea_orm(column_type = "Text", nullable)]
    pub role: Option<String>,
    pub created_at: DateTimeUtc,
    /// Clerk's `updated_at` of the state that the row holds.
    pub updated_at: DateTimeUtc,
}

/// Returns the columns that each state of a membership fills, in the order of the table. This list and
/// the model are all that knows their names.
pub(in crate::sea_orm) fn columns() -> [Filled<OrganizationMembership>; 5] {
    [
        Filled::new(Column::OrganizationId, Content::Id(|it| it.organization_id.as_str())),
        Filled::new(Column::UserId, Content::Id(|it| it.user_id.as_str())),
        Filled::new(Column::Role, Content::Text(|it| it.role.as_deref())),
        Filled::new(Column::CreatedAt, Content::Time(|it| it.created_at)),
        Filled::new(Column::UpdatedAt, Content::Time(|it| it.updated_at)),
    ]
}

#[derive(Clone, Copy, Debug, DeriveRelation, EnumIter)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
