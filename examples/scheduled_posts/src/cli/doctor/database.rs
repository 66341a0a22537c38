//! The database: whether it answers, whether its tables are those of this version, and whether the
//! users are in it. Creates nothing, not even an SQLite file.

use chrono::DateTime;
use sea_orm::sea_query::{Expr, Query, SelectStatement};
use sea_orm::{DbBackend, DbErr};
use sea_orm_migration::{MigrationTrait, MigratorTrait as _};
use tower_clerk::sea_orm::{HoldingKey, Pooling, is_transient};

use crate::cli::doctor::check::Check;
use crate::cli::doctor::clerk::Answers;
use crate::cli::doctor::facts::Facts;
use crate::cli::doctor::settings::unusable;
use crate::config::DatabaseUrl;
use crate::migrations::Migrator;
use crate::store::{self, Database};
use crate::{time, webhook};

/// The findings; each is `None` if an earlier one made it impossible.
#[derive(Default)]
pub(super) struct Findings {
    reached: Option<Result<(), Unreachable>>,
    /// The migrations of the crate and of the application.
    migrations: Option<Result<Migrations, DbErr>>,
    /// Whether the table of users can hold what is written to it.
    fits: Option<Result<(), DbErr>>,
    /// The foreign keys that keep the rows of deleted users.
    holding: Vec<HoldingKey>,
    users: Option<Result<i64, DbErr>>,
    /// Clerk's time of the latest change of a user that is known here, in milliseconds since 1970.
    latest_change: Option<Result<i64, DbErr>>,
    pooler: Option<Pooler>,
}

/// The differences between the migrations of this version and those that were applied.
#[derive(Default)]
struct Migrations {
    missing: usize,
    unknown: usize,
}

/// Whether a pooler gives each transaction another connection to PostgreSQL.
enum Pooler {
    None,
    /// One does, and every statement is a transaction.
    Allowed,
    /// One does, and the URL says that it carries prepared statements along.
    Trusted,
}

enum Unreachable {
    NoFile,
    Failed(DbErr),
}

impl Findings {
    pub(super) async fn look(facts: &Facts) -> Self {
        let Some(url) = &facts.database else { return Self::default() };
        let db = match open(url).await {
            Ok(db) => db,
            Err(error) => return Self { reached: Some(Err(error)), ..Self::default() },
        };
        let pooler = match url.backend() {
            DbBackend::Postgres => {
                store::takes_away(url).await.map(|takes_away| match takes_away {
                    false => Pooler::None,
                    true if db.pooling() == Pooling::Transaction => Pooler::Allowed,
                    true => Pooler::Trusted,
                })
            }
            _ => None,
        };
        let migrations = applied(&db).await;
        let whole = matches!(migrations, Ok(Migrations { missing: 0, .. }));
        let migrations = Some(migrations);
        let reached = Some(Ok(()));
        let mut found = Self { reached, migrations, pooler, ..Self::default() };
        if whole {
            found.fits = Some(db.schema().check(db.pool()).await);
            // An error is told by the other questions.
            found.holding = db.schema().holding_keys(db.pool()).await.unwrap_or_default();
            let users = Query::select().expr(Expr::cust("COUNT(*)")).from("users").to_owned();
            found.users = Some(number(&db, users).await);
            let latest = Expr::cust("COALESCE(MAX(version), 0)");
            let latest = Query::select().expr(latest).from("clerk_user_versions").to_owned();
            found.latest_change = Some(number(&db, latest).await);
        }
        // The database was only read, so an error on closing changes nothing.
        let _ = db.pool().clone().close().await;
        found
    }
}

pub(super) fn checks(facts: &Facts, answers: &Answers, found: &Findings) -> Vec<Check> {
    let mut checks = vec![reached(facts, found)];
    checks.extend(facts.database.as_ref().and_then(private));
    checks.extend(found.pooler.as_ref().map(pooler));
    checks.extend([
        migrations(facts, found),
        users(facts, answers, found),
        deliveries(facts, answers, found),
    ]);
    checks.extend(holding(&found.holding));
    checks
}

fn pooler(pooler: &Pooler) -> Check {
    const NAME: &str = "pooler";
    match pooler {
        Pooler::None => Check::ok(NAME, "no pooler takes the connection away between transactions"),
        Pooler::Allowed => Check::ok(
            NAME,
            "a pooler in transaction mode stands before PostgreSQL: every statement is a transaction",
        ),
        Pooler::Trusted => Check::warn(
            NAME,
            "a pooler in transaction mode stands before PostgreSQL, and DATABASE_URL says that it \
             carries prepared statements along: if it does not, they meet the wrong connection",
            "with PgBouncer 1.21 or later set max_prepared_statements; otherwise remove \
             statement-cache-capacity from DATABASE_URL",
        ),
    }
}

/// Checks that other users of this machine cannot read SQLite's file.
fn private(url: &DatabaseUrl) -> Option<Check> {
    const NAME: &str = "database_file";
    let file = url.file().filter(|file| file.exists())?;
    let open = store::open_to_others(&file);
    let [first, rest @ ..] = &open[..] else {
        return Some(Check::ok(NAME, "only this user may read it"));
    };
    let mut names = first.display().to_string();
    for file in rest {
        names.push_str(&format!(" {}", file.display()));
    }
    Some(Check::warn(
        NAME,
        "other users of this machine may read the SQLite file, with everybody's addresses and posts",
        format!("run `chmod 600 {names}`"),
    ))
}

fn reached(facts: &Facts, found: &Findings) -> Check {
    const NAME: &str = "database";
    if let Some(problem) = facts.problem_with(&["DATABASE_URL"]) {
        return unusable(NAME, problem);
    }
    match (&facts.database, &found.reached) {
        (Some(url), Some(Ok(()))) => {
            Check::ok(NAME, format!("the {} database answers", url.kind()))
        }
        (Some(_), Some(Err(Unreachable::NoFile))) => Check::skipped(
            NAME,
            "there is no SQLite file yet; the server creates it when it starts",
        ),
        (Some(_), Some(Err(Unreachable::Failed(error))))
            if store::is_refused_by_a_pooler(error) =>
        {
            Check::fail(
                NAME,
                format!("a pooler stands before PostgreSQL and refuses the connection: {error}"),
                store::REFUSED,
            )
        }
        (Some(_), Some(Err(Unreachable::Failed(error)))) => Check::fail(
            NAME,
            format!("the database cannot be used: {error}"),
            "check that it runs and can be reached from here, and check user, password and \
             database in DATABASE_URL",
        ),
        _ => Check::skipped(NAME, "other settings cannot be used"),
    }
}

fn migrations(facts: &Facts, found: &Findings) -> Check {
    const NAME: &str = "migrations";
    match (&found.migrations, &found.fits) {
        (Some(Ok(Migrations { missing, .. })), _) if *missing > 0 => Check::fail(
            NAME,
            format!("{missing} migrations are missing: the tables are not those of this version"),
            "run `scheduled-posts migrate`; the server does the same when it starts",
        ),
        (Some(Ok(_)), Some(Err(error))) => Check::fail(
            NAME,
            error.to_string(),
            "change the table as described, or give this server its own database",
        ),
        (Some(Ok(Migrations { unknown, .. })), _) if *unknown > 0 => Check::warn(
            NAME,
            format!("{unknown} migrations were applied that this version does not know"),
            "a newer version has used this database: start that version, as this one may not start",
        ),
        (Some(Ok(_)), _) => Check::ok(NAME, "the tables are those of this version"),
        (Some(Err(error)), _) => Check::fail(
            NAME,
            format!("the applied migrations cannot be read: {error}"),
            "check the database; it became unavailable during this check",
        ),
        (None, _) if matches!(found.reached, Some(Err(Unreachable::NoFile))) && !facts.stand_in => {
            Check::fail(
                NAME,
                "there is no database yet",
                "run `scheduled-posts migrate`; the server does the same when it starts",
            )
        }
        (None, _) => Check::skipped(NAME, "there is no database to check"),
    }
}

fn users(facts: &Facts, answers: &Answers, found: &Findings) -> Check {
    const NAME: &str = "users";
    let here = match &found.users {
        None => return Check::skipped(NAME, "there are no tables to check"),
        Some(Err(error)) => {
            return Check::fail(
                NAME,
                format!("the users cannot be counted: {error}"),
                "check the permissions of the database's user",
            );
        }
        Some(Ok(count)) => u64::try_from(*count).unwrap_or_default(),
    };
    let Some(there) = answers.users() else {
        let what = format!("{here} here; Clerk could not be asked how many it has");
        return Check::skipped(NAME, what);
    };
    let backfill = if facts.stand_in {
        "see the outcomes of the webhooks on the dev Clerk's page /dev; the server prints a \
         command for a backfill when it starts"
    } else {
        "run `scheduled-posts backfill`, and check in Clerk's Dashboard, under Webhooks, that \
         deliveries arrive"
    };
    if here == 0 && there > 0 {
        let what = format!("the table users is empty, and Clerk has {there}");
        return Check::fail(NAME, what, backfill);
    }
    if here < there {
        let what = format!("{here} of Clerk's {there} users are here");
        return Check::warn(NAME, what, backfill);
    }
    Check::ok(NAME, format!("{here} here, {there} at Clerk"))
}

/// Compares the latest change that is known here with Clerk's: an endpoint that Clerk has switched off,
/// or that lacks an event, looks like a quiet night.
fn deliveries(facts: &Facts, answers: &Answers, found: &Findings) -> Check {
    const NAME: &str = "deliveries";
    let here = match found.latest_change {
        Some(Ok(here)) => here,
        Some(Err(_)) | None => return Check::skipped(NAME, "there are no users to look at"),
    };
    let Some(there) = answers.latest_change() else {
        return Check::skipped(NAME, "Clerk could not be asked for its latest change of a user");
    };
    let late = time::now().timestamp_millis().saturating_sub(there) > ON_THE_WAY;
    if there <= here || !late {
        let what = match there <= here {
            true => "the latest change of Clerk's users is here",
            false => "the latest change of Clerk's users is not here yet; it was a moment ago",
        };
        return Check::ok(NAME, what);
    }
    let what = format!(
        "a user was changed at Clerk on {}, and the latest change here is {}",
        shown(there),
        if here == 0 { "none".to_owned() } else { format!("of {}", shown(here)) }
    );
    let todo = if facts.stand_in {
        "see the outcomes of the webhooks on the dev Clerk's page /dev".to_owned()
    } else {
        format!(
            "look in Clerk's Dashboard, under Webhooks: the endpoint …{} must be enabled, its \
             deliveries must succeed, and it must subscribe to {}; then run `scheduled-posts backfill`",
            webhook::PATH,
            webhook::EVENTS.join(", ")
        )
    };
    Check::warn(NAME, what, todo)
}

/// Returns a time of Clerk's for the report.
fn shown(millis: i64) -> String {
    match DateTime::from_timestamp_millis(millis) {
        Some(time) => time.format("%Y-%m-%d %H:%M UTC").to_string(),
        None => "an unknown day".to_owned(),
    }
}

/// Tells of foreign keys that keep the rows of deleted users.
fn holding(keys: &[HoldingKey]) -> Option<Check> {
    const NAME: &str = "foreign_keys";
    if keys.is_empty() {
        return None;
    }
    let named: Vec<String> = keys.iter().map(ToString::to_string).collect();
    Some(Check::warn(
        NAME,
        format!(
            "foreign keys without ON DELETE refer to the tables of Clerk's data: {}",
            named.join(", ")
        ),
        "give them an ON DELETE: otherwise the row of a deleted user to which they refer is emptied and \
         stays",
    ))
}

async fn open(url: &DatabaseUrl) -> Result<Database, Unreachable> {
    if url.file().is_some_and(|file| !file.exists()) {
        return Err(Unreachable::NoFile);
    }
    store::try_once(url).await.map_err(Unreachable::Failed)?;
    let db = store::connect(url).await.map_err(Unreachable::Failed)?;
    db.pool().ping().await.map_err(Unreachable::Failed)?;
    Ok(db)
}

async fn applied(db: &Database) -> Result<Migrations, DbErr> {
    let mut found = Migrations::default();
    let of_users = tower_clerk::sea_orm::migrations();
    let mut of_organizations = db.schema().migrations();
    of_organizations.retain(|one| of_users.iter().all(|other| other.name() != one.name()));
    compare(db, "clerk_migrations", &of_users, &mut found).await?;
    compare(db, "clerk_organization_migrations", &of_organizations, &mut found).await?;
    compare(db, "seaql_migrations", &Migrator::migrations(), &mut found).await?;
    Ok(found)
}

/// Compares a list of migrations with the applied ones. sea-orm's own function creates the table
/// that it reads, or needs its own driver for MySQL.
async fn compare(
    db: &Database,
    table: &'static str,
    known: &[Box<dyn MigrationTrait>],
    found: &mut Migrations,
) -> Result<(), DbErr> {
    let select = Query::select().column("version").from(table).to_owned();
    let applied: Vec<String> = match db.rows(&select).await {
        Ok(rows) => rows.iter().map(|row| row.try_get_by_index(0)).collect::<Result<_, _>>()?,
        Err(error) if is_transient(&error) => return Err(error),
        // There is no such table.
        Err(_) => Vec::new(),
    };
    let is_known = |version: &String| known.iter().any(|migration| migration.name() == version);
    let is_applied = |name: &str| applied.iter().any(|version| version == name);
    found.unknown += applied.iter().filter(|version| !is_known(version)).count();
    found.missing += known.iter().filter(|migration| !is_applied(migration.name())).count();
    Ok(())
}

async fn number(db: &Database, select: SelectStatement) -> Result<i64, DbErr> {
    db.rows(&select).await?.first().map_or(Ok(0), |row| row.try_get_by_index(0))
}

/// The time in which a change may still be on its way, in milliseconds: some tries of a delivery.
const ON_THE_WAY: i64 = 10 * 60 * 1000;
