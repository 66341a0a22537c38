//! The choice of tables and of what they hold. Names and settings only; opens nothing.

use std::fmt;

use ::sea_orm::Value;
use ::sea_orm::sea_query::IntoIden as _;

use super::dialect::Dialect;
use super::entity::user;
use super::mapping::{EMPTY, ID, Mapping, distinct};
use super::pooling::Pooling;
use super::tables::{
    BACKFILLS, DEAD_LETTERS, DELIVERIES, Kind, LOCKOUTS, MEMBERSHIP_VERSIONS,
    ORGANIZATION_VERSIONS, OrganizationTables, TableName, Tables, USER_VERSIONS,
};
use crate::ConfigError;
use crate::ids::UserId;
use crate::webhook::User;

/// The tables that the sink writes, and what it keeps in them.
///
/// The same `Schema` creates the tables ([`migrate`](Self::migrate)) and is given to the sink
/// ([`SeaOrmSink::with_schema`](super::SeaOrmSink::with_schema)). By default it keeps users alone,
/// in the table `users` of the connection's own schema, and removes a deleted user's row.
///
/// ```
/// # #[cfg(feature = "sea-orm-migration")]
/// # async fn run(db: sea_orm::DatabaseConnection) -> Result<(), Box<dyn std::error::Error>> {
/// use tower_clerk::sea_orm::{Deletion, Schema, SeaOrmSink};
///
/// let schema = Schema::new()
///     .in_schema("accounts")
///     .users_table("people")
///     .user_column("locale", |user| user.locale.clone().into())
///     .on_deletion(Deletion::Mark)
///     .with_organizations();
/// schema.migrate(&db).await?;
/// let sink = SeaOrmSink::with_schema(db, schema)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Schema {
    schema: Option<String>,
    users: String,
    organizations: Option<OrganizationNames>,
    deletion: Deletion,
    columns: Mapping,
    pooling: Pooling,
}

/// The treatment of a deleted user's row. Either way, no later event brings the user back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Deletion {
    /// Removal of the row, and of the rows that refer to it by `ON DELETE CASCADE`.
    #[default]
    Delete,
    /// A row that stays as it was last, with the time of the deletion in the column `deleted_at`, or in
    /// that of [`Schema::deleted_at_column`]. It goes on
    /// holding personal data until the application removes them; an
    /// [`InTransaction`](super::InTransaction) can do so in the same transaction.
    Mark,
}

#[derive(Clone)]
struct OrganizationNames {
    organizations: String,
    memberships: String,
}

impl Schema {
    /// Creates a schema of users alone, in the table `users`.
    #[must_use]
    pub fn new() -> Self {
        Self {
            schema: None,
            users: "users".to_owned(),
            organizations: None,
            deletion: Deletion::Delete,
            columns: Mapping::new(),
            pooling: Pooling::Session,
        }
    }

    /// Sets the schema of all tables; default: the connection's own.
    ///
    /// It is a schema of PostgreSQL, a database of MySQL or an attached database of SQLite, and
    /// must exist. The bookkeeping of migrations stays in the connection's own schema.
    #[must_use]
    pub fn in_schema(self, name: impl Into<String>) -> Self {
        Self { schema: Some(name.into()), ..self }
    }

    /// Sets the table of users; default: `users`. An existing table is used if it fits; see
    /// [`check`](Self::check).
    #[must_use]
    pub fn users_table(self, name: impl Into<String>) -> Self {
        Self { users: name.into(), ..self }
    }

    /// Sets the treatment of a deleted user's row; default: [`Deletion::Delete`].
    /// [`Deletion::Mark`] requires a column `deleted_at`, or that of
    /// [`deleted_at_column`](Self::deleted_at_column).
    #[must_use]
    pub fn on_deletion(self, deletion: Deletion) -> Self {
        Self { deletion, ..self }
    }

    /// Sets the name of a column of the table of users; default: that of the entity.
    ///
    /// So the sink keeps a table that the application had before. Rows are found by
    /// [`user::Column::Id`], the column of Clerk's id, which must be unique; the primary key may be
    /// another. A name for it also says that unique indices of columns which the sink does not fill are
    /// the application's. [`migrate`](Self::migrate) creates no table whose id has another name than
    /// `id`, since only the application knows its other keys.
    ///
    /// [`user::Entity`](super::user::Entity) reads tables with the entity's own names only;
    /// [`find_user`](super::SeaOrmSink::find_user) reads this one.
    #[must_use]
    pub fn user_column_named(mut self, column: user::Column, name: impl Into<String>) -> Self {
        self.columns.name(column, Some(name.into().into_iden()));
        self
    }

    /// Leaves a column out, which the table of users does not have.
    ///
    /// [`find_user`](super::SeaOrmSink::find_user) returns `None` in its place, or 1970-01-01 for a time.
    /// Without `created_at`, a backfill that removes users takes a user's last change for the
    /// creation, and never removes one of whom only the id is known.
    #[must_use]
    pub fn without_user_column(mut self, column: user::Column) -> Self {
        self.columns.name(column, None);
        self
    }

    /// Makes the application's own key of each new row by a function, which is given Clerk's id.
    ///
    /// It is not needed where the column has a default of the database's, such as
    /// `gen_random_uuid()`. The function is also called where a row turns out to exist, whose key
    /// stays. It must return a value of the column's type: sea-orm's feature `with-uuid` makes one of a
    /// `Uuid`. With a key of its own the table is the application's: [`migrate`](Self::migrate) does not
    /// create it.
    #[must_use]
    pub fn own_key<F>(mut self, name: impl Into<String>, make: F) -> Self
    where
        F: Fn(&UserId) -> Value + Send + Sync + 'static,
    {
        self.columns.set_own_key(name.into(), make);
        self
    }

    /// Sets the name of the column with the time of a deletion, for [`Deletion::Mark`]; default:
    /// `deleted_at`.
    #[must_use]
    pub fn deleted_at_column(mut self, name: impl Into<String>) -> Self {
        self.columns.name_deleted_at(name.into());
        self
    }

    /// Adds a column that says whether the primary e-mail address was verified: NULL without such an
    /// address, or without a status of its verification.
    ///
    /// `email` itself may be unverified, for example after an import or by the Backend API. Do not
    /// let in, merge or invite anybody by an address that is not verified.
    ///
    /// [`migrate`](Self::migrate) creates the column with a new table. A table that lacks it is
    /// refused with the statement that adds it; `Backfill::rewrite` then fills it for known users.
    #[must_use]
    pub fn email_verified_column(mut self, name: impl Into<String>) -> Self {
        self.columns.add_email_verified(name.into());
        self
    }

    /// Fills a column that the application added to the table of users, whenever the user's row is
    /// written.
    ///
    /// The column must have a default or allow NULL, since the row of a user known before any event
    /// holds only an id. It must accept every value that the function returns: while the database
    /// refuses the value, none of this user's events is applied. U+0000, which PostgreSQL cannot
    /// store, is removed from texts; the application must clean JSON itself.
    ///
    /// A column that the sink fills itself, or one that is named twice, is refused where the
    /// `Schema` is used.
    ///
    /// Clerk's metadata, in a `jsonb` or `JSON` column:
    ///
    /// ```
    /// use sea_orm::Value;
    /// use tower_clerk::sea_orm::Schema;
    ///
    /// let schema = Schema::new().user_column("metadata", |user| {
    ///     let metadata = user.public_metadata.as_ref();
    ///     let metadata = metadata.and_then(|it| it.parse::<serde_json::Value>().ok());
    ///     Value::Json(metadata.map(Box::new))
    /// });
    /// # let _ = schema;
    /// ```
    #[must_use]
    pub fn user_column<F>(mut self, name: impl Into<String>, value: F) -> Self
    where
        F: Fn(&User) -> Value + Send + Sync + 'static,
    {
        self.columns.add_own(name.into(), value);
        self
    }

    /// Keeps organizations and their memberships too, in `organizations` and
    /// `organization_memberships`.
    ///
    /// A membership that arrives before its organization or its user inserts the missing row: for
    /// the organization with the data in the membership, for the user with only an id. Any event of
    /// the organization or the user itself then fills the row. Deleting an organization or a user
    /// deletes its memberships.
    ///
    /// What was there before organizations were switched on comes with the next run of a `Backfill`, which
    /// goes on with organizations and their members after the users.
    #[must_use]
    pub fn with_organizations(self) -> Self {
        self.with_organizations_in("organizations", "organization_memberships")
    }

    /// Keeps organizations as [`with_organizations`](Self::with_organizations) does, in tables of
    /// these names.
    #[must_use]
    pub fn with_organizations_in(
        self,
        organizations: impl Into<String>,
        memberships: impl Into<String>,
    ) -> Self {
        let names = OrganizationNames {
            organizations: organizations.into(),
            memberships: memberships.into(),
        };
        Self { organizations: Some(names), ..self }
    }

    /// Says that a pooler stands before the tables' server, and what it keeps of a connection; default:
    /// [`Pooling::Session`].
    #[must_use]
    pub fn pooling(self, pooling: Pooling) -> Self {
        Self { pooling, ..self }
    }

    pub(super) fn pooled(&self) -> Pooling {
        self.pooling
    }

    /// Returns whether only the application can have made the table of users.
    #[cfg(feature = "sea-orm-migration")]
    pub(super) fn is_of_the_application(&self) -> bool {
        self.columns.is_of_the_application()
    }

    /// Checks that the names can be used: that none is empty, and that no two are the same.
    pub(super) fn validate(&self, dialect: Dialect) -> Result<(), ConfigError> {
        if self.schema.as_ref().is_some_and(String::is_empty) {
            return Err(ConfigError::new("in_schema", EMPTY));
        }
        let names = self.organizations.iter();
        let tables = [("users_table", &self.users)].into_iter().chain(names.flat_map(|names| {
            [&names.organizations, &names.memberships].map(|name| ("with_organizations_in", name))
        }));
        let tables = tables.map(|(setting, name)| (setting, name.clone()));
        let own = [
            USER_VERSIONS,
            ORGANIZATION_VERSIONS,
            MEMBERSHIP_VERSIONS,
            DELIVERIES,
            BACKFILLS,
            DEAD_LETTERS,
        ];
        distinct(dialect, own.map(str::to_owned), tables, TAKEN_TABLE)?;

        self.columns.validate(dialect, self.marks())
    }

    fn marks(&self) -> bool {
        self.deletion == Deletion::Mark
    }

    /// Returns a name for this schema's bookkeeping, which is in the connection's own schema.
    /// Databases truncate or refuse names of more than 63 characters.
    #[cfg(feature = "sea-orm-migration")]
    pub(super) fn named(&self, name: &str) -> String {
        let Some(schema) = &self.schema else { return name.to_owned() };
        let whole = format!("{name}_in_{schema}");
        if whole.len() <= 63 {
            return whole;
        }
        format!("{name}_in_{:016x}", crate::sync::fingerprint(schema))
    }

    pub(super) fn tables(&self) -> Tables {
        let table = |name: &str| TableName::new(self.schema.as_deref(), name.to_owned());
        let kind = |rows: &str, versions| Kind::new(table(rows), ID.into_iden(), table(versions));
        let user_columns = self.columns.columns(self.marks());
        let users = Kind::new(table(&self.users), user_columns.id.clone(), table(USER_VERSIONS));
        Tables {
            users: users.shared(),
            user_columns,
            organizations: self.organizations.as_ref().map(|names| OrganizationTables {
                organizations: kind(&names.organizations, ORGANIZATION_VERSIONS),
                memberships: kind(&names.memberships, MEMBERSHIP_VERSIONS),
            }),
            deliveries: table(DELIVERIES),
            backfills: table(BACKFILLS),
            dead_letters: table(DEAD_LETTERS),
            lockouts: table(LOCKOUTS),
        }
    }
}

const TAKEN_TABLE: &str = "another table of the Schema, or one of the sink's own, has the same \
    name; choose another name";
impl Default for Schema {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Schema")
            .field("schema", &self.schema)
            .field("users", &self.users)
            .field("organizations", &self.organizations.is_some())
            .field("deletion", &self.deletion)
            .finish_non_exhaustive()
    }
}
