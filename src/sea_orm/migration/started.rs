//! The migration that adds the time at which a backfill began to tables from before it was kept.

use ::sea_orm::{ConnectionTrait as _, DbErr};
use sea_orm_migration::async_trait::async_trait;
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager};

use crate::sea_orm::dialect::Dialect;
use crate::sea_orm::schema::Schema;

/// Returns the migration. An instance of an earlier version may go on writing its runs: without a
/// time, the next backfill begins anew.
pub(super) fn migration(schema: &Schema) -> Box<dyn MigrationTrait> {
    let name = schema.named("m20261201_000001_clerk_backfills_started");
    Box::new(Started { name, schema: schema.clone() })
}

struct Started {
    name: String,
    schema: Schema,
}

impl MigrationName for Started {
    fn name(&self) -> &str {
        &self.name
    }
}

/// MySQL and SQLite may keep the column without a record of the migration, so a column that is there
/// already is no error. The statements are handwritten, since sea-query cannot alter a table in a
/// schema of SQLite.
#[async_trait]
impl MigrationTrait for Started {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        let dialect = Dialect::of(db)?;
        let table = self.schema.tables().backfills.quoted(dialect);
        match dialect {
            Dialect::Postgres => {
                let add = format!("ALTER TABLE {table} ADD COLUMN IF NOT EXISTS {COLUMN} bigint");
                db.execute_unprepared(&add).await?;
            }
            Dialect::MySql | Dialect::Sqlite => {
                let add = format!("ALTER TABLE {table} ADD COLUMN {COLUMN} bigint");
                match db.execute_unprepared(&add).await {
                    Err(error) if is_there(&error) => {}
                    other => {
                        other?;
                    }
                }
            }
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        let table = self.schema.tables().backfills.quoted(Dialect::of(db)?);
        db.execute_unprepared(&format!("ALTER TABLE {table} DROP COLUMN {COLUMN}")).await?;
        Ok(())
    }
}

/// Returns whether the column exists already: both databases say so in these words.
fn is_there(error: &DbErr) -> bool {
    error.to_string().to_ascii_lowercase().contains("duplicate column name")
}

const COLUMN: &str = "started_at";
