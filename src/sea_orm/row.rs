//! The row of a user, an organization or a membership: an id and values by column.

use ::sea_orm::Value;
use ::sea_orm::prelude::DateTimeUtc;
use ::sea_orm::sea_query::{DynIden, IntoIden};

use super::dialect::Dialect;
use super::entity::{organization, organization_membership, user};
use super::schema::UserColumn;
use crate::ids::{Id, UserId};
use crate::webhook::User;
use crate::webhook::event::{Organization, OrganizationMembership};

/// A row to be written. Rows of one kind have the same columns.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) id: Id,
    /// The columns other than the id.
    pub(super) columns: Vec<(DynIden, Value)>,
}

impl Row {
    pub(super) fn of_user(user: &User, more: &[UserColumn], dialect: Dialect) -> Self {
        use user::Column;
        let mut row = Self::new(
            user.id.id(),
            [
                (Column::Email, text(user.email.as_deref())),
                (Column::FirstName, text(user.first_name.as_deref())),
                (Column::LastName, text(user.last_name.as_deref())),
                (Column::Username, text(user.username.as_deref())),
                (Column::ImageUrl, text(user.image_url.as_deref())),
                (Column::CreatedAt, time(user.created_at, dialect)),
                (Column::UpdatedAt, time(user.updated_at, dialect)),
            ],
        );
        let own =
            |column: &UserColumn| (column.name.clone(), dialect.bound(clean((column.value)(user))));
        row.columns.extend(more.iter().map(own));
        row
    }

    /// Returns a row of an id and the current time alone, for a user known before any event.
    pub(super) fn of_unknown_user(id: &UserId, now: &Value) -> Self {
        use user::Column;
        Self::new(id.id(), [(Column::CreatedAt, now.clone()), (Column::UpdatedAt, now.clone())])
    }

    pub(super) fn of_organization(organization: &Organization, dialect: Dialect) -> Self {
        use organization::Column;
        Self::new(
            organization.id.id(),
            [
                (Column::Name, text(organization.name.as_deref())),
                (Column::Slug, text(organization.slug.as_deref())),
                (Column::ImageUrl, text(organization.image_url.as_deref())),
                (Column::CreatedBy, id(organization.created_by.as_deref())),
                (Column::CreatedAt, time(organization.created_at, dialect)),
                (Column::UpdatedAt, time(organization.updated_at, dialect)),
            ],
        )
    }

    pub(super) fn of_membership(membership: &OrganizationMembership, dialect: Dialect) -> Self {
        use organization_membership::Column;
        Self::new(
            membership.id.id(),
            [
                (Column::OrganizationId, membership.organization_id.as_str().into()),
                (Column::UserId, membership.user_id.as_str().into()),
                (Column::Role, text(membership.role.as_deref())),
                (Column::CreatedAt, time(membership.created_at, dialect)),
                (Column::UpdatedAt, time(membership.updated_at, dialect)),
            ],
        )
    }

    /// Returns the columns of a user's row that may be empty, as far as the sink fills them.
    pub(super) fn nullable_of_users(more: &[UserColumn]) -> Vec<DynIden> {
        use user::Column::{Email, FirstName, ImageUrl, LastName, Username};
        let own = more.iter().map(|column| column.name.clone());
        let filled = [Email, FirstName, LastName, Username, ImageUrl].map(IntoIden::into_iden);
        filled.into_iter().chain(own).collect()
    }

    /// Returns the columns of an organization's row that may be empty.
    pub(super) fn nullable_of_organizations() -> Vec<DynIden> {
        use organization::Column::{CreatedBy, ImageUrl, Name, Slug};
        [Name, Slug, ImageUrl, CreatedBy].map(IntoIden::into_iden).into()
    }

    /// Returns the columns of a membership's row that may be empty.
    pub(super) fn nullable_of_memberships() -> Vec<DynIden> {
        vec![organization_membership::Column::Role.into_iden()]
    }

    /// Returns whether each value stands in a statement without a cast. sea-query writes a cast for
    /// an enum and for a list of enums; a kind of value that is not listed here may be one of
    /// these.
    pub(super) fn is_plain(&self) -> bool {
        self.columns.iter().all(|(_, value)| {
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

    fn new<C: IntoIden, const N: usize>(id: &Id, columns: [(C, Value); N]) -> Self {
        let columns = columns.into_iter().map(|(column, value)| (column.into_iden(), value));
        Self { id: id.clone(), columns: columns.collect() }
    }
}

fn text(text: Option<&str>) -> Value {
    clean(text.map(str::to_owned).into())
}

/// Returns an id that no decision depends on: null unless Clerk can have given it, since another
/// text may be longer than the column.
fn id(id: Option<&str>) -> Value {
    id.filter(|id| Id::is(id)).map(str::to_owned).into()
}

/// Removes U+0000 from a text, the only character that PostgreSQL's texts cannot hold.
fn clean(value: Value) -> Value {
    match value {
        Value::String(Some(text)) if text.contains('\0') => text.replace('\0', "").into(),
        value => value,
    }
}

/// Converts milliseconds since 1970 to a time.
fn time(millis: i64, dialect: Dialect) -> Value {
    dialect.time(DateTimeUtc::from_timestamp_millis(millis).unwrap_or_default())
}
