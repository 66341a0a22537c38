//! What is kept, and in which tables. Names and choices only; opens nothing.

use std::fmt;
use std::sync::Arc;

use ::sea_orm::sea_query::{DynIden, IntoIden};
use ::sea_orm::{DbBackend, Iterable as _, Value};

use super::entity::user;
use super::tables::{
    BACKFILLS, DELETED_AT, DELIVERIES, Kind, MEMBERSHIP_VERSIONS, ORGANIZATION_VERSIONS,
    OrganizationTables, TableName, Tables, USER_VERSIONS,
};
use crate::ConfigError;
use crate::webhook::User;

/// Which tables the sink writes, and what it keeps in them.
///
/// The same one makes the tables ([`migrate`](Self::migrate)) and is given to the sink
/// ([`SeaOrmSink::with_schema`](super::SeaOrmSink::with_schema)). As it begins: `users` alone, in
/// the connection's own schema, and a deleted user's row is removed.
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
    columns: Vec<UserColumn>,
}

/// What becomes of the row of a user who is deleted. Either way nothing brings the user back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Deletion {
    /// The row is removed, and with it what refers to it by `ON DELETE CASCADE`.
    #[default]
    Delete,
    /// The row stays as it was last, and its `deleted_at` says since when. It goes on holding
    /// personal data until somebody removes those; an [`InTransaction`](super::InTransaction) can
    /// do so in the same transaction.
    Mark,
}

#[derive(Clone)]
struct OrganizationNames {
    organizations: String,
    memberships: String,
}

/// A column of the application's and what it gets of a user.
#[derive(Clone)]
pub(super) struct UserColumn {
    pub(super) name: DynIden,
    pub(super) value: Arc<dyn Fn(&User) -> Value + Send + Sync>,
}

impl Schema {
    /// Users alone, in `users`.
    #[must_use]
    pub fn new() -> Self {
        Self {
            schema: None,
            users: "users".to_owned(),
            organizations: None,
            deletion: Deletion::Delete,
            columns: Vec::new(),
        }
    }

    /// All tables in this schema of PostgreSQL's, database of MySQL's, or attached database of
    /// SQLite's, instead of the connection's own. It must be there. What is remembered of
    /// migrations stays in the connection's own.
    #[must_use]
    pub fn in_schema(self, name: impl Into<String>) -> Self {
        Self { schema: Some(name.into()), ..self }
    }

    /// The table of users, instead of `users`. One that is there already is used if it fits; see
    /// [`check`](Self::check).
    #[must_use]
    pub fn users_table(self, name: impl Into<String>) -> Self {
        Self { users: name.into(), ..self }
    }

    /// What becomes of a deleted user's row. [`Deletion::Mark`] wants a column `deleted_at`.
    #[must_use]
    pub fn on_deletion(self, deletion: Deletion) -> Self {
        Self { deletion, ..self }
    }

    /// Fills a column that the application added to the table of users, whenever the user's row is
    /// written.
    ///
    /// The column needs a default or may be null, since a user who comes ahead of every event has
    /// a row of nothing but an id. It must hold whatever the function gives: a value that the
    /// database refuses keeps this user's events from being taken in. U+0000, which PostgreSQL
    /// has no place for, is taken out of texts; JSON is the application's to clean.
    ///
    /// A column that the sink fills anyway, or one that is named twice, is refused where the `Schema`
    /// is used.
    #[must_use]
    pub fn user_column<F>(mut self, name: impl Into<String>, value: F) -> Self
    where
        F: Fn(&User) -> Value + Send + Sync + 'static,
    {
        self.columns.push(UserColumn { name: name.into().into_iden(), value: Arc::new(value) });
        self
    }

    /// Keeps organizations and their members too, in `organizations` and
    /// `organization_memberships`.
    ///
    /// A membership that comes before its organization or its user makes either a row: of what it
    /// tells of the organization, and of nothing but an id of the user. Any event of their own then
    /// fills it. Deleting an organization or a user deletes their memberships.
    ///
    /// Nothing brings in what happened before they were switched on: deliveries that are sent again
    /// by hand do, unless an [`InTransaction`](super::InTransaction) had them recorded.
    #[must_use]
    pub fn with_organizations(self) -> Self {
        self.with_organizations_in("organizations", "organization_memberships")
    }

    /// [`with_organizations`](Self::with_organizations), in tables of these names.
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

    pub(super) fn deletion(&self) -> Deletion {
        self.deletion
    }

    pub(super) fn columns(&self) -> &[UserColumn] {
        &self.columns
    }

    /// Whether the names can be used: none is empty, and none is another one's.
    pub(super) fn validate(&self, backend: DbBackend) -> Result<(), ConfigError> {
        if self.schema.as_ref().is_some_and(String::is_empty) {
            return Err(ConfigError::new("in_schema", EMPTY));
        }
        let names = self.organizations.iter();
        let tables = [("users_table", &*self.users)].into_iter().chain(names.flat_map(|names| {
            [&*names.organizations, &*names.memberships].map(|name| ("with_organizations_in", name))
        }));
        let own =
            [USER_VERSIONS, ORGANIZATION_VERSIONS, MEMBERSHIP_VERSIONS, DELIVERIES, BACKFILLS];
        distinct(backend, own.map(str::to_owned), tables, TAKEN_TABLE)?;

        let filled = user::Column::iter().map(|column| column.into_iden().to_string());
        let mark = (self.deletion == Deletion::Mark).then(|| DELETED_AT.to_owned());
        let columns: Vec<String> = self.columns.iter().map(|own| own.name.to_string()).collect();
        let columns = columns.iter().map(|name| ("user_column", &**name));
        distinct(backend, filled.chain(mark), columns, TAKEN_COLUMN)
    }

    /// A name for what is kept in the connection's own schema about this one. Databases cut longer
    /// names than 63 characters off, or refuse them.
    #[cfg(feature = "sea-orm-migration")]
    pub(super) fn named(&self, name: &str) -> String {
        let Some(schema) = &self.schema else { return name.to_owned() };
        let whole = format!("{name}_in_{schema}");
        if whole.len() <= 63 {
            return whole;
        }
        format!("{name}_in_{:016x}", super::version::fingerprint(schema))
    }

    pub(super) fn tables(&self) -> Tables {
        let table = |name: &str| TableName::new(self.schema.as_deref(), name.to_owned());
        let kind = |rows: &str, versions| Kind::new(table(rows), table(versions));
        Tables {
            users: kind(&self.users, USER_VERSIONS),
            organizations: self.organizations.as_ref().map(|names| OrganizationTables {
                organizations: kind(&names.organizations, ORGANIZATION_VERSIONS),
                memberships: kind(&names.memberships, MEMBERSHIP_VERSIONS),
            }),
            deliveries: table(DELIVERIES),
            backfills: table(BACKFILLS),
        }
    }
}

/// Settings and the names that they give, none of which may be taken.
fn distinct<'a>(
    backend: DbBackend,
    taken: impl IntoIterator<Item = String>,
    names: impl Iterator<Item = (&'static str, &'a str)>,
    problem: &'static str,
) -> Result<(), ConfigError> {
    let mut taken: Vec<String> = taken.into_iter().collect();
    for (setting, name) in names {
        if name.is_empty() {
            return Err(ConfigError::new(setting, EMPTY));
        }
        if taken.iter().any(|other| is_same_name(backend, other, name)) {
            return Err(ConfigError::new(setting, problem));
        }
        taken.push(name.to_owned());
    }
    Ok(())
}

/// Whether two names mean the same column, or on some systems the same table. PostgreSQL alone
/// makes a difference between the cases of quoted names.
pub(super) fn is_same_name(backend: DbBackend, one: &str, other: &str) -> bool {
    match backend {
        DbBackend::Postgres => one == other,
        _ => one.eq_ignore_ascii_case(other),
    }
}

const EMPTY: &str = "a name is empty; give it one, or leave the setting out";
const TAKEN_TABLE: &str = "two tables have the same name, or one has that of a table of the sink's own; each needs its own";
const TAKEN_COLUMN: &str = "a column is named twice, or the sink fills it itself, as it does the id,     the times, the e-mail address, the names and the picture; give it another name";

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
