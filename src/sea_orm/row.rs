//! The row of a user, an organization or a membership: an id and values by column.

use ::sea_orm::Value;
use ::sea_orm::sea_query::DynIden;

use super::columns::{Column, Content};
use super::dialect::Dialect;
use super::entity::{organization, organization_membership};
use super::mapping::UserColumns;
use crate::ids::{Id, UserId};
use crate::webhook::User;
use crate::webhook::event::{Organization, OrganizationMembership};

/// A row to be written. Rows of one kind have the same columns.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) id: Id,
    /// A key of the application's own, which is only written with a new row.
    pub(super) own_key: Option<(DynIden, Value)>,
    /// The other columns.
    pub(super) columns: Vec<(DynIden, Value)>,
}

impl Row {
    pub(super) fn of_user(user: &User, columns: &UserColumns, dialect: Dialect) -> Self {
        let row = Self::of(user.id.id(), user, &columns.written, dialect);
        row.with_own_key(&user.id, columns, dialect)
    }

    /// Returns a row of an id and the current time alone, for a user known before any event.
    pub(super) fn of_unknown_user(
        id: &UserId,
        now: &Value,
        columns: &UserColumns,
        dialect: Dialect,
    ) -> Self {
        let times = columns.written.iter();
        let times = times.filter(|column| matches!(column.content, Content::Time(_)));
        let times = times.map(|column| (column.name.clone(), now.clone()));
        let row = Self { id: id.id().clone(), own_key: None, columns: times.collect() };
        row.with_own_key(id, columns, dialect)
    }

    pub(super) fn of_organization(organization: &Organization, dialect: Dialect) -> Self {
        Self::of(organization.id.id(), organization, &organization::columns(), dialect)
    }

    pub(super) fn of_membership(membership: &OrganizationMembership, dialect: Dialect) -> Self {
        Self::of(membership.id.id(), membership, &organization_membership::columns(), dialect)
    }

    /// Returns the columns of a user's row that may be empty, as far as the sink fills them.
    pub(super) fn nullable_of_users(columns: &UserColumns) -> Vec<DynIden> {
        nullable(&columns.written)
    }

    /// Returns the columns of an organization's row that may be empty.
    pub(super) fn nullable_of_organizations() -> Vec<DynIden> {
        nullable(&organization::columns())
    }

    /// Returns the columns of a membership's row that may be empty.
    pub(super) fn nullable_of_memberships() -> Vec<DynIden> {
        nullable(&organization_membership::columns())
    }

    /// Returns whether each value stands in a statement without a cast. sea-query writes a cast for
    /// an enum and for a list of enums; a kind of value that is not listed here may be one of
    /// these.
    pub(super) fn is_plain(&self) -> bool {
        self.own_key.iter().chain(&self.columns).all(|(_, value)| {
            matches!(
                value,
                Value::Bool(_)
                    | Value::TinyInt(_)
                    | Value::SmallInt(_)
                    | Value::Int(_)
                    | Value::BigInt(_)
                    | Value::Float(_)
                    | Value::Double(_)
                    | Value::String(_)
                    | Value::Bytes(_)
                    | Value::ChronoDateTimeUtc(_)
            )
        })
    }

    fn of<R>(id: &Id, record: &R, columns: &[Column<R>], dialect: Dialect) -> Self {
        let values = columns.iter();
        let values = values.map(|column| (column.name.clone(), column.value(record, dialect)));
        Self { id: id.clone(), own_key: None, columns: values.collect() }
    }

    fn with_own_key(self, id: &UserId, columns: &UserColumns, dialect: Dialect) -> Self {
        let key = columns.own_key.as_ref();
        let key = key.map(|key| (key.name.clone(), dialect.bound((key.make)(id))));
        Self { own_key: key, ..self }
    }
}

fn nullable<R>(columns: &[Column<R>]) -> Vec<DynIden> {
    let nullable = columns.iter().filter(|column| column.may_be_null());
    nullable.map(|column| column.name.clone()).collect()
}
