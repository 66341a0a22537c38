//! The application's tables, behind functions that always name the owner of the rows. No HTTP.

mod accounts;
mod connect;
mod cursor;
mod migrate;
mod posts;

pub(crate) use connect::{connect, try_once};
pub(crate) use cursor::Cursor;
pub(crate) use migrate::migrate;
pub(crate) use posts::{Change, NewPost, Page};

use std::time::Duration;

use chrono::{DateTime, Utc};
use sea_orm::{DatabaseConnection, DbBackend, DbErr, SqlErr, Value};

/// The tables of X accounts and scheduled posts. Every statement names the owner.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    db: DatabaseConnection,
}

impl Store {
    pub(crate) fn new(db: DatabaseConnection) -> Self {
        Self { db }
    }

    /// Returns an instant as a statement's value. MariaDB treats a time stamp of its driver as a
    /// `TIMESTAMP`, which ends in 2038: a later instant would be NULL.
    fn instant(&self, time: DateTime<Utc>) -> Value {
        match self.db.get_database_backend() {
            DbBackend::MySql => time.naive_utc().into(),
            _ => time.into(),
        }
    }

    /// Returns whether the database answers within 2 s.
    pub(crate) async fn answers(&self) -> bool {
        matches!(tokio::time::timeout(PATIENCE, self.db.ping()).await, Ok(Ok(())))
    }
}

/// The failure of a write.
#[derive(Debug)]
pub(crate) enum WriteError {
    /// The row that this one refers to does not exist, or no longer.
    NoParent,
    Database(DbErr),
}

impl From<DbErr> for WriteError {
    fn from(error: DbErr) -> Self {
        match error.sql_err() {
            Some(SqlErr::ForeignKeyConstraintViolation(_)) => Self::NoParent,
            _ => Self::Database(error),
        }
    }
}

const PATIENCE: Duration = Duration::from_secs(2);
