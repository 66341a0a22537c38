//! The sink: from a delivery to its rows, in one transaction. `backfill` applies pages, `users` answers
//! questions, `letters` keeps what can never be taken.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ::sea_orm::{DatabaseConnection, DbErr, Value};

use super::dialect::{Dialect, UNSUPPORTED};
use super::hook::InTransaction;
use super::instances::Recorded;
use super::letters::{self, Kept, Letter, Letters, When};
use super::outdated::OutdatedConnections;
use super::removal::{is_unfinished, remove};
use super::row::Row;
use super::schema::Schema;
use super::tables::{DeadLetters, OrganizationTables};
use super::transaction::{Started, Store, Transaction, run_to_completion};
use super::{failure, statements};
use crate::ConfigError;
use crate::clock::{Clock, SystemClock};
use crate::ids::{InstanceId, UserId};
use crate::sync::{Cause, Change};
use crate::trace::event;
use crate::webhook::event::OrganizationMembership;
use crate::webhook::{Delivery, Event, Outcome, Sink, SinkError, UnreadableDelivery};

/// A sink that writes users into a database through sea-orm. Clones share the connection pool.
#[derive(Clone)]
pub struct SeaOrmSink {
    pub(super) store: Store,
    pub(super) letters: Letters,
    instances: Recorded,
    #[cfg(feature = "lockouts")]
    lockouts: super::lockouts::Kept,
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
        let store = Store {
            db,
            dialect,
            tables: Arc::new(schema.tables()),
            schema: Arc::new(schema),
            clock: Arc::new(SystemClock::new()),
            hooks: Vec::new(),
            outdated: OutdatedConnections::new(),
        };
        Ok(Self {
            store,
            letters: Letters::new(),
            instances: Recorded::default(),
            #[cfg(feature = "lockouts")]
            lockouts: super::lockouts::Kept::default(),
        })
    }

    /// Sets the clock. Default: the operating system's.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.store.clock = clock;
        self
    }

    /// Sets the record that the pool asks about its connections, so that a transaction which failed on
    /// one that is out of date runs once more on another. Default: a record that no pool asks.
    #[must_use]
    pub fn outdated_connections(mut self, outdated: OutdatedConnections) -> Self {
        self.store.outdated = outdated;
        self
    }

    /// Adds statements of the application to the transaction of each delivery; see
    /// [`InTransaction`]. Several hooks run one after another, in the order in which they were
    /// added.
    #[must_use]
    pub fn with_hook(mut self, hook: impl InTransaction) -> Self {
        self.store.hooks.push(Arc::new(hook));
        self
    }

    /// Refuses deliveries that can never be taken, instead of keeping them in `clerk_dead_letters`. Svix
    /// then tries them again for a day or so, in vain.
    #[must_use]
    pub fn without_dead_letters(mut self) -> Self {
        self.letters.on = false;
        self
    }

    /// Writes the lock-outs that events cause, and returns them for the verifiers of this instance: they see
    /// them at once, and those of other instances within two seconds. See [`lockout`](crate::lockout).
    ///
    /// Clerk's endpoint must send `session.ended`, `session.removed`, `session.revoked`, `user.updated`,
    /// `organization.deleted` and `organizationMembership.deleted`.
    #[cfg(feature = "lockouts")]
    #[must_use]
    pub fn with_lockouts(mut self) -> (Self, crate::lockout::Lockouts) {
        let (kept, lockouts) = super::lockouts::Kept::on(&self.store);
        self.lockouts = kept;
        (self, lockouts)
    }

    /// Forgets that users came from an instance, and how far its backfill came. Returns `false` if the
    /// instance was not known.
    ///
    /// For an instance whose users are no longer here, or never were: an example that the Dashboard sent
    /// to an earlier version of this crate was recorded as a delivery of the instance `ins_123`. A
    /// process that has taken deliveries of the instance records it again only when it starts again.
    ///
    /// # Errors
    ///
    /// Fails for a text that is no instance's id, `ins_…`. Otherwise returns the database's error.
    pub async fn forget_instance(&self, instance_id: &str) -> Result<bool, DbErr> {
        let id = InstanceId::parse(instance_id)
            .map_err(|_| DbErr::Custom(NOT_AN_INSTANCE.to_owned()))?;
        self.store.retrying(|| self.forget_run(&id)).await
    }

    /// Deletes the ids of deliveries that were received more than `age` ago, and returns how many. Also
    /// deletes deliveries that could not be taken 30 days ago; they are not counted.
    ///
    /// Svix retries for a little over a day: with an age of a month no delivery is applied twice,
    /// and a delivery that is resent by hand after that is still recognised as stale by its
    /// version.
    ///
    /// # Errors
    ///
    /// Returns the database's error.
    pub async fn forget_deliveries(&self, age: Duration) -> Result<u64, DbErr> {
        letters::forget(&self.store).await?;
        let Some(before) = self.store.clock.now().checked_sub(age) else { return Ok(0) };
        let before = self.store.dialect.time(before.into());
        let mut forgotten = 0;
        #[cfg(feature = "lockouts")]
        self.store.retrying(|| self.forget_lockouts()).await?;
        loop {
            // In batches, so that a concurrent insert does not wait for all of them.
            let batch = self.store.retrying(|| self.forget_some(before.clone())).await?;
            forgotten += batch;
            if batch < FORGOTTEN_AT_ONCE {
                return Ok(forgotten);
            }
        }
    }
}

impl Sink for SeaOrmSink {
    async fn apply(&self, delivery: &Delivery) -> Result<Outcome, SinkError> {
        match self.attempt(delivery).await.map_err(failure::sink_error)? {
            Attempt::Done(outcome) => Ok(outcome),
            Attempt::Lacking(problem) => self.keep_at_once(Letter::of(delivery, problem)).await,
            Attempt::Refused(error) => self.note(delivery, error).await,
        }
    }

    fn acts_on(&self, kind: &str) -> bool {
        match kind.split_once('.') {
            Some(("user", _)) => true,
            Some(("organization" | "organizationMembership", _)) => {
                self.store.tables.organizations.is_some()
            }
            _ => false,
        }
    }

    async fn park(&self, delivery: &UnreadableDelivery) -> Result<Option<Outcome>, SinkError> {
        if !self.letters.on || !letters::may_be_kept(delivery.kind()) {
            return Ok(None);
        }
        self.keep_at_once(Letter::of_unreadable(delivery)).await.map(Some)
    }
}

impl SeaOrmSink {
    /// Applies a delivery, and says whether it can never be taken.
    pub(super) async fn attempt(&self, delivery: &Delivery) -> Result<Attempt, DbErr> {
        if let Some(problem) = self.lacks(delivery.event()).filter(|_| self.letters.on) {
            return Ok(Attempt::Lacking(problem));
        }
        if !self.store.hooks.is_empty() {
            // An application's statements may never end: dropping the caller must cancel them.
            return self.apply_retrying(delivery).await;
        }
        if self.change(delivery.event()).is_none() && !self.locks_out(delivery) {
            return Ok(Attempt::Done(Outcome::Ignored));
        }
        let (sink, delivery) = (self.clone(), delivery.clone());
        run_to_completion(async move { sink.apply_retrying(&delivery).await }).await
    }

    #[cfg(feature = "lockouts")]
    fn locks_out(&self, delivery: &Delivery) -> bool {
        self.lockouts.caused_by(delivery).is_some()
    }

    #[cfg(not(feature = "lockouts"))]
    fn locks_out(&self, _delivery: &Delivery) -> bool {
        false
    }

    /// Parks a delivery that no try will make usable.
    async fn keep_at_once(&self, letter: Letter) -> Result<Outcome, SinkError> {
        let kept = letters::keep(&self.store, letter, When::AtOnce).await;
        match kept.map_err(failure::sink_error)? {
            Kept::Parked | Kept::Noted => Ok(Outcome::Parked),
            Kept::OfDeleted => Ok(Outcome::Stale),
            Kept::Full => Err(SinkError::transient(FULL)),
            Kept::TooLarge => Err(SinkError::permanent(TOO_LARGE)),
        }
    }

    /// Notes a delivery whose row the database refuses, and parks it if it has done so for an hour.
    async fn note(&self, delivery: &Delivery, error: DbErr) -> Result<Outcome, SinkError> {
        let reason = failure::text_for_log(&error);
        let refused = failure::sink_error(error);
        if !self.letters.on || !letters::may_be_kept(delivery.event().kind()) {
            return Err(refused);
        }
        self.letters.expect_some();
        let letter = Letter::of(delivery, &reason);
        match letters::keep(&self.store, letter, When::AfterAnHour).await {
            Ok(Kept::Parked) => Ok(Outcome::Parked),
            Ok(Kept::OfDeleted) => Ok(Outcome::Stale),
            Ok(Kept::Noted | Kept::Full | Kept::TooLarge) => Err(refused),
            Err(_error) => {
                event!(
                    warn,
                    delivery = delivery.id(),
                    "a delivery whose row the database refuses could not be noted: {}",
                    failure::text_for_log(&_error),
                );
                Err(refused)
            }
        }
    }

    async fn apply_retrying(&self, delivery: &Delivery) -> Result<Attempt, DbErr> {
        self.store.retrying(|| self.apply_once(delivery)).await
    }

    async fn forget_run(&self, id: &InstanceId) -> Result<bool, DbErr> {
        let tx = self.store.begin().await?;
        let forgotten = tx.execute(&statements::forget_run(&tx.tables().backfills, id)).await?;
        tx.commit().await?;
        Ok(forgotten != 0)
    }

    #[cfg(feature = "lockouts")]
    async fn forget_lockouts(&self) -> Result<(), DbErr> {
        let tx = self.store.begin().await?;
        tx.forget_lockouts().await?;
        tx.commit().await
    }

    async fn forget_some(&self, before: Value) -> Result<u64, DbErr> {
        let tx = self.store.begin().await?;
        let table = &tx.tables().deliveries;
        let forgotten = tx.forget_deliveries(table, before, FORGOTTEN_AT_ONCE).await?;
        tx.commit().await?;
        Ok(forgotten)
    }

    async fn apply_once(&self, delivery: &Delivery) -> Result<Attempt, DbErr> {
        let change = self.change(delivery.event());
        let tx = self.store.begin().await?;
        let Applied { outcome, ensured } = match apply(&tx, delivery, change).await {
            Err(error) if failure::is_of_data(&error) => return Ok(refused(tx, error).await),
            applied => applied?,
        };
        if outcome != Outcome::Duplicate {
            for hook in &self.store.hooks {
                if let Some(user_id) = ensured {
                    hook.ensured(&tx.tx, user_id).await?;
                }
                hook.run(&tx.tx, delivery, outcome).await?;
            }
            tx.prove().await?;
        }
        if outcome != Outcome::Duplicate || is_unfinished(&tx, change).await? {
            match remove(&tx, change).await {
                Err(error) if failure::is_of_data(&error) => return Ok(refused(tx, error).await),
                removed => removed?,
            }
        }
        let instance = change.and_then(|_| self.instances.unrecorded(delivery));
        if let Some(id) = &instance {
            tx.record_instance(id).await?;
        }
        if change.is_some() && self.letters.may_have(delivery) {
            let table = &tx.tables().dead_letters;
            tx.execute(&statements::delete_letters(table, DeadLetters::Id, delivery.id())).await?;
        }
        #[cfg(feature = "lockouts")]
        let lockout = self.lockouts.caused_by(delivery).filter(|_| {
            // A hook can have ended the transaction that recorded it.
            outcome != Outcome::Duplicate || !self.store.hooks.is_empty()
        });
        // Last: instances look for those that were written within the last half minute, and what comes before
        // the commit may take long.
        #[cfg(feature = "lockouts")]
        if let Some(lockout) = &lockout {
            tx.lock_out(delivery, lockout).await?;
        }
        match tx.commit().await {
            // A constraint that is deferred. Where hooks ran it may be about their rows.
            Err(error) if failure::is_of_data(&error) && self.store.hooks.is_empty() => {
                return Ok(Attempt::Refused(error));
            }
            committed => committed?,
        }
        #[cfg(feature = "lockouts")]
        if let Some(lockout) = lockout {
            self.lockouts.tell(lockout);
        }
        if let Some(id) = instance {
            self.instances.add(id);
        }
        Ok(Attempt::Done(outcome))
    }

    /// Returns what an event lacks without which no try of it can be applied to what this sink keeps.
    /// What is lacking elsewhere makes an event unreadable.
    fn lacks(&self, event: &Event) -> Option<&'static str> {
        let keeps_organizations = self.store.tables.organizations.is_some();
        let has_id = match event {
            Event::UserDeleted(user) => user.id.is_some(),
            Event::OrganizationDeleted(it) if keeps_organizations => it.id.is_some(),
            Event::OrganizationMembershipDeleted(it) if keeps_organizations => it.id.is_some(),
            _ => true,
        };
        (!has_id).then_some("the deletion has no id")
    }

    /// Returns the change that an event makes to what this sink keeps.
    fn change<'e>(&self, event: &'e Event) -> Option<Change<'e>> {
        let keeps_organizations = self.store.tables.organizations.is_some();
        Change::of(event).filter(|change| match change {
            Change::User(..) | Change::UserGone(_) => true,
            Change::Organization(..)
            | Change::OrganizationGone(_)
            | Change::Membership(..)
            | Change::MembershipGone(_) => keeps_organizations,
        })
    }
}

/// The result of one try of a delivery.
#[derive(Debug)]
pub(super) enum Attempt {
    Done(Outcome),
    /// It lacks what every try of it would lack, and nothing was changed.
    Lacking(&'static str),
    /// The database refuses the data of its row, and nothing was changed.
    Refused(DbErr),
}

/// Rolls back because the database refuses the data of the delivery's own row. An error of the rollback
/// is that of a connection, which has rolled back then.
async fn refused(tx: Transaction<'_>, error: DbErr) -> Attempt {
    let _ = tx.tx.rollback().await;
    Attempt::Refused(error)
}

/// The result of applying a delivery, before the hooks run.
struct Applied<'d> {
    outcome: Outcome,
    /// The user to whom it gave a row of an id alone.
    ensured: Option<&'d UserId>,
}

/// Records a delivery and applies its change, so far as that is news. Rows that are to be removed stay
/// until the hooks have run.
async fn apply<'d>(
    tx: &Transaction<'_>,
    delivery: &Delivery,
    change: Option<Change<'d>>,
) -> Result<Applied<'d>, DbErr> {
    let tables = tx.tables();
    let outcome = match (change, &tables.organizations) {
        (Some(Change::User(user, cause)), _) => {
            let version = cause.version(user.updated_at, delivery.occurred_at(), &user.data);
            let row = tx.store.row_of_user(user);
            tx.record_and_upsert(delivery, &tables.users, &row, version).await?
        }
        (Some(Change::Organization(organization, cause)), Some(kinds)) => {
            let version =
                cause.version(organization.updated_at, delivery.occurred_at(), &organization.data);
            let row = Row::of_organization(organization, tx.store.dialect);
            tx.record_and_upsert(delivery, &kinds.organizations, &row, version).await?
        }
        _ if !tx.record(delivery).await? => Outcome::Duplicate,
        (Some(Change::Membership(membership, cause)), Some(kinds)) => {
            return write_membership(tx, delivery, kinds, membership, cause).await;
        }
        (Some(Change::UserGone(id)), _) => tx.tombstone(&tables.users, id.id()).await?,
        (Some(Change::OrganizationGone(id)), Some(kinds)) => {
            tx.tombstone(&kinds.organizations, id.id()).await?
        }
        (Some(Change::MembershipGone(id)), Some(kinds)) => {
            tx.tombstone(&kinds.memberships, id.id()).await?
        }
        (
            Some(
                Change::Organization(..)
                | Change::OrganizationGone(_)
                | Change::Membership(..)
                | Change::MembershipGone(_),
            ),
            None,
        )
        | (None, _) => Outcome::Ignored,
    };
    Ok(Applied { outcome, ensured: None })
}

/// Writes a membership. Locks the organization, then the user, then the membership; no other code uses
/// another order. A membership of a deleted organization or user is stale, however new it is.
async fn write_membership<'d>(
    tx: &Transaction<'_>,
    delivery: &Delivery,
    kinds: &OrganizationTables,
    membership: &'d OrganizationMembership,
    cause: Cause,
) -> Result<Applied<'d>, DbErr> {
    let organization = Row::of_organization(&membership.organization, tx.store.dialect);
    let organization = tx.start(&kinds.organizations, &organization).await?;
    if organization == Started::Deleted {
        return Ok(Applied { outcome: Outcome::Stale, ensured: None });
    }
    let user = tx.store.row_of_unknown_user(&membership.user_id);
    let ensured = match tx.start(&tx.tables().users, &user).await? {
        Started::Deleted => return Ok(Applied { outcome: Outcome::Stale, ensured: None }),
        Started::Known => None,
        Started::New => Some(&membership.user_id),
    };
    let version = cause.version(membership.updated_at, delivery.occurred_at(), &membership.data);
    let row = Row::of_membership(membership, tx.store.dialect);
    let outcome = tx.upsert(&kinds.memberships, &row, version).await?;
    Ok(Applied { outcome, ensured })
}

impl fmt::Debug for SeaOrmSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SeaOrmSink")
            .field("schema", &self.store.schema)
            .field("clock", &self.store.clock)
            .finish_non_exhaustive()
    }
}

const NOT_AN_INSTANCE: &str = "an instance id must be `ins_` and letters, digits or underscores, as in a \
    delivery's `instance_id`";

const FULL: &str = "clerk_dead_letters has as many rows as it may have (10000); retry or drop what is \
    parked";
const TOO_LARGE: &str = "a body of more than 256 KiB is not parked";

/// The most deliveries that one transaction forgets.
const FORGOTTEN_AT_ONCE: u64 = 5000;
