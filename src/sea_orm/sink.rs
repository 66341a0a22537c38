//! The sink: from a delivery to its rows, in one transaction. `backfill` applies pages, `users` answers
//! questions.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ::sea_orm::{DatabaseConnection, DbErr};

use super::dialect::{Dialect, UNSUPPORTED};
use super::hook::InTransaction;
use super::instances::Recorded;
use super::row::Row;
use super::schema::Schema;
use super::tables::OrganizationTables;
use super::transaction::{Started, Store, Transaction, run_to_completion};
use super::{failure, statements};
use crate::ConfigError;
use crate::clock::{Clock, SystemClock};
use crate::ids::{InstanceId, UserId};
use crate::sync::{Cause, Change};
use crate::webhook::event::OrganizationMembership;
use crate::webhook::{Delivery, Event, Outcome, Sink, SinkError};

/// A sink that writes users into a database through sea-orm. Clones share the connection pool.
#[derive(Clone)]
pub struct SeaOrmSink {
    pub(super) store: Store,
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
        let dialect = Dialect::of(&db).map_err(|_| ConfigError::new("database", UNSUPPORTED))?;
        schema.validate(dialect)?;
        let store = Store {
            db,
            dialect,
            tables: Arc::new(schema.tables()),
            schema: Arc::new(schema),
            clock: Arc::new(SystemClock::new()),
            hooks: Vec::new(),
        };
        Ok(Self { store, instances: Recorded::default() })
    }

    /// Sets the clock. Default: the operating system's.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.store.clock = clock;
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
        let tx = self.store.begin().await?;
        let forgotten = tx.execute(&statements::forget_run(&tx.tables().backfills, &id)).await?;
        tx.commit().await?;
        Ok(forgotten != 0)
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
        let Some(before) = self.store.clock.now().checked_sub(age) else { return Ok(0) };
        let before = self.store.dialect.time(before.into());
        let mut forgotten = 0;
        loop {
            // In batches, so that a concurrent insert does not wait for all of them.
            let tx = self.store.begin().await?;
            let table = &tx.tables().deliveries;
            let batch = tx.forget_deliveries(table, before.clone(), FORGOTTEN_AT_ONCE).await?;
            tx.commit().await?;
            forgotten += batch;
            if batch < FORGOTTEN_AT_ONCE {
                return Ok(forgotten);
            }
        }
    }
}

impl Sink for SeaOrmSink {
    async fn apply(&self, delivery: &Delivery) -> Result<Outcome, SinkError> {
        let has_hooks = !self.store.hooks.is_empty();
        if !has_hooks && self.change(delivery.event()).is_none() {
            return Ok(Outcome::Ignored);
        }
        let applied = if has_hooks {
            // An application's statements may never end: dropping the caller must cancel them.
            self.apply_retrying(delivery).await
        } else {
            let (sink, delivery) = (self.clone(), delivery.clone());
            run_to_completion(async move { sink.apply_retrying(&delivery).await }).await
        };
        applied.map_err(failure::sink_error)
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
}

impl SeaOrmSink {
    async fn apply_retrying(&self, delivery: &Delivery) -> Result<Outcome, DbErr> {
        self.store.retrying(|| self.apply_once(delivery)).await
    }

    async fn apply_once(&self, delivery: &Delivery) -> Result<Outcome, DbErr> {
        let change = self.change(delivery.event());
        let tx = self.store.begin().await?;
        let Applied { outcome, ensured } = apply(&tx, delivery, change).await?;
        if outcome != Outcome::Duplicate {
            for hook in &self.store.hooks {
                if let Some(user_id) = ensured {
                    hook.ensured(&tx.tx, user_id).await?;
                }
                hook.run(&tx.tx, delivery, outcome).await?;
            }
            tx.prove().await?;
            remove(&tx, change).await?;
        }
        let instance = change.and_then(|_| self.instances.unrecorded(delivery));
        if let Some(id) = &instance {
            tx.record_instance(id).await?;
        }
        tx.commit().await?;
        if let Some(id) = instance {
            self.instances.add(id);
        }
        Ok(outcome)
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
            let row = Row::of_user(user, tx.store.schema.columns(), tx.store.dialect);
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

/// Removes what a deletion leaves, now that its tombstone is set and the hooks have run.
async fn remove(tx: &Transaction<'_>, change: Option<Change<'_>>) -> Result<(), DbErr> {
    match (change, &tx.tables().organizations) {
        (Some(Change::UserGone(id)), _) => tx.remove_user(id.id()).await,
        (Some(Change::OrganizationGone(id)), Some(kinds)) => {
            tx.remove_organization(kinds, id.id()).await
        }
        (Some(Change::MembershipGone(id)), Some(kinds)) => {
            tx.remove_membership(kinds, id.id()).await
        }
        (Some(Change::OrganizationGone(_) | Change::MembershipGone(_)), None)
        | (Some(Change::User(..) | Change::Organization(..) | Change::Membership(..)), _)
        | (None, _) => Ok(()),
    }
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
    let user = Row::of_unknown_user(&membership.user_id, &tx.store.now());
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

/// The most deliveries that one transaction forgets.
const FORGOTTEN_AT_ONCE: u64 = 5000;
