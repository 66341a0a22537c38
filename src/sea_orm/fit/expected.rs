//! The expected form of each table: the columns that the sink writes. Asks no database.

use ::sea_orm::sea_query::{DynIden, IntoIden as _};

use crate::ids::MAX_ID_BYTES;
use crate::sea_orm::columns::{Column, Content};
use crate::sea_orm::entity::{organization, organization_membership};
use crate::sea_orm::mapping::{ID, UserColumns};

/// The expected form of a table.
#[derive(Clone, Debug)]
pub(super) struct Expected {
    pub(super) columns: Vec<ExpectedColumn>,
    pub(super) table_of: TableOf,
}

/// The records that a table holds. They decide which of its columns the `Schema` can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TableOf {
    /// Organizations or memberships.
    Others,
    Users {
        /// Whether the application has said which column holds Clerk's id.
        is_id_chosen: bool,
        /// Whether the application must make the table.
        is_of_the_application: bool,
    },
}

pub(super) fn users(
    columns: &UserColumns,
    is_of_the_application: bool,
    extent: Extent,
) -> Expected {
    let mut wanted = vec![ExpectedColumn::key(columns.id.clone())];
    wanted.extend(columns.written.iter().map(|column| ExpectedColumn::of(column, extent)));
    wanted.extend(columns.deleted_at.iter().cloned().map(ExpectedColumn::time_or_null));
    let own_key = columns.own_key.iter().map(|key| ExpectedColumn::own_key(key.name.clone()));
    wanted.extend(own_key);
    let is_id_chosen = columns.is_id_chosen;
    let table_of = TableOf::Users { is_id_chosen, is_of_the_application };
    Expected { columns: wanted, table_of }
}

pub(super) fn organizations() -> Expected {
    others(&organization::columns())
}

pub(super) fn memberships() -> Expected {
    others(&organization_membership::columns())
}

fn others<R>(columns: &[Column<R>]) -> Expected {
    let mut wanted = vec![ExpectedColumn::key(ID.into_iden())];
    wanted.extend(columns.iter().map(|column| ExpectedColumn::of(column, Extent::Whole)));
    Expected { columns: wanted, table_of: TableOf::Others }
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
    Flag,
    Id,
    Key,
    /// The application's own key, whose type is not checked.
    OwnKey,
    /// Values of the application, whose column may not exist yet.
    PerhapsAnything,
    Text,
    Time,
}

impl ExpectedColumn {
    fn of<R>(column: &Column<R>, extent: Extent) -> Self {
        let holds = match (&column.content, extent) {
            (Content::Flag(_), _) => Holds::Flag,
            (Content::Id(_) | Content::OptionalId(_), _) => Holds::Id,
            (Content::Own(_), Extent::Whole) => Holds::Anything,
            (Content::Own(_), Extent::WithoutOwnColumns) => Holds::PerhapsAnything,
            (Content::Text(_), _) => Holds::Text,
            (Content::Time(_), _) => Holds::Time,
        };
        Self { name: column.name.clone(), holds, may_be_null: column.may_be_null() }
    }

    fn key(name: DynIden) -> Self {
        Self { name, holds: Holds::Key, may_be_null: false }
    }

    fn own_key(name: DynIden) -> Self {
        Self { name, holds: Holds::OwnKey, may_be_null: false }
    }

    fn time_or_null(name: DynIden) -> Self {
        Self { name, holds: Holds::Time, may_be_null: true }
    }
}

/// The number of characters that an id column must hold.
pub(super) const ID_LENGTH: i64 = MAX_ID_BYTES as i64;
