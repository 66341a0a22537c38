//! The sink as the store of lock-outs: they are written with the event that causes them, and read by all
//! instances.

use std::sync::Arc;
use std::time::Duration;

use ::sea_orm::{DbErr, QueryResult};

use super::reads::Reads as _;
use super::transaction::{Store, Transaction};
use super::{failure, statements};
use crate::lockout::{Barred, Lockout, LockoutError, LockoutStore, Lockouts};
use crate::sync::lockout_of;
use crate::webhook::Delivery;

/// A sink's lock-outs, where it keeps them.
#[derive(Clone, Debug, Default)]
pub(super) struct Kept(Option<Lockouts>);

impl Kept {
    /// Returns the lock-outs in the database of a sink.
    pub(super) fn on(store: &Store) -> (Self, Lockouts) {
        let lockouts = Lockouts::with_clock(store.clone(), Arc::clone(&store.clock));
        (Self(Some(lockouts.clone())), lockouts)
    }

    /// Returns whom a delivery locks out, where lock-outs are kept.
    pub(super) fn caused_by(&self, delivery: &Delivery) -> Option<Lockout> {
        self.0.as_ref().and_then(|_| lockout_of(delivery))
    }

    /// Lets this instance's verifiers see a lock-out that is in the database now.
    pub(super) fn tell(&self, lockout: Lockout) {
        if let Some(lockouts) = &self.0 {
            lockouts.add(lockout);
        }
    }
}

impl LockoutStore for Store {
    async fn within(&self, age: Duration) -> Result<Vec<Lockout>, LockoutError> {
        let millis = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
        let select = statements::select_lockouts(&self.tables.lockouts, self.dialect, millis);
        let read = async { self.rows(&select).await?.iter().filter_map(lockout).collect() };
        let read: Result<Vec<_>, DbErr> = read.await;
        read.map_err(|error| LockoutError::new(failure::text_for_log(&error)))
    }
}

impl Transaction<'_> {
    /// Writes the lock-out that a delivery causes.
    pub(super) async fn lock_out(
        &self,
        delivery: &Delivery,
        lockout: &Lockout,
    ) -> Result<(), DbErr> {
        let (table, dialect) = (&self.tables().lockouts, self.store.dialect);
        self.execute(&statements::insert_lockout(table, dialect, delivery.id(), lockout)).await?;
        Ok(())
    }

    /// Deletes the lock-outs that bar no token any more.
    pub(super) async fn forget_lockouts(&self) -> Result<(), DbErr> {
        let (table, dialect) = (&self.tables().lockouts, self.store.dialect);
        self.execute(&statements::forget_lockouts(table, dialect, KEPT_FOR)).await?;
        Ok(())
    }
}

/// Returns the lock-out in a row: nothing for one of a kind that a later release has written.
fn lockout(row: &QueryResult) -> Option<Result<Lockout, DbErr>> {
    let read = || {
        let (kind, id): (String, String) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
        let barred = Barred::from_parts(&kind, id, row.try_get_by_index(2)?);
        Ok((barred, row.try_get_by_index(3)?))
    };
    match read() {
        Ok((barred, occurred_at)) => barred.map(|barred| Ok(Lockout::new(barred, occurred_at))),
        Err(error) => Some(Err(error)),
    }
}

/// How long a lock-out is kept, in milliseconds: longer than an instance looks back when it starts.
const KEPT_FOR: i64 = 70 * 60 * 1000;
