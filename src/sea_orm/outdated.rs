//! Which connections of a pool are out of date. The pool asks; nothing here knows it.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use ::sea_orm::DbErr;

use super::failure::{self, Outdated};
use crate::clock::{Clock, SystemClock};
use crate::meter::count;
use crate::trace::event;

/// A record of when connections went out of date, by which a pool closes the older ones before it
/// hands them out.
///
/// After a failover the connections of a pool lead to the old server, which is read-only now; and
/// PostgreSQL's refuse the statements that they prepared before a column's type changed. The sink
/// notices both, and runs the transaction once more: on a new connection if the pool asks this record.
/// An application tells it of the errors of its own statements by [`note`](Self::note). Clones share
/// what they know.
///
/// ```
/// use sea_orm::{ConnectOptions, Database, DbErr};
/// use tower_clerk::sea_orm::{OutdatedConnections, SeaOrmSink};
///
/// async fn sink(url: &str) -> Result<SeaOrmSink, Box<dyn std::error::Error>> {
///     let outdated = OutdatedConnections::new();
///     let asked = outdated.clone();
///     let mut options = ConnectOptions::new(url);
///     options.map_sqlx_postgres_before_acquire(move |_, connection| {
///         let may_be_used = asked.allow(connection.age);
///         Box::pin(async move { Ok(may_be_used) })
///     });
///     let db = Database::connect(options).await?;
///     Ok(SeaOrmSink::new(db)?.outdated_connections(outdated))
/// }
/// ```
#[derive(Clone)]
pub struct OutdatedConnections {
    since: Arc<RwLock<Since>>,
    clock: Arc<dyn Clock>,
}

/// The last times at which connections were found to be out of date.
#[derive(Clone, Copy, Default)]
struct Since {
    /// For either reason.
    last: Option<Instant>,
    read_only: Option<Instant>,
}

impl OutdatedConnections {
    /// Creates a record in which no connection is out of date.
    #[must_use]
    pub fn new() -> Self {
        Self { since: Arc::default(), clock: Arc::new(SystemClock::new()) }
    }

    /// Sets the clock, by which the pool has to count the age of its connections. Default: the operating
    /// system's.
    #[must_use]
    pub fn clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self }
    }

    /// Notes that all connections of now are out of date, if that is what an error says. Returns
    /// whether it does: then the same transaction may succeed on a new connection.
    ///
    /// It says so if the database is read-only (25006 on PostgreSQL, 1290 and 1836 on MySQL and MariaDB),
    /// or if a prepared statement would no longer return the same types (0A000 on PostgreSQL). While a
    /// database stays read-only, connections are replaced once a second at most.
    pub fn note(&self, error: &DbErr) -> bool {
        let Some(reason) = failure::outdated(error) else { return false };
        let now = self.clock.monotonic();
        let mut since = self.since.write().unwrap_or_else(PoisonError::into_inner);
        if reason == Outdated::ReadOnly {
            let is_recent = |at: Instant| now.saturating_duration_since(at) < PAUSE;
            if since.read_only.is_some_and(is_recent) {
                return true;
            }
            since.read_only = Some(now);
        }
        since.last = Some(now);
        drop(since);
        count!("clerk_connections_outdated_total", "reason" => reason.name());
        event!(
            warn,
            reason = reason.name(),
            "the database's connections are out of date and are replaced; if this goes on, check whether \
             the URL leads to the primary server",
        );
        true
    }

    /// Returns whether a connection of this age may be handed out, or is to be closed.
    #[must_use]
    pub fn allow(&self, age: Duration) -> bool {
        let since = self.since.read().unwrap_or_else(PoisonError::into_inner).last;
        since.is_none_or(|since| age < self.clock.monotonic().saturating_duration_since(since))
    }
}

impl Default for OutdatedConnections {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for OutdatedConnections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutdatedConnections").field("clock", &self.clock).finish_non_exhaustive()
    }
}

/// The time within which connections to a read-only database are not replaced again: it may stay so for
/// long, and whoever reads from it needs no new connection each time.
const PAUSE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
