//! The application's tables, behind functions that always name the owner of the rows. No HTTP.

mod accounts;
mod connect;
mod cursor;
mod database;
mod file;
mod members;
mod migrate;
mod pooler;
mod posts;
mod readiness;
mod verdict;

pub(crate) use accounts::MOST_ACCOUNTS;
pub(crate) use connect::{connect, try_once};
pub(crate) use cursor::Cursor;
pub(crate) use database::{Cause, Database};
pub(crate) use file::{OpenFile, open_to_others};
pub(crate) use members::Member;
pub(crate) use migrate::migrate;
pub(crate) use pooler::{REFUSED, is_refused_by_a_pooler, takes_away};
pub(crate) use posts::{Change, NewPost, Page};
pub(crate) use readiness::advice;
pub(crate) use verdict::NotReady;

use chrono::{DateTime, Utc};
use sea_orm::{DbBackend, DbErr, SqlErr, Value};

use crate::config::DatabaseUrl;
use crate::store::verdict::LastVerdict;

/// The tables of X accounts and scheduled posts. Every statement names the owner.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    db: Database,
    /// SQLite's file, as it was opened.
    file: Option<OpenFile>,
    last: LastVerdict,
}

impl Store {
    /// Returns the tables of a database that [`connect()`] opened for this URL.
    pub(crate) fn new(db: Database, url: &DatabaseUrl) -> Self {
        let file = url.file().and_then(|path| OpenFile::at(&path));
        Self { db, file, last: LastVerdict::default() }
    }

    /// Returns an instant as a statement's value. MariaDB treats a time stamp of its driver as a
    /// `TIMESTAMP`, which ends in 2038: a later instant would be NULL.
    fn instant(&self, time: DateTime<Utc>) -> Value {
        match self.db.backend() {
            DbBackend::MySql => time.naive_utc().into(),
            _ => time.into(),
        }
    }
}

/// The failure of a write.
#[derive(Debug)]
pub(crate) enum WriteError {
    /// The row that this one refers to does not exist, or no longer.
    NoParent,
    /// The user has as many rows as there may be.
    TooMany,
    Database(DbErr),
}

impl Cause for WriteError {
    fn cause(&self) -> Option<&DbErr> {
        match self {
            Self::Database(error) => Some(error),
            Self::NoParent | Self::TooMany => None,
        }
    }
}

impl From<DbErr> for WriteError {
    fn from(error: DbErr) -> Self {
        match error.sql_err() {
            Some(SqlErr::ForeignKeyConstraintViolation(_)) => Self::NoParent,
            _ => Self::Database(error),
        }
    }
}
