//! The table `organization_memberships`: who belongs to which organization. For reading; the sink
//! writes it.
#![allow(
    missing_docs,
    clippy::exhaustive_enums,
    clippy::exhaustive_structs,
    reason = "the entity macro writes these types; their form is sea-orm's"
)]

use ::sea_orm::entity::prelude::*;

/// A membership's row. Who leaves and comes back has a new one with another id.
#[derive(Clone, Debug, DeriveEntityModel, PartialEq, Eq)]
#[sea_orm(table_name = "organization_memberships")]
pub struct Model {
    /// Clerk's id, `orgmem_…`.
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub id: String,
    #[sea_orm(column_type = "Text")]
    pub organization_id: String,
    #[sea_orm(column_type = "Text")]
    pub user_id: String,
    /// For example `org:admin`.
    #[sea_orm(column_type = "Text", nullable)]
    pub role: Option<String>,
    pub created_at: DateTimeUtc,
    /// Which state of the membership this is, by Clerk's `updated_at`.
    pub updated_at: DateTimeUtc,
}

#[derive(Clone, Copy, Debug, DeriveRelation, EnumIter)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
