//! The sink: one delivery, one transaction.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ::sea_orm::prelude::DateTimeUtc;
use ::sea_orm::{ConnectionTrait as _, DatabaseConnection, DatabaseTransaction, DbErr};

use super::hook::InTransaction;
use super::version::Version;
use super::{failure, retry, statements, steps, transaction};
use crate::ConfigError;
use crate::clock::{Clock, SystemClock};
use crate::webhook::{DeletedUser, Delivery, Event, Outcome, Sink, SinkError, User};

/// Writes users into a database through sea-orm. Clones share the connection pool.
#[derive(Clone)]
pub struct SeaOrmSink {
    db: DatabaseConnection,
    clock: Arc<dyn Clock>,
    hook: Option<Arc<dyn InTransaction>>,
}

impl SeaOrmSink {
    /// A sink on this database, whose tables `migrate` made.
    ///
    /// # Errors
    ///
    /// A database that is none of MySQL, MariaDB, PostgreSQL and SQLite.
    ///
    /// # Panics
    ///
    /// A connection that was never opened.
    pub fn new(db: DatabaseConnection) -> Result<Self, ConfigError> {
        if !transaction::is_supported(db.get_database_backend()) {
            return Err(ConfigError::new("database", transaction::UNSUPPORTED));
        }
        Ok(Self { db, clock: Arc::new(SystemClock::new()), hook: None })
    }

    /// Who says what time it is. Default: the operating system.
    #[must_use]
    pub fn with_clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self }
    }

    /// Runs an application's statements in the transaction of each delivery; see
    /// [`InTransaction`].
    #[must_use]
    pub fn with_hook(self, hook: impl InTransaction) -> Self {
        Self { hook: Some(Arc::new(hook)), ..self }
    }

    /// Forgets the ids of deliveries that came more than `age` ago, and says how many. Svix tries
    /// for a little over a day: with an age of a month nothing is taken in twice, and what is sent
    /// again by hand after that is still recognised as stale by its version.
    ///
    /// # Errors
    ///
    /// Whatever keeps the database from answering.
    pub async fn forget_deliveries(&self, age: Duration) -> Result<u64, DbErr> {
        let Some(before) = self.clock.now().checked_sub(age) else { return Ok(0) };
        let forget = statements::forget_deliveries(before.into());
        Ok(self.db.execute(&forget).await?.rows_affected())
    }

    pub(super) fn db(&self) -> &DatabaseConnection {
        &self.db
    }

    pub(super) fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    pub(super) fn now(&self) -> DateTimeUtc {
        self.clock.now().into()
    }

    async fn take_in(&self, delivery: &Delivery) -> Result<Outcome, DbErr> {
        if self.hook.is_none() && !is_acted_on(delivery.event()) {
            return Ok(Outcome::Ignored);
        }
        retry::on_conflict(self.clock(), || self.take_in_once(delivery)).await
    }

    async fn take_in_once(&self, delivery: &Delivery) -> Result<Outcome, DbErr> {
        let tx = transaction::begin(&self.db).await?;
        let outcome = self.take_in_within(&tx, delivery).await?;
        tx.commit().await?;
        Ok(outcome)
    }

    /// An error drops the transaction, which rolls it back.
    async fn take_in_within(
        &self,
        tx: &DatabaseTransaction,
        delivery: &Delivery,
    ) -> Result<Outcome, DbErr> {
        if !steps::record_delivery(tx, delivery.id(), self.now()).await? {
            return Ok(Outcome::Duplicate);
        }
        match delivery.event() {
            Event::UserCreated(user) => {
                let outcome = write(tx, user, Version::created(user)).await?;
                self.run_hook(tx, delivery, outcome).await?;
                Ok(outcome)
            }
            Event::UserUpdated(user) => {
                let outcome = write(tx, user, Version::updated(user)).await?;
                self.run_hook(tx, delivery, outcome).await?;
                Ok(outcome)
            }
            Event::UserDeleted(DeletedUser { id: Some(id), .. }) => {
                let buried = steps::bury(tx, id).await?;
                let outcome = if buried { Outcome::Applied } else { Outcome::Stale };
                self.run_hook(tx, delivery, outcome).await?;
                tx.execute(&statements::delete_user(id)).await?;
                Ok(outcome)
            }
            _ => {
                self.run_hook(tx, delivery, Outcome::Ignored).await?;
                Ok(Outcome::Ignored)
            }
        }
    }

    async fn run_hook(
        &self,
        tx: &DatabaseTransaction,
        delivery: &Delivery,
        outcome: Outcome,
    ) -> Result<(), DbErr> {
        match &self.hook {
            Some(hook) => hook.run(tx, delivery, outcome).await,
            None => Ok(()),
        }
    }
}

impl Sink for SeaOrmSink {
    async fn apply(&self, delivery: &Delivery) -> Result<Outcome, SinkError> {
        self.take_in(delivery).await.map_err(|error| match failure::is_lasting(&error) {
            true => SinkError::permanent(error),
            false => SinkError::transient(error),
        })
    }
}

impl fmt::Debug for SeaOrmSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SeaOrmSink").field("clock", &self.clock).finish_non_exhaustive()
    }
}

/// The version first: its row's lock keeps other writers of the same user out until the commit.
async fn write(tx: &DatabaseTransaction, user: &User, version: Version) -> Result<Outcome, DbErr> {
    if !steps::raise_version(tx, &user.id, version).await? {
        return Ok(Outcome::Stale);
    }
    steps::write_user(tx, user).await?;
    Ok(Outcome::Applied)
}

fn is_acted_on(event: &Event) -> bool {
    match event {
        Event::UserCreated(_) | Event::UserUpdated(_) => true,
        Event::UserDeleted(user) => user.id.is_some(),
        _ => false,
    }
}
