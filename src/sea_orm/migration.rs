//! The tables of the sink, and how several instances that start at once make them.

use ::sea_orm::sea_query::{ColumnDef, IntoIden as _, Table, TableCreateStatement};
use ::sea_orm::{ConnectionTrait as _, DatabaseConnection, DbBackend, DbErr, DynIden, Statement};
use sea_orm_migration::async_trait::async_trait;
use sea_orm_migration::{MigrationName, MigrationTrait, MigratorTrait, SchemaManager};

use super::entity::user;
use super::tables::{ClerkDeliveries, ClerkUserVersions};
use super::transaction;

/// Makes the tables, or brings them up to date. Several instances may do so at once.
///
/// All of it is one transaction, which holds a lock. What has been done is kept in a table of its
/// own, `clerk_migrations`, beside an application's `seaql_migrations`.
///
/// # Errors
///
/// Whatever the database says, for example that there is a table `users` already.
pub async fn migrate(db: &DatabaseConnection) -> Result<(), DbErr> {
    let tx = transaction::begin(db).await?;
    // SQLite's transaction has the write lock since its beginning.
    if db.get_database_backend() == DbBackend::Postgres {
        let lock = format!("SELECT pg_advisory_xact_lock({MIGRATION_LOCK})");
        tx.execute_raw(Statement::from_string(DbBackend::Postgres, lock)).await?;
    }
    Migrator::up(&tx, None).await?;
    tx.commit().await
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
        manager.create_table(users()).await?;
        manager.create_table(versions()).await?;
        manager.create_table(deliveries()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(ClerkDeliveries::Table).to_owned()).await?;
        manager.drop_table(Table::drop().table(ClerkUserVersions::Table).to_owned()).await?;
        manager.drop_table(Table::drop().table(user::Entity).to_owned()).await
    }
}

fn users() -> TableCreateStatement {
    use user::Column;
    let text = |column| ColumnDef::new(column).text().take();
    let time = |column| ColumnDef::new(column).timestamp_with_time_zone().not_null().take();
    Table::create()
        .table(user::Entity)
        .col(text(Column::Id).not_null().primary_key())
        .col(text(Column::Email))
        .col(text(Column::FirstName))
        .col(text(Column::LastName))
        .col(text(Column::Username))
        .col(text(Column::ImageUrl))
        .col(time(Column::CreatedAt))
        .col(time(Column::UpdatedAt))
        .take()
}

fn versions() -> TableCreateStatement {
    Table::create()
        .table(ClerkUserVersions::Table)
        .col(ColumnDef::new(ClerkUserVersions::Id).text().not_null().primary_key())
        .col(ColumnDef::new(ClerkUserVersions::Version).big_integer().not_null())
        .col(ColumnDef::new(ClerkUserVersions::Deleted).boolean().not_null())
        .take()
}

fn deliveries() -> TableCreateStatement {
    Table::create()
        .table(ClerkDeliveries::Table)
        .col(ColumnDef::new(ClerkDeliveries::Id).text().not_null().primary_key())
        .col(ColumnDef::new(ClerkDeliveries::ReceivedAt).timestamp_with_time_zone().not_null())
        .take()
}

/// Any number that no other program takes for the same database.
const MIGRATION_LOCK: i64 = 0x636c_6572_6b5f_7573;
