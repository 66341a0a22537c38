//! The table `organizations`. For reading; the sink writes it.
#![allow(
    missing_docs,
    clippy::exhaustive_enums,
    clippy::exhaustive_structs,
    reason = "the entity macro writes these types; their form is sea-orm's"
)]

use ::sea_orm::entity::prelude::*;

use crate::sea_orm::columns::{Column as Filled, Content};
use crate::webhook::event::Organization;

/// An organization's row.
#[derive(Clone, Debug, DeriveEntityModel, PartialEq, Eq)]
#[sea_orm(table_name = "organizations")]
pub struct Model {
    /// Clerk's id, `org_…`.
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub id: String,
    #[sea_orm(column_type = "Text", nullable)]
    pub name: Option<String>,
    /// The name in URLs. Not unique here: Clerk may have given it to another organization since.
    #[sea_orm(column_type = "Text", nullable)]
    pub slug: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub image_url: Option<String>,
    /// The id of the user who created it.
    #[sea_orm(column_type = "Text", nullable)]
    pub created_by: Option<String>,
    pub created_at: DateTimeUtc,
    /// Clerk's `updated_at` of the state that the row holds.
    pub updated_at: DateTimeUtc,
}

/// Returns the columns that each state of an organization fills, in the order of the table. This list
/// and the model are all that knows their names.
pub(in crate::sea_orm) fn columns() -> [Filled<Organization>; 6] {
    [
        Filled::new(Column::Name, Content::Text(|it| it.name.as_deref())),
        Filled::new(Column::Slug, Content::Text(|it| it.slug.as_deref())),
        Filled::new(Column::ImageUrl, Content::Text(|it| it.image_url.as_deref())),
        Filled::new(Column::CreatedBy, Content::OptionalId(|it| it.created_by.as_deref())),
        Filled::new(Column::CreatedAt, Content::Time(|it| it.created_at)),
        Filled::new(Column::UpdatedAt, Content::Time(|it| it.updated_at)),
    ]
}

#[derive(Clone, Copy, Debug, DeriveRelation, EnumIter)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
