//! The names of tables and columns: those that [`Schema`](super::Schema) chooses, and the sink's
//! own.

use std::sync::OnceLock;

use ::sea_orm::DeriveIden;
use ::sea_orm::sea_query::{DynIden, IntoIden, IntoTableRef, TableRef};

use super::dialect::Dialect;
use super::mapping::UserColumns;

/// The name of a table, in a given schema or in the connection's own.
#[derive(Clone, Debug)]
pub(super) struct TableName {
    pub(super) schema: Option<DynIden>,
    pub(super) name: DynIden,
}

impl TableName {
    pub(super) fn new(schema: Option<&str>, name: impl IntoIden) -> Self {
        let schema = schema.map(|schema| schema.to_owned().into_iden());
        Self { schema, name: name.into_iden() }
    }

    pub(super) fn reference(&self) -> TableRef {
        match &self.schema {
            Some(schema) => (schema.clone(), self.name.clone()).into_table_ref(),
            None => self.name.clone().into_table_ref(),
        }
    }

    /// Returns the name as it stands in a handwritten statement.
    pub(super) fn quoted(&self, dialect: Dialect) -> String {
        let name = dialect.quoted(&self.name);
        match &self.schema {
            Some(schema) => format!("{}.{name}", dialect.quoted(schema)),
            None => name,
        }
    }
}

/// The tables of a kind of record: one with the rows, and one with the newest version seen of each.
#[derive(Clone, Debug)]
pub(super) struct Kind {
    pub(super) rows: Rows,
    pub(super) versions: TableName,
    /// Whether the application may change what the sink writes in a row, by a hook or a trigger.
    #[cfg_attr(not(feature = "backfill"), expect(dead_code, reason = "only backfills compare"))]
    pub(super) is_shared: bool,
    /// The text of the statement that applies a state on PostgreSQL, built on first use. It names
    /// this kind's tables, the sink's table of deliveries and all columns of a row, none of which
    /// ever changes.
    pub(super) at_once: OnceLock<String>,
    /// Whether that statement can be used, as PostgreSQL says on first use.
    pub(super) can_at_once: OnceLock<bool>,
}

impl Kind {
    /// Returns a kind whose rows have the id in a column of this name.
    pub(super) fn new(table: TableName, key: DynIden, versions: TableName) -> Self {
        let rows = Rows { table, key };
        let (at_once, can_at_once) = (OnceLock::new(), OnceLock::new());
        Self { rows, versions, is_shared: false, at_once, can_at_once }
    }

    /// Returns the same kind, for rows that the application may change.
    pub(super) fn shared(self) -> Self {
        Self { is_shared: true, ..self }
    }
}

/// The table with the rows of a kind, and the unique column by which the sink finds a row: that of
/// Clerk's id.
#[derive(Clone, Debug)]
pub(super) struct Rows {
    pub(super) table: TableName,
    pub(super) key: DynIden,
}

/// All tables of a sink.
#[derive(Clone, Debug)]
pub(super) struct Tables {
    pub(super) users: Kind,
    pub(super) user_columns: UserColumns,
    pub(super) organizations: Option<OrganizationTables>,
    pub(super) deliveries: TableName,
    pub(super) backfills: TableName,
    pub(super) dead_letters: TableName,
    #[cfg_attr(
        not(any(feature = "lockouts", feature = "sea-orm-migration")),
        expect(dead_code, reason = "only lock-outs and migrations name it")
    )]
    pub(super) lockouts: TableName,
}

#[cfg(feature = "sea-orm-migration")]
impl Tables {
    pub(super) fn all(&self) -> impl Iterator<Item = &TableName> {
        let kinds = self.organizations.iter();
        let kinds = kinds.flat_map(|kinds| [&kinds.organizations, &kinds.memberships]);
        let kinds = [&self.users].into_iter().chain(kinds);
        let tables = kinds.flat_map(|kind| [&kind.rows.table, &kind.versions]);
        let own = [&self.deliveries, &self.backfills, &self.dead_letters, &self.lockouts];
        tables.chain(own)
    }
}

/// The tables that exist if organizations are kept.
#[derive(Clone, Debug)]
pub(super) struct OrganizationTables {
    pub(super) organizations: Kind,
    pub(super) memberships: Kind,
}

/// The columns of the newest version seen of each record, the same for every kind.
#[derive(Clone, Copy, DeriveIden)]
pub(super) enum Versions {
    Id,
    /// Clerk's `updated_at` in milliseconds; 0 for a record that no event has described yet.
    Version,
    /// The time of the event, in milliseconds; 0 if it is not known.
    OccurredAt,
    /// The order of two states with the same version.
    Tie,
    /// The tombstone.
    Deleted,
}

/// The columns of recorded deliveries.
#[derive(Clone, Copy, DeriveIden)]
pub(super) enum Deliveries {
    Id,
    ReceivedAt,
}

/// The columns of each Clerk instance's backfill progress.
#[derive(Clone, Copy, DeriveIden)]
pub(super) enum Backfills {
    InstanceId,
    LastUserId,
    /// Milliseconds since 1970.
    LastCreatedAt,
    Users,
    Finished,
    /// Milliseconds since 1970; null if it is not known.
    StartedAt,
    LastOrganizationId,
    /// Null unless organizations were kept, like the next two.
    Organizations,
    Memberships,
    OrganizationsFinished,
}

/// The columns of deliveries that could not be taken.
#[derive(Clone, Copy, DeriveIden)]
pub(super) enum DeadLetters {
    Id,
    /// The event's type.
    Kind,
    InstanceId,
    UserId,
    /// The time of the first failure.
    FailedAt,
    /// Null while the sender is still asked to try again.
    ParkedAt,
    Reason,
    Body,
}

/// The columns of lock-outs.
#[cfg(any(feature = "lockouts", feature = "sea-orm-migration"))]
#[derive(Clone, Copy, DeriveIden)]
pub(super) enum Lockouts {
    /// The delivery's.
    Id,
    Kind,
    /// The id of the session, the user or the organization.
    SubjectId,
    /// Of a membership the user's id.
    UserId,
    /// Clerk's time of the event, in milliseconds since 1970.
    OccurredAt,
    /// The database's time, in milliseconds since 1970.
    NotedAt,
}

pub(super) const USER_VERSIONS: &str = "clerk_user_versions";
pub(super) const ORGANIZATION_VERSIONS: &str = "clerk_organization_versions";
pub(super) const MEMBERSHIP_VERSIONS: &str = "clerk_membership_versions";
pub(super) const DELIVERIES: &str = "clerk_deliveries";
pub(super) const BACKFILLS: &str = "clerk_backfills";
pub(super) const DEAD_LETTERS: &str = "clerk_dead_letters";
pub(super) const LOCKOUTS: &str = "clerk_lockouts";
