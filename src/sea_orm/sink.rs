//! The sink, which applies each delivery in one transaction; the steps are in `apply`.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ::sea_orm::prelude::DateTimeUtc;
use ::sea_orm::{ConnectionTrait as _, DatabaseConnection, DatabaseTransaction, DbErr};

use super::hook::{Hook, InTransaction};
use super::instances::Recorded;
use super::schema::Schema;
use super::tables::Tables;
use super::{failure, retry, statements, steps, transaction};
use crate::ConfigError;
use crate::clock::{Clock, SystemClock};
use crate::ids::InstanceId;
use crate::webhook::{Delivery, Outcome, Sink, SinkError};

/// A sink that writes users into a database through sea-orm. Clones share the connection pool.
#[derive(Clone)]
pub struct SeaOrmSink {
    db: DatabaseConnection,
    schema: Arc<Schema>,
    tables: Arc<Tables>,
    pub(super) clock: Arc<dyn Clock>,
    hooks: Vec<Arc<dyn Hook>>,
    instances: Recorded,
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
        if !transaction::is_supported(db.get_database_backend()) {
            return Err(ConfigError::new("database", transaction::UNSUPPORTED));
        }
        schema.validate(db.get_database_backend())?;
        let tables = Arc::new(schema.tables());
        let clock = Arc::new(SystemClock::new());
        Ok(Self {
            db,
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

    pub(super) fn schema(&self) -> &Schema {
        &self.schema
    }

    pub(super) fn tables(&self) -> &Tables {
        &self.tables
    }

    #[cfg(feature = "backfill")]
    pub(super) fn hooks(&self) -> impl Iterator<Item = &dyn Hook> {
        self.hooks.iter().map(|hook| &**hook)
    }

    pub(super) fn now(&self) -> DateTimeUtc {
        self.clock.now().into()
    }

    async fn apply_with_retries(&self, delivery: &Delivery) -> Result<Outcome, DbErr> {
        retry::on_conflict(&*self.clock, || self.apply_once(delivery)).await
    }

    async fn apply_once(&self, delivery: &Delivery) -> Result<Outcome, DbErr> {
        let tx = transaction::begin(&self.db).await?;
        let outcome = self.apply_within(&tx, delivery).await?;
        let instance = self.unrecorded_instance(delivery);
        if let Some(id) = &instance {
            // Last, as in a backfill's page, so that neither of the two waits for the other twice.
            tx.execute(&statements::start_run(&self.tables.backfills, id)).await?;
        }
        tx.commit().await?;
        if let Some(id) = instance {
            self.instances.add(id);
        }
        Ok(outcome)
    }

    /// Returns the instance whose users a delivery may have brought in, unless this process has
    /// recorded that instance already.
    fn unrecorded_instance(&self, delivery: &Delivery) -> Option<InstanceId> {
        self.instances.lacks(delivery).filter(|_| self.is_acted_on(delivery.event()))
    }

    pub(super) async fn run_hooks(
        &self,
        tx: &DatabaseTransaction,
        delivery: &Delivery,
        outcome: Outcome,
    ) -> Result<(), DbErr> {
        for hook in &self.hooks {
            hook.run(tx, delivery, outcome).await?;
        }
        Ok(())
    }
}

impl Sink for SeaOrmSink {
    async fn apply(&self, delivery: &Delivery) -> Result<Outcome, SinkError> {
        if self.hooks.is_empty() && !self.is_acted_on(delivery.event()) {
            return Ok(Outcome::Ignored);
        }
        let applied = if self.hooks.is_empty() {
            let (sink, delivery) = (self.clone(), delivery.clone());
            transaction::run_to_completion(async move { sink.apply_with_retries(&delivery).await })
                .await
        } else {
            // An application's statements may never end: dropping the caller must cancel them.
            self.apply_with_retries(delivery).await
        };
        applied.map_err(failure::sink_error)
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
