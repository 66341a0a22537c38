//! The operators' methods for deliveries that could not be taken: list, retry, drop.

use std::fmt;
use std::time::SystemTime;

use ::sea_orm::prelude::DateTimeUtc;
use ::sea_orm::{DbErr, QueryResult};
use bytes::Bytes;

use super::reads::Reads as _;
use super::sink::{Attempt, SeaOrmSink};
use super::tables::DeadLetters;
use super::{failure, letters, statements};
use crate::webhook::{Delivery, Outcome};

/// A delivery that could not be taken and is kept, without its body.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeadLetter {
    /// The delivery's id, `svix-id`.
    pub id: String,
    /// The event's type, for example `user.updated`.
    pub kind: String,
    /// The Clerk instance that the event names.
    pub instance_id: Option<String>,
    /// The user whom the event is about, if it has a usable id of one.
    pub user_id: Option<String>,
    /// The time of the first failure.
    pub failed_at: SystemTime,
    /// The time since which the sender is told that the delivery arrived; `None` while it is only noted,
    /// and sent again.
    pub parked_at: Option<SystemTime>,
    /// Why it could not be taken, without any of the event's data.
    pub reason: String,
}

/// The result of a retry.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Retried {
    /// The delivery was taken, with this outcome, and is no longer kept. One that was
    /// [ignored](Outcome::Ignored), because the sink does not keep its kind of record, stays.
    Taken(Outcome),
    /// The database, or this version of the crate, still refuses it, for this reason. It stays.
    Refused(String),
    /// No delivery of this id is kept.
    Unknown,
}

impl SeaOrmSink {
    /// Returns deliveries that could not be taken, in the order of their ids and `limit` at most, from
    /// after the id `after` on. Those that are only noted are among them.
    ///
    /// # Errors
    ///
    /// Returns the database's error.
    pub async fn parked(&self, limit: u64, after: Option<&str>) -> Result<Vec<DeadLetter>, DbErr> {
        let table = &self.store.tables.dead_letters;
        let select = statements::select_letters(table, after, limit);
        self.store.rows(&select).await?.iter().map(letter).collect()
    }

    /// Returns how many deliveries are kept, and sets the gauge `clerk_webhook_dead_letters` to that.
    /// For a server whose letters another process retries or drops.
    ///
    /// # Errors
    ///
    /// Returns the database's error.
    pub async fn count_parked(&self) -> Result<u64, DbErr> {
        letters::count(&self.store).await
    }

    /// Returns the body of a delivery that is kept, as it was signed. It holds personal data.
    ///
    /// # Errors
    ///
    /// Returns the database's error.
    pub async fn parked_body(&self, id: &str) -> Result<Option<Bytes>, DbErr> {
        Ok(self.whole(id).await?.map(|(_, body)| body))
    }

    /// Applies a delivery that is kept, as if it arrived now: hooks run, and a repeated delivery, an older
    /// state than the known one and a deleted user change nothing. Once it is taken it is no longer kept,
    /// in the same transaction.
    ///
    /// # Errors
    ///
    /// Returns the database's error, or a hook's. Then it is still kept.
    pub async fn retry(&self, id: &str) -> Result<Retried, DbErr> {
        let Some((failed_at, body)) = self.whole(id).await? else { return Ok(Retried::Unknown) };
        let delivery = match Delivery::again(id.to_owned(), failed_at, body) {
            Ok(delivery) => delivery,
            Err(problem) => return Ok(Retried::Refused(problem.to_owned())),
        };
        self.letters.expect_some();
        match self.attempt(&delivery).await? {
            Attempt::Done(outcome) => {
                letters::count(&self.store).await?;
                Ok(Retried::Taken(outcome))
            }
            Attempt::Lacking(problem) => Ok(Retried::Refused(problem.to_owned())),
            Attempt::Refused(error) => Ok(Retried::Refused(failure::text_for_log(&error))),
        }
    }

    /// Deletes a delivery that is kept. Returns `false` if none of this id is.
    ///
    /// # Errors
    ///
    /// Returns the database's error.
    pub async fn drop_parked(&self, id: &str) -> Result<bool, DbErr> {
        let dropped = self.store.retrying(|| async {
            let tx = self.store.begin().await?;
            let table = &tx.tables().dead_letters;
            let count = tx.execute(&statements::delete_letters(table, DeadLetters::Id, id)).await?;
            tx.commit().await?;
            Ok(count != 0)
        });
        let dropped = dropped.await?;
        letters::count(&self.store).await?;
        Ok(dropped)
    }

    /// Returns when a delivery that is kept failed first, and its body.
    async fn whole(&self, id: &str) -> Result<Option<(SystemTime, Bytes)>, DbErr> {
        let select = statements::select_whole_letter(&self.store.tables.dead_letters, id);
        let Some(row) = self.store.row(&select).await? else { return Ok(None) };
        let failed_at: DateTimeUtc = row.try_get_by_index(0)?;
        Ok(Some((failed_at.into(), row.try_get_by_index::<Vec<u8>>(1)?.into())))
    }
}

fn letter(row: &QueryResult) -> Result<DeadLetter, DbErr> {
    let parked_at: Option<DateTimeUtc> = row.try_get_by_index(5)?;
    Ok(DeadLetter {
        id: row.try_get_by_index(0)?,
        kind: row.try_get_by_index(1)?,
        instance_id: row.try_get_by_index(2)?,
        user_id: row.try_get_by_index(3)?,
        failed_at: row.try_get_by_index::<DateTimeUtc>(4)?.into(),
        parked_at: parked_at.map(SystemTime::from),
        reason: row.try_get_by_index(6)?,
    })
}

impl fmt::Display for DeadLetter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.id, self.kind, self.reason)
    }
}
