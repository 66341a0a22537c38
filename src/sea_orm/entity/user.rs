//! The table `users`, which holds only the users' data. For reading; the sink writes it.
#![allow(
    missing_docs,
    clippy::exhaustive_enums,
    clippy::exhaustive_structs,
    reason = "the entity macro writes these types; their form is sea-orm's"
)]

use ::sea_orm::entity::prelude::*;

/// A user's row.
#[derive(Clone, DeriveEntityModel, PartialEq, Eq)]
#[sea_orm(table_name = "users")]
pub struct Model {
    /// Clerk's user id.
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub id: String,
    /// The primary e-mail address. Not unique: two users of an instance can share one.
    #[sea_orm(column_type = "Text", nullable)]
    pub email: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub first_name: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub last_name: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub username: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub image_url: Option<String>,
    /// The time at which Clerk created the user; until Clerk's event arrives, that of the row's
    /// creation.
    pub created_at: DateTimeUtc,
    /// Clerk's `updated_at` of the state that the row holds.
    pub updated_at: DateTimeUtc,
}

/// Shows the id alone: the rest is personal data.
impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Model").field("id", &self.id).finish_non_exhaustive()
    }
}

#[derive(Clone, Copy, Debug, DeriveRelation, EnumIter)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
