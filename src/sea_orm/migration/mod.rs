//! The creation of the tables, also when several instances start at once. Their definitions are in
//! `definitions`.

mod definitions;
mod list;

use std::collections::BTreeSet;

use ::sea_orm::sea_query::{IntoIden, Query};
use ::sea_orm::{
    ConnectionTrait as _, DatabaseConnection, DatabaseTransaction, DbErr, DynIden, Statement,
};
use sea_orm_migration::{MigrationTrait, MigratorTrait, MigratorTraitSelf};

use super::dialect::Dialect;
use super::fit;
use super::schema::Schema;
use super::tables::TableName;
use super::transaction;

/// Creates the tables of [`Schema::new`], or brings them up to date; see [`Schema::migrate`].
///
/// # Errors
///
/// Returns the errors of [`Schema::migrate`].
pub async fn migrate(db: &DatabaseConnection) -> Result<(), DbErr> {
    Schema::new().migrate(db).await
}

/// Returns the migrations of [`Schema::new`]; see [`Schema::migrations`].
#[must_use]
pub fn migrations() -> Vec<Box<dyn MigrationTrait>> {
    Schema::new().migrations()
}

impl Schema {
    /// Creates the tables, or brings them up to date. Several instances may do so at once.
    ///
    /// It holds a lock, and runs in one transaction where the database supports that for tables:
    /// MySQL and MariaDB do not. Applied migrations are recorded in tables of their own,
    /// `clerk_migrations` and for organizations `clerk_organization_migrations`, beside an
    /// application's `seaql_migrations`. They are in the connection's own schema, whatever
    /// [`in_schema`](Self::in_schema) says. Dropping the future does not stop the migration.
    ///
    /// A role that may not create tables can call this where there is nothing to create: one role
    /// migrates, and the server's needs rights on rows alone.
    ///
    /// An existing table of users is used as it is if it [fits](Self::check), and never altered.
    ///
    /// # Errors
    ///
    /// Fails if a table does not fit, with what is wrong and the statements that correct it. Fails
    /// if another instance has not finished after a minute. Otherwise returns the database's error.
    pub async fn migrate(&self, db: &DatabaseConnection) -> Result<(), DbErr> {
        // MySQL's lock belongs to the connection: left there, it would lock all others out.
        transaction::run_to_completion(self.clone().migrate_whole(db.clone())).await
    }

    async fn migrate_whole(self, db: DatabaseConnection) -> Result<(), DbErr> {
        let tx = transaction::begin_patiently(&db, self.pooled()).await?;
        match Dialect::of(&db)? {
            Dialect::Postgres => {
                // These replace the limits that the connection has for its everyday work.
                tx.execute_unprepared(&format!(
                    "SET LOCAL lock_timeout = '{PATIENCE_SECONDS}s'; \
                     SET LOCAL statement_timeout = 0; \
                     SELECT pg_advisory_xact_lock({MIGRATION_LOCK})"
                ))
                .await?;
                self.migrate_locked(&tx).await?;
            }
            Dialect::MySql => {
                lock_mysql(&tx).await?;
                let done = self.migrate_locked(&tx).await;
                let unlock = format!("DO RELEASE_LOCK({MYSQL_LOCK})");
                tx.execute_unprepared(&unlock).await?;
                done?;
            }
            // SQLite's transaction has held the write lock since its beginning.
            Dialect::Sqlite => self.migrate_locked(&tx).await?,
        }
        tx.commit().await
    }

    /// Returns the migrations, for an application to add to its own list instead of calling
    /// [`migrate`](Self::migrate).
    ///
    /// Applied migrations must stay in that list: an application that keeps organizations and lists
    /// their migration must go on keeping them.
    #[must_use]
    pub fn migrations(&self) -> Vec<Box<dyn MigrationTrait>> {
        let mut all = list::of_users(self);
        all.extend(list::of_organizations(self));
        all
    }

    async fn migrate_locked(&self, tx: &DatabaseTransaction) -> Result<(), DbErr> {
        MigrationList { name: USERS, migrations: list::of_users, schema: self }.apply(tx).await?;
        // In a bookkeeping table of their own: sea-orm rejects a table that names migrations which
        // are not in the list, and organizations may be switched off again.
        if self.tables().organizations.is_some() {
            let migrations = list::of_organizations;
            MigrationList { name: ORGANIZATIONS, migrations, schema: self }.apply(tx).await?;
        }
        // This includes tables that have existed for long: the current schema may require more of
        // them. The application's columns may still be missing, since its migrations run after
        // these.
        fit::check(self, tx, fit::Extent::WithoutOwnColumns).await
    }
}

/// The [`migrations`] in the form that sea-orm's tools use. Takes no lock, unlike [`migrate`].
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        migrations()
    }

    fn migration_table_name() -> DynIden {
        USERS.into_iden()
    }
}

struct MigrationList<'a> {
    name: &'static str,
    migrations: fn(&Schema) -> Vec<Box<dyn MigrationTrait>>,
    schema: &'a Schema,
}

impl MigrationList<'_> {
    async fn apply(&self, tx: &DatabaseTransaction) -> Result<(), DbErr> {
        // Looks first: a server whose role may not create tables must start where none is to be made.
        if self.is_applied(tx).await? {
            return Ok(());
        }
        self.install(tx).await?;
        for applied in self.get_migration_models(tx).await? {
            list::belongs_to(self.schema, &applied.version)?;
        }
        self.up(tx, None).await
    }
}

impl MigrationList<'_> {
    /// Returns whether exactly these migrations are recorded as applied. Creates nothing; sea-orm's own
    /// question needs the drivers' features.
    async fn is_applied(&self, tx: &DatabaseTransaction) -> Result<bool, DbErr> {
        let recorded = TableName::new(None, self.migration_table_name());
        let dialect = Dialect::of(tx)?;
        if !fit::has_column(tx, dialect, &recorded, "version").await? {
            return Ok(false);
        }
        let select = Query::select().column("version").from(recorded.reference()).to_owned();
        let rows = tx.query_all(&select).await?;
        let applied: BTreeSet<String> =
            rows.iter().map(|row| row.try_get_by_index(0)).collect::<Result<_, _>>()?;
        let wanted = self.migrations().iter().map(|one| one.name().to_owned()).collect();
        Ok(applied == wanted)
    }
}

impl MigratorTraitSelf for MigrationList<'_> {
    fn migrations(&self) -> Vec<Box<dyn MigrationTrait>> {
        (self.migrations)(self.schema)
    }

    fn migration_table_name(&self) -> DynIden {
        self.schema.named(self.name).into_iden()
    }
}

async fn lock_mysql(tx: &DatabaseTransaction) -> Result<(), DbErr> {
    // The limits for statements would count this wait too. MariaDB reads the first comment, MySQL
    // the second.
    let lock = format!(
        "/*M!100101 SET STATEMENT max_statement_time = 0 FOR */ \
         SELECT /*+ MAX_EXECUTION_TIME({PATIENCE_SECONDS}999) */ \
         GET_LOCK({MYSQL_LOCK}, {PATIENCE_SECONDS})"
    );
    let answer = tx.query_one_raw(Statement::from_string(Dialect::MySql.backend(), lock)).await?;
    match answer.map(|row| row.try_get_by_index::<Option<i64>>(0)).transpose()?.flatten() {
        Some(1) => Ok(()),
        _ => Err(DbErr::Migration(NO_LOCK.into())),
    }
}

const USERS: &str = "clerk_migrations";
const ORGANIZATIONS: &str = "clerk_organization_migrations";
/// The number of PostgreSQL's lock: any that no other program uses in the same database.
const MIGRATION_LOCK: i64 = 0x636c_6572_6b5f_7573;
/// The name of MySQL's lock, which must differ by database, since locks belong to the server. A
/// name has 64 characters at most.
const MYSQL_LOCK: &str = "CONCAT('tower_clerk_', MD5(DATABASE()))";
const PATIENCE_SECONDS: u32 = 60;
const NO_LOCK: &str = "another instance is still migrating this database after a minute, or the \
    connection names no database; look at SHOW PROCESSLIST, then start again";
