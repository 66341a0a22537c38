//! How the tables are made, also when several instances start at once. What they look like is in
//! `dialect`.

mod dialect;
mod list;

use ::sea_orm::sea_query::IntoIden;
use ::sea_orm::{
    ConnectionTrait as _, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, DynIden,
    Statement,
};
use sea_orm_migration::{MigrationTrait, MigratorTrait, MigratorTraitSelf};

use super::fit;
use super::schema::Schema;
use super::transaction;

/// Makes the tables of [`Schema::new`], or brings them up to date; see [`Schema::migrate`].
///
/// # Errors
///
/// Those of [`Schema::migrate`].
pub async fn migrate(db: &DatabaseConnection) -> Result<(), DbErr> {
    Schema::new().migrate(db).await
}

/// The migrations of [`Schema::new`]; see [`Schema::migrations`].
#[must_use]
pub fn migrations() -> Vec<Box<dyn MigrationTrait>> {
    Schema::new().migrations()
}

impl Schema {
    /// Makes the tables, or brings them up to date. Several instances may do so at once.
    ///
    /// All of it happens under a lock, and in one transaction where the database has those for
    /// tables: MySQL and MariaDB have not. What has been done is kept in a table of its own,
    /// `clerk_migrations`, beside an application's `seaql_migrations`; for organizations
    /// `clerk_organization_migrations`. They are in the connection's own schema, whatever
    /// [`in_schema`](Self::in_schema) says. It goes on to its end when its future is dropped.
    ///
    /// A table of users that is there already is taken as it is if it [fits](Self::check), and
    /// never altered.
    ///
    /// # Errors
    ///
    /// Whatever the database says. A table of users that does not fit: what is wrong with it, and
    /// the statements that would mend it. That another instance is not done after a minute.
    pub async fn migrate(&self, db: &DatabaseConnection) -> Result<(), DbErr> {
        // The lock of MySQL's is the connection's: who left it there would lock everybody out.
        transaction::run_to_completion(self.clone().migrate_whole(db.clone())).await
    }

    async fn migrate_whole(self, db: DatabaseConnection) -> Result<(), DbErr> {
        let tx = transaction::begin_patiently(&db).await?;
        match db.get_database_backend() {
            DbBackend::Postgres => {
                // Whatever limits the connection has for its everyday work.
                tx.execute_unprepared(&format!(
                    "SET LOCAL lock_timeout = '{PATIENCE_SECONDS}s'; \
                     SET LOCAL statement_timeout = 0; \
                     SELECT pg_advisory_xact_lock({MIGRATION_LOCK})"
                ))
                .await?;
                self.migrate_locked(&tx).await?;
            }
            DbBackend::MySql => {
                lock_mysql(&tx).await?;
                let done = self.migrate_locked(&tx).await;
                let unlock = format!("DO RELEASE_LOCK({MYSQL_LOCK})");
                tx.execute_unprepared(&unlock).await?;
                done?;
            }
            // SQLite's transaction has the write lock since its beginning.
            _ => self.migrate_locked(&tx).await?,
        }
        tx.commit().await
    }

    /// The migrations, to be put into an application's own list instead of calling
    /// [`migrate`](Self::migrate).
    ///
    /// What was applied has to stay in that list: an application that keeps organizations and lists
    /// their migration here goes on keeping them.
    #[must_use]
    pub fn migrations(&self) -> Vec<Box<dyn MigrationTrait>> {
        let mut all = list::of_users(self);
        all.extend(list::of_organizations(self));
        all
    }

    async fn migrate_locked(&self, tx: &DatabaseTransaction) -> Result<(), DbErr> {
        List { name: USERS, migrations: list::of_users, schema: self }.apply(tx).await?;
        // With a bookkeeping of its own: one that names migrations which are not in the list counts
        // as damaged, and organizations may be switched off again.
        if self.tables().organizations.is_some() {
            let migrations = list::of_organizations;
            List { name: ORGANIZATIONS, migrations, schema: self }.apply(tx).await?;
        }
        // Also what was made or taken long ago: the choices of today may want more of it. Columns
        // of the application's may still be missing, since its own migrations come after these.
        fit::check(self, tx, fit::Extent::WithoutOwnColumns).await
    }
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
        USERS.into_iden()
    }
}

struct List<'a> {
    name: &'static str,
    migrations: fn(&Schema) -> Vec<Box<dyn MigrationTrait>>,
    schema: &'a Schema,
}

impl List<'_> {
    async fn apply(&self, tx: &DatabaseTransaction) -> Result<(), DbErr> {
        self.install(tx).await?;
        for applied in self.get_migration_models(tx).await? {
            list::belongs_to(self.schema, &applied.version)?;
        }
        self.up(tx, None).await
    }
}

impl MigratorTraitSelf for List<'_> {
    fn migrations(&self) -> Vec<Box<dyn MigrationTrait>> {
        (self.migrations)(self.schema)
    }

    fn migration_table_name(&self) -> DynIden {
        self.schema.named(self.name).into_iden()
    }
}

async fn lock_mysql(tx: &DatabaseTransaction) -> Result<(), DbErr> {
    // Limits for statements count this wait too: MariaDB reads the first comment, MySQL the second.
    let lock = format!(
        "/*M!100101 SET STATEMENT max_statement_time = 0 FOR */ \
         SELECT /*+ MAX_EXECUTION_TIME({PATIENCE_SECONDS}999) */ \
         GET_LOCK({MYSQL_LOCK}, {PATIENCE_SECONDS})"
    );
    let answer = tx.query_one_raw(Statement::from_string(DbBackend::MySql, lock)).await?;
    match answer.map(|row| row.try_get_by_index::<Option<i64>>(0)).transpose()?.flatten() {
        Some(1) => Ok(()),
        _ => Err(DbErr::Migration(NO_LOCK.into())),
    }
}

const USERS: &str = "clerk_migrations";
const ORGANIZATIONS: &str = "clerk_organization_migrations";
/// Any number that no other program takes for the same database.
const MIGRATION_LOCK: i64 = 0x636c_6572_6b5f_7573;
/// MySQL's locks are the server's and have names of 64 characters at most: a name for each database.
const MYSQL_LOCK: &str = "CONCAT('tower_clerk_', MD5(DATABASE()))";
const PATIENCE_SECONDS: u32 = 60;
const NO_LOCK: &str = "another instance is still migrating this database after a minute, or the \
    connection names no database; look at SHOW PROCESSLIST, then start again";
