//! The tables of the sink, and how several instances that start at once make them.

use ::sea_orm::sea_query::{ColumnDef, IntoIden, IntoTableRef, Table, TableCreateStatement};
use ::sea_orm::{
    ConnectionTrait as _, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, DynIden,
    Statement,
};
use sea_orm_migration::async_trait::async_trait;
use sea_orm_migration::{MigrationName, MigrationTrait, MigratorTrait, SchemaManager};

use super::entity::user;
use super::tables::{ClerkDeliveries, ClerkUserVersions};
use super::transaction;

/// Makes the tables, or brings them up to date. Several instances may do so at once.
///
/// All of it happens under a lock, and in one transaction where the database has those for tables:
/// MySQL and MariaDB have not. What has been done is kept in a table of its own,
/// `clerk_migrations`, beside an application's `seaql_migrations`.
///
/// # Errors
///
/// Whatever the database says, for example that there is a table `users` already. On MySQL, that
/// another instance is not done after a minute.
pub async fn migrate(db: &DatabaseConnection) -> Result<(), DbErr> {
    let tx = transaction::begin(db).await?;
    match db.get_database_backend() {
        DbBackend::Postgres => {
            let lock = format!("SELECT pg_advisory_xact_lock({MIGRATION_LOCK})");
            tx.execute_raw(Statement::from_string(DbBackend::Postgres, lock)).await?;
            Migrator::up(&tx, None).await?;
        }
        DbBackend::MySql => {
            lock_mysql(&tx).await?;
            // The lock is the connection's, which goes back to the pool.
            let done = Migrator::up(&tx, None).await;
            let unlock = format!("DO RELEASE_LOCK({MYSQL_LOCK})");
            tx.execute_unprepared(&unlock).await?;
            done?;
        }
        // SQLite's transaction has the write lock since its beginning.
        _ => Migrator::up(&tx, None).await?,
    }
    tx.commit().await
}

async fn lock_mysql(tx: &DatabaseTransaction) -> Result<(), DbErr> {
    let lock = format!("SELECT GET_LOCK({MYSQL_LOCK}, {PATIENCE_SECONDS})");
    let answer = tx.query_one_raw(Statement::from_string(DbBackend::MySql, lock)).await?;
    match answer.map(|row| row.try_get_by_index::<Option<i64>>(0)).transpose()?.flatten() {
        Some(1) => Ok(()),
        _ => Err(DbErr::Migration(NO_LOCK.into())),
    }
}

/// The migrations, to be put into an application's own list instead of calling [`migrate`].
#[must_use]
pub fn migrations() -> Vec<Box<dyn MigrationTrait>> {
    vec![Box::new(CreateTables)]
}

/// sea-orm's view of [`migrations`], for its tools. It takes no lock: [`migrate`] does.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        migrations()
    }

    fn migration_table_name() -> DynIden {
        "clerk_migrations".into_iden()
    }
}

struct CreateTables;

impl MigrationName for CreateTables {
    fn name(&self) -> &'static str {
        "m20261123_000001_clerk_users"
    }
}

#[async_trait]
impl MigrationTrait for CreateTables {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if !transaction::is_supported(manager.get_database_backend()) {
            return Err(DbErr::Migration(transaction::UNSUPPORTED.into()));
        }
        // MySQL keeps what it made before a failure: the table whose presence is an error is last.
        let dialect = Dialect(manager.get_database_backend());
        manager.create_table(dialect.versions()).await?;
        manager.create_table(dialect.deliveries()).await?;
        manager.create_table(dialect.users()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(ClerkDeliveries::Table).to_owned()).await?;
        manager.drop_table(Table::drop().table(ClerkUserVersions::Table).to_owned()).await?;
        manager.drop_table(Table::drop().table(user::Entity).to_owned()).await
    }
}

/// The databases' names for the same types.
struct Dialect(DbBackend);

impl Dialect {
    fn users(&self) -> TableCreateStatement {
        use user::Column;
        self.table(user::Entity)
            .col(self.id(Column::Id, USER_ID_LENGTH))
            .col(self.text(Column::Email))
            .col(self.text(Column::FirstName))
            .col(self.text(Column::LastName))
            .col(self.text(Column::Username))
            .col(self.text(Column::ImageUrl))
            .col(self.time(Column::CreatedAt))
            .col(self.time(Column::UpdatedAt))
            .take()
    }

    fn versions(&self) -> TableCreateStatement {
        self.table(ClerkUserVersions::Table)
            .if_not_exists()
            .col(self.id(ClerkUserVersions::Id, USER_ID_LENGTH))
            .col(ColumnDef::new(ClerkUserVersions::Version).big_integer().not_null())
            .col(ColumnDef::new(ClerkUserVersions::Tie).big_integer().not_null())
            .col(ColumnDef::new(ClerkUserVersions::Deleted).boolean().not_null())
            .take()
    }

    fn deliveries(&self) -> TableCreateStatement {
        self.table(ClerkDeliveries::Table)
            .if_not_exists()
            .col(self.id(ClerkDeliveries::Id, DELIVERY_ID_LENGTH))
            .col(self.time(ClerkDeliveries::ReceivedAt))
            .take()
    }

    /// On MySQL and MariaDB every text is compared byte for byte, as on the others.
    fn table(&self, name: impl IntoTableRef) -> TableCreateStatement {
        let mut table = Table::create().table(name).take();
        if self.is_mysql() {
            table.engine("InnoDB").character_set("utf8mb4").collate("utf8mb4_bin");
        }
        table
    }

    /// MySQL has no keys of any length.
    fn id(&self, name: impl IntoIden, length: u32) -> ColumnDef {
        let mut id = ColumnDef::new(name);
        if self.is_mysql() {
            id.string_len(length)
        } else {
            id.text()
        };
        id.not_null().primary_key().take()
    }

    /// MySQL's `TEXT` ends at 64 KiB, and a delivery may be larger.
    fn text(&self, name: impl IntoIden) -> ColumnDef {
        let mut text = ColumnDef::new(name);
        if self.is_mysql() {
            text.custom("mediumtext")
        } else {
            text.text()
        };
        text.take()
    }

    /// MySQL's `TIMESTAMP` ends in 2038, and neither type has fractions unless it is told.
    fn time(&self, name: impl IntoIden) -> ColumnDef {
        let mut time = ColumnDef::new(name);
        if self.is_mysql() {
            time.custom("datetime(6)")
        } else {
            time.timestamp_with_time_zone()
        };
        time.not_null().take()
    }

    fn is_mysql(&self) -> bool {
        self.0 == DbBackend::MySql
    }
}

/// Any number that no other program takes for the same database.
const MIGRATION_LOCK: i64 = 0x636c_6572_6b5f_7573;
/// MySQL's locks are the server's and have names of 64 characters at most: a name for each database.
const MYSQL_LOCK: &str = "CONCAT('tower_clerk_', MD5(DATABASE()))";
const PATIENCE_SECONDS: u32 = 60;
const NO_LOCK: &str = "another instance is still migrating this database after a minute, or the \
    connection names no database; look at SHOW PROCESSLIST, then start again";
const USER_ID_LENGTH: u32 = 255;
const DELIVERY_ID_LENGTH: u32 = 256;
