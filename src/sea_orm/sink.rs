//! The sink, its settings, and what its parts share. `apply` applies deliveries, `backfill` pages, `users`
//! answers questions.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ::sea_orm::prelude::DateTimeUtc;
use ::sea_orm::{DatabaseConnection, DbErr};

use super::dialect::{Dialect, UNSUPPORTED};
use super::hook::{Hook, InTransaction};
use super::instances::Recorded;
use super::schema::Schema;
use super::tables::Tables;
use super::{steps, transaction};
use crate::ConfigError;
use crate::clock::{Clock, SystemClock};

/// A sink that writes users into a database through sea-orm. Clones share the connection pool.
#[derive(Clone)]
pub struct SeaOrmSink {
    db: DatabaseConnection,
    dialect: Dialect,
    schema: Arc<Schema>,
    tables: Arc<Tables>,
    pub(super) clock: Arc<dyn Clock>,
    hooks: Vec<Arc<dyn Hook>>,
    pub(super) instances: Recorded,
}

impl SeaOrmSink {
    /// Creates a sink on a database whose tables `migrate` created.
    ///
    /// # Errors
    ///
    /// Fails if the database is not MySQL, MariaDB, PostgreSQL or SQLite.
    ///
    /// # Panics
    ///
    /// Panics if the connection was never opened.
    pub fn new(db: DatabaseConnection) -> Result<Self, ConfigError> {
        Self::with_schema(db, Schema::new())
    }

    /// Creates a sink on the tables of a schema, which [`Schema::migrate`] created.
    ///
    /// # Errors
    ///
    /// Fails if the database is not MySQL, MariaDB, PostgreSQL or SQLite. Fails if the schema has
    /// an empty name, two tables of one name, or a column of the application that is named twice or
    /// that the sink fills itself.
    ///
    /// # Panics
    ///
    /// Panics if the connection was never opened.
    pub fn with_schema(db: DatabaseConnection, schema: Schema) -> Result<Self, ConfigError> {
        let dialect = Dialect::of(&db).map_err(|_| ConfigError::new("database", UNSUPPORTED))?;
        schema.validate(dialect)?;
        let tables = Arc::new(schema.tables());
        let clock = Arc::new(SystemClock::new());
        Ok(Self {
            db,
            dialect,
            schema: Arc::new(schema),
            tables,
            clock,
            hooks: Vec::new(),
            instances: Recorded::default(),
        })
    }

    /// Sets the clock. Default: the operating system's.
    #[must_use]
    pub fn clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self }
    }

    /// Adds statements of the application to the transaction of each delivery; see
    /// [`InTransaction`]. Several hooks run one after another, in the order in which they were
    /// added.
    #[must_use]
    pub fn with_hook(mut self, hook: impl InTransaction) -> Self {
        self.hooks.push(Arc::new(hook));
        self
    }

    /// Deletes the ids of deliveries that were received more than `age` ago, and returns how many.
    ///
    /// Svix retries for a little over a day: with an age of a month no delivery is applied twice,
    /// and a delivery that is resent by hand after that is still recognised as stale by its
    /// version.
    ///
    /// # Errors
    ///
    /// Returns the database's error.
    pub async fn forget_deliveries(&self, age: Duration) -> Result<u64, DbErr> {
        let Some(before) = self.clock.now().checked_sub(age) else { return Ok(0) };
        let mut forgotten = 0;
        loop {
            // In batches, so that a concurrent insert does not wait for all of them.
            let tx = transaction::begin(&self.db).await?;
            let batch =
                steps::forget_deliveries(&tx, &self.tables.deliveries, before.into()).await?;
            tx.commit().await?;
            forgotten += batch;
            if batch < steps::FORGOTTEN_AT_ONCE {
                return Ok(forgotten);
            }
        }
    }

    pub(super) fn db(&self) -> &DatabaseConnection {
        &self.db
    }

    pub(super) fn dialect(&self) -> Dialect {
        self.dialect
    }

    pub(super) fn schema(&self) -> &Schema {
        &self.schema
    }

    pub(super) fn tables(&self) -> &Tables {
        &self.tables
    }

    pub(super) fn has_hooks(&self) -> bool {
        !self.hooks.is_empty()
    }

    pub(super) fn hooks(&self) -> impl Iterator<Item = &dyn Hook> {
        self.hooks.iter().map(|hook| &**hook)
    }

    pub(super) fn now(&self) -> DateTimeUtc {
        self.clock.now().into()
    }
}

impl fmt::Debug for SeaOrmSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SeaOrmSink")
            .field("schema", &self.schema)
            .field("clock", &self.clock)
            .finish_non_exhaustive()
    }
}
