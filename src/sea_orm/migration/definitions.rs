//! The definitions of the tables, in each database's own types.

use ::sea_orm::sea_query::{
    ColumnDef, DynIden, Index, IntoIden, Table, TableAlterStatement, TableCreateStatement,
};

use crate::ids::MAX_ID_BYTES;
use crate::sea_orm::columns::{Column, Content};
use crate::sea_orm::dialect::Dialect;
use crate::sea_orm::entity::{organization, organization_membership};
use crate::sea_orm::mapping::{ID, UserColumns};
use crate::sea_orm::tables::{Backfills, DeadLetters, Deliveries, Lockouts, TableName, Versions};

/// The definitions on one database.
#[derive(Clone, Copy)]
pub(super) struct Definitions(pub(super) Dialect);

impl Definitions {
    pub(super) fn users(&self, table: &TableName, columns: &UserColumns) -> TableCreateStatement {
        let mut create = self.table(table);
        create.col(self.key(columns.id.clone(), ID_LENGTH));
        self.add(&mut create, &columns.written);
        if let Some(deleted_at) = &columns.deleted_at {
            create.col(self.time(deleted_at.clone()));
        }
        create
    }

    pub(super) fn organizations(&self, table: &TableName) -> TableCreateStatement {
        let mut create = self.table(table);
        create.col(self.key(ID, ID_LENGTH));
        self.add(&mut create, &organization::columns());
        create
    }

    /// Returns the table of memberships. MySQL must create its indices with the table, since
    /// creating them later fails if they exist; the others create them
    /// [after it](Self::membership_indices).
    pub(super) fn memberships(&self, table: &TableName) -> TableCreateStatement {
        let mut create = self.table(table);
        create.col(self.key(ID, ID_LENGTH));
        self.add(&mut create, &organization_membership::columns());
        self.with_indices(create, indices(table))
    }

    /// Returns the statements for the indices that deleting an organization or a user needs.
    pub(super) fn membership_indices(&self, table: &TableName) -> Vec<String> {
        self.indices_after(table, &indices(table))
    }

    /// Returns the table of deliveries that could not be taken, on MySQL with its indices.
    pub(super) fn dead_letters(&self, table: &TableName) -> TableCreateStatement {
        let mut create = self.table(table);
        create
            .col(self.key(DeadLetters::Id, DELIVERY_ID_LENGTH))
            .col(self.id(DeadLetters::Kind, ID_LENGTH).not_null())
            .col(self.text(DeadLetters::InstanceId))
            .col(self.id(DeadLetters::UserId, ID_LENGTH))
            .col(self.time(DeadLetters::FailedAt).not_null())
            .col(self.time(DeadLetters::ParkedAt))
            .col(self.text(DeadLetters::Reason).not_null())
            .col(self.bytes(DeadLetters::Body).not_null());
        self.with_indices(create, indices_of_dead_letters(table))
    }

    /// Returns the statements for the indices by which old ones and those of a user are found.
    pub(super) fn dead_letter_indices(&self, table: &TableName) -> Vec<String> {
        self.indices_after(table, &indices_of_dead_letters(table))
    }

    /// Returns the table of lock-outs, on MySQL with its index.
    pub(super) fn lockouts(&self, table: &TableName) -> TableCreateStatement {
        let mut create = self.table(table);
        create
            .col(self.key(Lockouts::Id, DELIVERY_ID_LENGTH))
            .col(self.id(Lockouts::Kind, ID_LENGTH).not_null())
            .col(self.id(Lockouts::SubjectId, ID_LENGTH).not_null())
            .col(self.id(Lockouts::UserId, ID_LENGTH))
            .col(ColumnDef::new(Lockouts::OccurredAt).big_integer().not_null())
            .col(ColumnDef::new(Lockouts::NotedAt).big_integer().not_null());
        self.with_indices(create, index_of_lockouts(table))
    }

    /// Returns the statement for the index by which new ones and old ones are found.
    pub(super) fn lockout_indices(&self, table: &TableName) -> Vec<String> {
        self.indices_after(table, &index_of_lockouts(table))
    }

    /// Adds indices to the creation of a table where they cannot be created after it.
    fn with_indices(
        &self,
        mut create: TableCreateStatement,
        indices: impl IntoIterator<Item = (DynIden, DynIden)>,
    ) -> TableCreateStatement {
        match self.0 {
            Dialect::MySql => {
                for (name, column) in indices {
                    create.index(Index::create().name(name.to_string()).col(column));
                }
            }
            Dialect::Postgres | Dialect::Sqlite => {}
        }
        create
    }

    fn indices_after(&self, table: &TableName, indices: &[(DynIden, DynIden)]) -> Vec<String> {
        let index = |(name, column): &(DynIden, DynIden)| self.index(table, name, column);
        match self.0 {
            Dialect::MySql => Vec::new(),
            Dialect::Postgres | Dialect::Sqlite => indices.iter().map(index).collect(),
        }
    }

    /// Returns the statement for the index by which old deliveries are found, and its name.
    pub(super) fn delivery_index(&self, table: &TableName) -> (String, String) {
        let name = format!("{}_by_time", table.name);
        let create =
            self.index(table, &name.clone().into_iden(), &Deliveries::ReceivedAt.into_iden());
        (create, name)
    }

    /// Returns the statement that creates an index. It is handwritten, since sea-query cannot create one
    /// in a schema of SQLite. MySQL refuses one that exists.
    fn index(&self, table: &TableName, name: &DynIden, column: &DynIden) -> String {
        let (name, column) = (self.0.quoted(name), self.0.quoted(column));
        let (place, table) = match (self.0, &table.schema) {
            (Dialect::Sqlite, Some(schema)) => {
                (format!("{}.", self.0.quoted(schema)), self.0.quoted(&table.name))
            }
            (Dialect::MySql | Dialect::Postgres | Dialect::Sqlite, _) => {
                (String::new(), table.quoted(self.0))
            }
        };
        let unless = match self.0 {
            Dialect::MySql => "",
            Dialect::Postgres | Dialect::Sqlite => "IF NOT EXISTS ",
        };
        format!("CREATE INDEX {unless}{place}{name} ON {table} ({column})")
    }

    pub(super) fn versions(&self, table: &TableName) -> TableCreateStatement {
        let mut id = self.key(Versions::Id, ID_LENGTH);
        match self.0 {
            // In byte order, for a backfill that walks through all of them.
            Dialect::Postgres => drop(id.custom("text COLLATE \"C\"")),
            Dialect::MySql | Dialect::Sqlite => {}
        }
        self.table(table)
            .col(id)
            .col(ColumnDef::new(Versions::Version).big_integer().not_null())
            .col(ColumnDef::new(Versions::Tie).big_integer().not_null())
            .col(ColumnDef::new(Versions::Deleted).boolean().not_null())
            .take()
    }

    /// Returns the statement that adds the time of the event to a table of versions.
    pub(super) fn time_of_event(&self, versions: &TableName) -> TableAlterStatement {
        let mut column = ColumnDef::new(Versions::OccurredAt);
        column.big_integer().not_null().default(0);
        Table::alter().table(versions.reference()).add_column(column).to_owned()
    }

    /// Returns the statement that adds the time at which a backfill began.
    pub(super) fn start_of_backfill(&self, backfills: &TableName) -> TableAlterStatement {
        let mut column = ColumnDef::new(Backfills::StartedAt);
        column.big_integer();
        Table::alter().table(backfills.reference()).add_column(column).to_owned()
    }

    /// Returns the statements that add the progress of a backfill through organizations, by column.
    pub(super) fn organizations_of_backfill(
        &self,
        backfills: &TableName,
    ) -> [(Backfills, TableAlterStatement); 4] {
        let id = self.id(Backfills::LastOrganizationId, ID_LENGTH);
        let number = |column| ColumnDef::new(column).big_integer().take();
        let finished = ColumnDef::new(Backfills::OrganizationsFinished).boolean().take();
        [
            (Backfills::LastOrganizationId, id),
            (Backfills::Organizations, number(Backfills::Organizations)),
            (Backfills::Memberships, number(Backfills::Memberships)),
            (Backfills::OrganizationsFinished, finished),
        ]
        .map(|(column, definition)| {
            let table = backfills.reference();
            (column, Table::alter().table(table).add_column(definition).to_owned())
        })
    }

    pub(super) fn deliveries(&self, table: &TableName) -> TableCreateStatement {
        self.table(table)
            .col(self.key(Deliveries::Id, DELIVERY_ID_LENGTH))
            .col(self.time(Deliveries::ReceivedAt).not_null())
            .take()
    }

    pub(super) fn backfills(&self, table: &TableName) -> TableCreateStatement {
        self.table(table)
            .col(self.key(Backfills::InstanceId, ID_LENGTH))
            .col(self.id(Backfills::LastUserId, ID_LENGTH))
            .col(ColumnDef::new(Backfills::LastCreatedAt).big_integer())
            .col(ColumnDef::new(Backfills::Users).big_integer().not_null())
            .col(ColumnDef::new(Backfills::Finished).boolean().not_null())
            .take()
    }

    /// Starts a table. On MySQL and MariaDB every text is compared byte for byte, as on the others.
    fn table(&self, name: &TableName) -> TableCreateStatement {
        let mut table = Table::create().table(name.reference()).if_not_exists().take();
        match self.0 {
            Dialect::MySql => {
                table.engine("InnoDB").character_set("utf8mb4").collate("utf8mb4_bin").take()
            }
            Dialect::Postgres | Dialect::Sqlite => table,
        }
    }

    /// Adds the columns that the sink fills, but for those of the application, which adds them itself.
    fn add<R>(&self, create: &mut TableCreateStatement, columns: &[Column<R>]) {
        for column in columns {
            let name = column.name.clone();
            let mut definition = match column.content {
                Content::Flag(_) => ColumnDef::new(name).boolean().take(),
                Content::Id(_) | Content::OptionalId(_) => self.id(name, ID_LENGTH),
                Content::Own(_) => continue,
                Content::Text(_) => self.text(name),
                Content::Time(_) => self.time(name),
            };
            if !column.may_be_null() {
                definition.not_null();
            }
            create.col(definition);
        }
    }

    fn key(&self, name: impl IntoIden, length: u32) -> ColumnDef {
        self.id(name, length).not_null().primary_key().take()
    }

    /// Returns a column for an id. MySQL's keys need a limited length.
    fn id(&self, name: impl IntoIden, length: u32) -> ColumnDef {
        let mut id = ColumnDef::new(name);
        match self.0 {
            Dialect::MySql => id.string_len(length).take(),
            Dialect::Postgres | Dialect::Sqlite => id.text().take(),
        }
    }

    /// Returns a column for a text. MySQL's `TEXT` ends at 64 KiB, and a delivery may be larger.
    fn text(&self, name: impl IntoIden) -> ColumnDef {
        let mut text = ColumnDef::new(name);
        match self.0 {
            Dialect::MySql => text.custom("mediumtext").take(),
            Dialect::Postgres | Dialect::Sqlite => text.text().take(),
        }
    }

    /// Returns a column for bytes. MySQL's `BLOB` ends at 64 KiB.
    fn bytes(&self, name: impl IntoIden) -> ColumnDef {
        let mut bytes = ColumnDef::new(name);
        match self.0 {
            Dialect::MySql => bytes.custom("mediumblob").take(),
            Dialect::Postgres | Dialect::Sqlite => bytes.blob().take(),
        }
    }

    /// Returns a column for a time. MySQL's `TIMESTAMP` ends in 2038, and neither `TIMESTAMP` nor
    /// `DATETIME` has fractions of a second by default.
    fn time(&self, name: impl IntoIden) -> ColumnDef {
        let mut time = ColumnDef::new(name);
        match self.0 {
            Dialect::MySql => time.custom("datetime(6)").take(),
            Dialect::Postgres | Dialect::Sqlite => time.timestamp_with_time_zone().take(),
        }
    }
}

/// Returns the names and columns of the memberships' indices.
fn indices(table: &TableName) -> [(DynIden, DynIden); 2] {
    use organization_membership::Column;
    let named = |name: &str| format!("{}_{name}", table.name).into_iden();
    [
        (named("of_organization"), Column::OrganizationId.into_iden()),
        (named("of_user"), Column::UserId.into_iden()),
    ]
}

/// Returns the names and columns of the dead letters' indices.
fn indices_of_dead_letters(table: &TableName) -> [(DynIden, DynIden); 2] {
    let named = |name: &str| format!("{}_{name}", table.name).into_iden();
    [
        (named("by_time"), DeadLetters::FailedAt.into_iden()),
        (named("of_user"), DeadLetters::UserId.into_iden()),
    ]
}

/// Returns the name and the column of the lock-outs' index.
fn index_of_lockouts(table: &TableName) -> [(DynIden, DynIden); 1] {
    [(format!("{}_by_time", table.name).into_iden(), Lockouts::NotedAt.into_iden())]
}

const ID_LENGTH: u32 = MAX_ID_BYTES as u32;
const DELIVERY_ID_LENGTH: u32 = 256;
