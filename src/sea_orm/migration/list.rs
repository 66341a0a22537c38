//! The migrations, each applied once to each schema and never changed after a release.

use ::sea_orm::sea_query::{IntoIden, Table, TableAlterStatement};
use ::sea_orm::{ConnectionTrait as _, DbErr};
use sea_orm_migration::async_trait::async_trait;
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager};

use super::definitions::Definitions;
use crate::sea_orm::dialect::Dialect;
use crate::sea_orm::fit;
use crate::sea_orm::schema::Schema;
use crate::sea_orm::tables::{Backfills, TableName, Tables, Versions};

/// Returns the migrations of users, deliveries and backfills.
pub(super) fn of_users(schema: &Schema) -> Vec<Box<dyn MigrationTrait>> {
    vec![
        migration(schema, of_table(schema), Step::Users),
        migration(schema, schema.named("m20261124_000002_clerk_backfills"), Step::Backfills),
        migration(schema, schema.named("m20261201_000003_clerk_user_events"), Step::UserEvents),
        migration(
            schema,
            schema.named("m20261201_000004_clerk_deliveries_by_time"),
            Step::DeliveryIndex,
        ),
        migration(
            schema,
            schema.named("m20261201_000001_clerk_backfills_started"),
            Step::BackfillStart,
        ),
        migration(schema, schema.named("m20261201_000005_clerk_dead_letters"), Step::DeadLetters),
        migration(
            schema,
            schema.named("m20261201_000006_clerk_backfills_of_organizations"),
            Step::BackfillOrganizations,
        ),
        migration(schema, schema.named("m20261201_000007_clerk_lockouts"), Step::Lockouts),
    ]
}

/// Checks that an applied migration belongs to the tables of this schema, and not to other tables
/// of users or organizations, which would share versions and deliveries with these.
pub(super) fn belongs_to(schema: &Schema, applied: &str) -> Result<(), DbErr> {
    let (own, setting) = if applied.starts_with(USERS) {
        (of_table(schema), "users_table")
    } else if applied.starts_with(ORGANIZATIONS) {
        (of_organization_tables(schema), "with_organizations_in")
    } else {
        return Ok(());
    };
    if applied == own {
        return Ok(());
    }
    Err(DbErr::Migration(format!(
        "the sink's own tables here belong to another table than the Schema names now (applied: \
         {applied}; expected: {own}), and two tables cannot share them; set the former name by \
         `{setting}`, or put the second table into a schema of its own by `in_schema`"
    )))
}

/// Returns the name of the first migration, which includes the table of users unless it is `users`.
fn of_table(schema: &Schema) -> String {
    let users = schema.tables().users.rows.table.name.to_string();
    schema.named(&if users == "users" { USERS.to_owned() } else { format!("{USERS}_as_{users}") })
}

/// Returns the same for the tables of organizations.
fn of_organization_tables(schema: &Schema) -> String {
    let Some(kinds) = schema.tables().organizations else { return String::new() };
    let (rows, members) = (kinds.organizations.rows.table.name, kinds.memberships.rows.table.name);
    let (rows, members) = (rows.to_string(), members.to_string());
    schema.named(&match (&*rows, &*members) {
        ("organizations", "organization_memberships") => ORGANIZATIONS.to_owned(),
        _ => format!("{ORGANIZATIONS}_as_{rows}_and_{members}"),
    })
}

/// Returns the migrations of organizations and memberships, if they are kept.
pub(super) fn of_organizations(schema: &Schema) -> Vec<Box<dyn MigrationTrait>> {
    match schema.tables().organizations {
        Some(_) => vec![
            migration(schema, of_organization_tables(schema), Step::Organizations),
            migration(
                schema,
                schema.named("m20261201_000002_clerk_events_of_organizations"),
                Step::OrganizationEvents,
            ),
        ],
        None => Vec::new(),
    }
}

fn migration(schema: &Schema, name: String, step: Step) -> Box<dyn MigrationTrait> {
    Box::new(Migration { name, step, schema: schema.clone() })
}

#[derive(Clone, Copy)]
enum Step {
    BackfillOrganizations,
    BackfillStart,
    Backfills,
    DeadLetters,
    DeliveryIndex,
    Lockouts,
    OrganizationEvents,
    Organizations,
    UserEvents,
    Users,
}

struct Migration {
    name: String,
    step: Step,
    schema: Schema,
}

impl MigrationName for Migration {
    fn name(&self) -> &str {
        &self.name
    }
}

/// MySQL keeps what it created before a failure, so every step can be repeated.
#[async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let (tables, db) = (self.schema.tables(), manager.get_connection());
        let define = Definitions(Dialect::of(db)?);
        fit::before_making(&self.schema, db).await?;
        match self.step {
            Step::Users => {
                if self.schema.is_of_the_application() {
                    // First, so that nothing is made beside a table that is missing.
                    fit::check(&self.schema, db, fit::Extent::WithoutOwnColumns).await?;
                } else {
                    let users = define.users(&tables.users.rows.table, &tables.user_columns);
                    manager.create_table(users).await?;
                }
                manager.create_table(define.versions(&tables.users.versions)).await?;
                manager.create_table(define.deliveries(&tables.deliveries)).await?;
            }
            Step::Backfills => manager.create_table(define.backfills(&tables.backfills)).await?,
            Step::BackfillStart => {
                let (table, column) = (&tables.backfills, Backfills::StartedAt);
                add_column(manager, table, column, define.start_of_backfill(table)).await?;
            }
            Step::BackfillOrganizations => {
                for (column, add) in define.organizations_of_backfill(&tables.backfills) {
                    add_column(manager, &tables.backfills, column, add).await?;
                }
            }
            Step::UserEvents => add_time_of_event(manager, define, &tables.users.versions).await?,
            Step::DeadLetters => {
                manager.create_table(define.dead_letters(&tables.dead_letters)).await?;
                for index in define.dead_letter_indices(&tables.dead_letters) {
                    db.execute_unprepared(&index).await?;
                }
            }
            Step::Lockouts => {
                manager.create_table(define.lockouts(&tables.lockouts)).await?;
                for index in define.lockout_indices(&tables.lockouts) {
                    db.execute_unprepared(&index).await?;
                }
            }
            Step::DeliveryIndex => {
                let (create, name) = define.delivery_index(&tables.deliveries);
                if !fit::has_index(db, define.0, &tables.deliveries, &name).await? {
                    db.execute_unprepared(&create).await?;
                }
            }
            Step::OrganizationEvents => {
                let Some(kinds) = &tables.organizations else { return Ok(()) };
                for kind in [&kinds.organizations, &kinds.memberships] {
                    add_time_of_event(manager, define, &kind.versions).await?;
                }
            }
            Step::Organizations => {
                let Some(kinds) = &tables.organizations else { return Ok(()) };
                manager.create_table(define.versions(&kinds.organizations.versions)).await?;
                manager.create_table(define.versions(&kinds.memberships.versions)).await?;
                manager.create_table(define.organizations(&kinds.organizations.rows.table)).await?;
                manager.create_table(define.memberships(&kinds.memberships.rows.table)).await?;
                for index in define.membership_indices(&kinds.memberships.rows.table) {
                    db.execute_unprepared(&index).await?;
                }
            }
        }
        // An existing table was not changed, so it must fit.
        fit::check(&self.schema, db, fit::Extent::WithoutOwnColumns).await
    }

    /// Drops the sink's own tables. Those that hold people's data stay, since they may have existed
    /// before these migrations.
    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in made_by(self.step, self.schema.tables()) {
            manager.drop_table(Table::drop().table(table.reference()).to_owned()).await?;
        }
        Ok(())
    }
}

fn made_by(step: Step, tables: Tables) -> Vec<TableName> {
    match (step, tables.organizations) {
        (Step::Users, _) => vec![tables.deliveries, tables.users.versions],
        (Step::Backfills, _) => vec![tables.backfills],
        (Step::DeadLetters, _) => vec![tables.dead_letters],
        (Step::Lockouts, _) => vec![tables.lockouts],
        (Step::Organizations, Some(kinds)) => {
            vec![kinds.memberships.versions, kinds.organizations.versions]
        }
        (Step::Organizations, None)
        | (
            Step::BackfillOrganizations
            | Step::BackfillStart
            | Step::DeliveryIndex
            | Step::UserEvents
            | Step::OrganizationEvents,
            _,
        ) => Vec::new(),
    }
}

/// Adds the column of the time of an event to a table of versions, unless it is there.
async fn add_time_of_event(
    manager: &SchemaManager<'_>,
    define: Definitions,
    versions: &TableName,
) -> Result<(), DbErr> {
    let add = define.time_of_event(versions);
    add_column(manager, versions, Versions::OccurredAt, add).await
}

/// Adds a column to a table, unless it is there.
async fn add_column(
    manager: &SchemaManager<'_>,
    table: &TableName,
    column: impl IntoIden,
    add: TableAlterStatement,
) -> Result<(), DbErr> {
    let db = manager.get_connection();
    if fit::has_column(db, Dialect::of(db)?, table, column).await? {
        return Ok(());
    }
    manager.alter_table(add).await
}

const ORGANIZATIONS: &str = "m20261124_000001_clerk_organizations";
const USERS: &str = "m20261123_000001_clerk_users";
