//! The table `users`, which holds only the users' data. For reading; the sink writes it.
#![allow(
    missing_docs,
    clippy::exhaustive_enums,
    clippy::exhaustive_structs,
    reason = "the entity macro writes these types; their form is sea-orm's"
)]

use ::sea_orm::entity::prelude::*;

use crate::sea_orm::columns::Content;
use crate::webhook::User;

/// A user's row.
#[derive(Clone, DeriveEntityModel, PartialEq, Eq)]
#[sea_orm(table_name = "users")]
pub struct Model {
    /// Clerk's user id.
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub id: String,
    /// The primary e-mail address. Not unique: two users of an instance can share one. It may be
    /// unverified, for example after an import, so that it is no proof of who somebody is; see
    /// [`Schema::email_verified_column`](crate::sea_orm::Schema::email_verified_column).
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

/// Returns the columns that each state of a user fills, in the order of the table. This list and the
/// model are all that knows their names.
pub(in crate::sea_orm) fn columns() -> [(Column, Content<User>); 7] {
    [
        (Column::Email, Content::Text(|user| user.email.as_deref())),
        (Column::FirstName, Content::Text(|user| user.first_name.as_deref())),
        (Column::LastName, Content::Text(|user| user.last_name.as_deref())),
        (Column::Username, Content::Text(|user| user.username.as_deref())),
        (Column::ImageUrl, Content::Text(|user| user.image_url.as_deref())),
        (Column::CreatedAt, Content::Time(|user| user.created_at)),
        (Column::UpdatedAt, Content::Time(|user| user.updated_at)),
    ]
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
