//! The expected form of each table: the columns that the sink writes. Asks no database.

use ::sea_orm::sea_query::{DynIden, IntoIden};

use crate::ids::MAX_ID_BYTES;
use crate::sea_orm::entity::{organization, organization_membership, user};
use crate::sea_orm::schema::{Deletion, Schema};
use crate::sea_orm::tables::DELETED_AT;

pub(super) fn users(schema: &Schema, extent: Extent) -> Vec<ExpectedColumn> {
    use user::Column;
    let mut wanted = vec![
        ExpectedColumn::key(Column::Id),
        ExpectedColumn::text(Column::Email),
        ExpectedColumn::text(Column::FirstName),
        ExpectedColumn::text(Column::LastName),
        ExpectedColumn::text(Column::Username),
        ExpectedColumn::text(Column::ImageUrl),
        ExpectedColumn::time(Column::CreatedAt),
        ExpectedColumn::time(Column::UpdatedAt),
    ];
    if schema.deletion() == Deletion::Mark {
        wanted.push(ExpectedColumn::time_or_null(DELETED_AT));
    }
    let own =
        schema.columns().iter().map(|column| ExpectedColumn::own(column.name.clone(), extent));
    wanted.extend(own);
    wanted
}

pub(super) fn organizations() -> Vec<ExpectedColumn> {
    use organization::Column;
    vec![
        ExpectedColumn::key(Column::Id),
        ExpectedColumn::text(Column::Name),
        ExpectedColumn::text(Column::Slug),
        ExpectedColumn::text(Column::ImageUrl),
        ExpectedColumn::id_or_null(Column::CreatedBy),
        ExpectedColumn::time(Column::CreatedAt),
        ExpectedColumn::time(Column::UpdatedAt),
    ]
}

pub(super) fn memberships() -> Vec<ExpectedColumn> {
    use organization_membership::Column;
    vec![
        ExpectedColumn::key(Column::Id),
        ExpectedColumn::id(Column::OrganizationId),
        ExpectedColumn::id(Column::UserId),
        ExpectedColumn::text(Column::Role),
        ExpectedColumn::time(Column::CreatedAt),
        ExpectedColumn::time(Column::UpdatedAt),
    ]
}

/// The columns that a check looks for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::sea_orm) enum Extent {
    Whole,
    /// All columns but those that the application adds.
    WithoutOwnColumns,
}

/// A column that the sink writes.
#[derive(Clone, Debug)]
pub(super) struct ExpectedColumn {
    pub(super) name: DynIden,
    pub(super) holds: Holds,
    pub(super) may_be_null: bool,
}

/// The values that a column must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holds {
    /// Values of the application, whose type is not checked.
    Anything,
    Id,
    Key,
    /// Values of the application, whose column may not exist yet.
    PerhapsAnything,
    Text,
    Time,
}

impl ExpectedColumn {
    pub(super) fn key(name: impl IntoIden) -> Self {
        Self { name: name.into_iden(), holds: Holds::Key, may_be_null: false }
    }

    pub(super) fn id(name: impl IntoIden) -> Self {
        Self { name: name.into_iden(), holds: Holds::Id, may_be_null: false }
    }

    pub(super) fn id_or_null(name: impl IntoIden) -> Self {
        Self { name: name.into_iden(), holds: Holds::Id, may_be_null: true }
    }

    pub(super) fn text(name: impl IntoIden) -> Self {
        Self { name: name.into_iden(), holds: Holds::Text, may_be_null: true }
    }

    pub(super) fn time(name: impl IntoIden) -> Self {
        Self { name: name.into_iden(), holds: Holds::Time, may_be_null: false }
    }

    pub(super) fn time_or_null(name: impl IntoIden) -> Self {
        Self { name: name.into_iden(), holds: Holds::Time, may_be_null: true }
    }

    pub(super) fn own(name: DynIden, extent: Extent) -> Self {
        let holds = match extent {
            Extent::Whole => Holds::Anything,
            Extent::WithoutOwnColumns => Holds::PerhapsAnything,
        };
        Self { name, holds, may_be_null: false }
    }
}

/// The number of characters that an id column must hold.
pub(super) const ID_LENGTH: i64 = MAX_ID_BYTES as i64;
