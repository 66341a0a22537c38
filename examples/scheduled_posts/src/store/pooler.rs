//! Whether a pooler stands before PostgreSQL that gives each transaction another connection.

use std::str::FromStr as _;
use std::time::Duration;

use sea_orm::DbErr;
use sea_orm::sqlx::postgres::PgConnectOptions;
use sea_orm::sqlx::{self, ConnectOptions as _, Executor as _, PgConnection, Row as _};
use tower_clerk::sea_orm::Pooling;

use crate::config::DatabaseUrl;

/// Returns how the database's connections are to be used: as the URL says by
/// `statement-cache-capacity`, which is 0 where no prepared statement outlives a transaction, and
/// otherwise by looking. Where nobody can tell, it returns what is right either way.
pub(super) async fn pooling(url: &DatabaseUrl) -> Pooling {
    let keeps_statements = match said(url) {
        Some(capacity) => capacity != "0",
        None => takes_away(url).await == Some(false),
    };
    if keeps_statements { Pooling::Session } else { Pooling::Transaction }
}

/// Returns the number of prepared statements that the URL allows for, if it says one.
fn said(url: &DatabaseUrl) -> Option<&str> {
    let (_, parameters) = url.expose().split_once('?')?;
    let mut parameters = parameters.split('&').filter_map(|one| one.split_once('='));
    parameters.rfind(|(name, _)| *name == "statement-cache-capacity").map(|(_, value)| value)
}

/// Returns whether a connection changes its server process from one statement to the next, or while
/// another client has a transaction; `None` if the database cannot be reached. Where there is one process
/// for both clients, it does not answer meanwhile.
pub(crate) async fn takes_away(url: &DatabaseUrl) -> Option<bool> {
    let mut ours = connect(url).await.ok()?;
    let mut others = connect(url).await.ok()?;
    let look = async {
        let first = process(&mut ours).await?;
        // Some poolers take turns.
        let second = process(&mut ours).await?;
        others.execute("BEGIN").await?;
        let beside = process(&mut others).await?;
        let third = process(&mut ours).await?;
        Ok::<_, sqlx::Error>(first != second || second != third || beside == third)
    };
    let found = tokio::time::timeout(MOMENT, look).await;
    // Closing them is enough, and nothing depends on it.
    let _ = tokio::time::timeout(MOMENT, others.execute("ROLLBACK")).await;
    match found {
        Ok(found) => found.ok(),
        Err(_) => Some(true),
    }
}

/// Returns the settings of a connection to PostgreSQL that poolers accept: none that they would have to
/// keep for it.
pub(super) fn accepted(options: PgConnectOptions) -> PgConnectOptions {
    options.extra_float_digits(None).application_name("scheduled-posts")
}

/// Opens a connection, and keeps no statement on it.
pub(super) async fn connect(url: &DatabaseUrl) -> Result<PgConnection, sqlx::Error> {
    accepted(PgConnectOptions::from_str(url.expose())?).disable_statement_logging().connect().await
}

/// Returns whether a pooler refused a connection because of a setting that comes with it.
pub(crate) fn is_refused_by_a_pooler(error: &DbErr) -> bool {
    error.to_string().contains("unsupported startup parameter")
}

/// The remedy for a pooler that refuses connections.
pub(crate) const REFUSED: &str = "Remove `options` and other parameters from DATABASE_URL that the pooler \
     does not know, or add the one that it names to PgBouncer's ignore_startup_parameters; or connect to \
     PostgreSQL directly.";

/// Asks by a plain message: a prepared statement would meet the wrong connection.
async fn process(connection: &mut PgConnection) -> Result<i32, sqlx::Error> {
    sqlx::raw_sql("SELECT pg_backend_pid()").fetch_one(connection).await?.try_get(0)
}

const MOMENT: Duration = Duration::from_secs(2);
