//! The application's tables behind functions that always know whose rows they touch. No HTTP here.

mod accounts;
mod connect;
mod cursor;
mod migrate;
mod posts;

pub(crate) use connect::connect;
pub(crate) use cursor::Cursor;
pub(crate) use migrate::migrate;
pub(crate) use posts::{Change, NewPost, Page};

use std::time::Duration;

use chrono::{DateTime, Utc};
use sea_orm::{DatabaseConnection, DbBackend, DbErr, SqlErr, Value};

/// X accounts and scheduled posts. Every statement names the owner.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    db: DatabaseConnection,
}

impl Store {
    pub(crate) fn new(db: DatabaseConnection) -> Self {
        Self { db }
    }

    /// An instant as a statement's value. MariaDB takes what its driver calls a time stamp for a
    /// `TIMESTAMP`, which ends in 2038: what is later would be NULL.
    fn instant(&self, time: DateTime<Utc>) -> Value {
        match self.db.get_database_backend() {
            DbBackend::MySql => time.naive_utc().into(),
            _ => time.into(),
        }
    }

    /// Whether the database answers, soon.
    pub(crate) async fn answers(&self) -> bool {
        matches!(tokio::time::timeout(PATIENCE, self.db.ping()).await, Ok(Ok(())))
    }
}

/// What can become of a write.
#[derive(Debug)]
pub(crate) enum WriteError {
    /// The row that this one hangs from does not exist, or no longer.
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
