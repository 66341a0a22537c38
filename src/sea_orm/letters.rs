//! Deliveries that can never be taken: noted while the sender still tries, and then parked, each in a
//! transaction of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use ::sea_orm::prelude::DateTimeUtc;
use ::sea_orm::{ConnectionTrait, DbErr, Value};
use bytes::Bytes;

use super::dialect::Dialect;
use super::reads::Reads;
use super::statements::NewLetter;
use super::transaction::{Store, Transaction, run_to_completion};
use super::{failure, statements};
use crate::ids::UserId;
use crate::meter::{count, gauge};
use crate::trace::event;
use crate::webhook::{Delivery, UnreadableDelivery};

/// The setting of a sink, and whether it has to look for letters that were kept. Clones share the
/// latter.
#[derive(Clone, Debug)]
pub(super) struct Letters {
    pub(super) on: bool,
    seen: Arc<AtomicBool>,
}

impl Letters {
    pub(super) fn new() -> Self {
        Self { on: true, seen: Arc::default() }
    }

    /// Notes that a delivery may have a letter, so that every one looks for its own from now on.
    pub(super) fn expect_some(&self) {
        self.seen.store(true, Ordering::Relaxed);
    }

    /// Returns whether there may be a letter about an earlier try of a delivery, which another server
    /// may have kept. A first try needs no look.
    pub(super) fn may_have(&self, delivery: &Delivery) -> bool {
        let is_first = delivery.occurred_at().is_some_and(|occurred| {
            let later = delivery.sent_at().duration_since(occurred);
            later.unwrap_or_else(|earlier| earlier.duration()) < FIRST_TRY
        });
        !is_first || self.seen.load(Ordering::Relaxed)
    }
}

/// A delivery that could not be taken.
#[derive(Clone, Debug)]
pub(super) struct Letter {
    id: String,
    kind: String,
    instance_id: Option<String>,
    user_id: Option<UserId>,
    reason: String,
    body: Bytes,
}

impl Letter {
    /// The reason must hold none of the event's data.
    pub(super) fn of(delivery: &Delivery, reason: &str) -> Self {
        Self {
            id: delivery.id().to_owned(),
            kind: delivery.event().kind().to_owned(),
            instance_id: delivery.instance_id().map(str::to_owned),
            user_id: delivery.user_id(),
            reason: reason.chars().take(LONGEST_REASON).collect(),
            body: delivery.body().clone(),
        }
    }

    pub(super) fn of_unreadable(delivery: &UnreadableDelivery) -> Self {
        Self {
            id: delivery.id().to_owned(),
            kind: delivery.kind().to_owned(),
            instance_id: delivery.instance_id().map(str::to_owned),
            user_id: delivery.user_id().and_then(|id| UserId::parse(id).ok()),
            reason: delivery.problem().to_owned(),
            body: delivery.body().clone(),
        }
    }
}

/// Returns whether deliveries of a type may be kept: not those that hold one-time codes.
pub(super) fn may_be_kept(kind: &str) -> bool {
    !kind.starts_with("email.") && !kind.starts_with("sms.")
}

/// When a letter is parked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    /// No try can ever be taken.
    AtOnce,
    /// A later try may be taken, if somebody mends the tables.
    AfterAnHour,
}

/// The result of keeping a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    /// It is parked, now or before.
    Parked,
    /// It is noted: the sender is to try again.
    Noted,
    /// Its user is deleted, so that nothing of it is wanted.
    OfDeleted,
    /// It is longer than what is kept.
    TooLarge,
    /// There are as many letters as there may be.
    Full,
}

/// Notes or parks a delivery. It is committed when this returns.
pub(super) async fn keep(store: &Store, letter: Letter, when: When) -> Result<Kept, DbErr> {
    let owned = store.clone();
    let kept = run_to_completion(async move {
        if letter.body.len() > MOST_BYTES {
            return Ok((letter, Kept::TooLarge, false));
        }
        let (kept, is_new) = owned.retrying(|| keep_once(&owned, &letter, when)).await?;
        Ok((letter, kept, is_new))
    });
    let (letter, kept, is_new) = kept.await?;
    tell(&letter, kept, is_new);
    if is_new {
        // Only a number for operators: without it the letter is kept all the same.
        let _ = count(store).await;
    }
    Ok(kept)
}

/// Returns what became of the letter, and whether that is news.
async fn keep_once(store: &Store, letter: &Letter, when: When) -> Result<(Kept, bool), DbErr> {
    let mut kept = None;
    // Two tries of the same delivery may meet; the second one finds what the first one wrote.
    for _ in 0..3 {
        let tx = store.begin().await?;
        kept = keep_in(&tx, letter, when).await?;
        if kept.is_some() {
            tx.commit().await?;
            break;
        }
    }
    kept.ok_or_else(|| DbErr::Custom(CONTENDED.to_owned()))
}

async fn keep_in(
    tx: &Transaction<'_>,
    letter: &Letter,
    when: When,
) -> Result<Option<(Kept, bool)>, DbErr> {
    let store = tx.store;
    let table = &tx.tables().dead_letters;
    if let Some(user_id) = &letter.user_id
        && !tx.lock(&tx.tables().users, user_id.id()).await?
    {
        // The lock orders this against the deletion, which removes what was kept of the user.
        return Ok(Some((Kept::OfDeleted, false)));
    }
    let now = store.clock.now();
    if let Some(row) = tx.tx.query_one(&statements::select_letter(table, &letter.id)).await? {
        let failed_at: DateTimeUtc = row.try_get_by_index(0)?;
        if row.try_get_by_index::<Option<DateTimeUtc>>(1)?.is_some() {
            return Ok(Some((Kept::Parked, false)));
        }
        let since = now.duration_since(SystemTime::from(failed_at)).unwrap_or_default();
        if when == When::AfterAnHour && since < PATIENCE {
            return Ok(Some((Kept::Noted, false)));
        }
        let park = statements::park_letter(table, &letter.id, store.now(), &letter.reason);
        tx.execute(&park).await?;
        return Ok(Some((Kept::Parked, true)));
    }
    forget_old(tx, now).await?;
    // The lock is all that is wanted.
    let _first = tx.tx.query_one(&statements::lock_first_letter(table)).await?;
    if count_in(&tx.tx, store).await? >= MOST_LETTERS {
        return Ok(Some((Kept::Full, false)));
    }
    let (kept, parked_at) = match when {
        When::AtOnce => (Kept::Parked, Some(store.now())),
        When::AfterAnHour => (Kept::Noted, None),
    };
    let is_inserted = insert(tx, letter, parked_at).await?;
    Ok(is_inserted.then_some((kept, true)))
}

/// Inserts a letter. Returns `false` if another transaction has inserted it.
async fn insert(
    tx: &Transaction<'_>,
    letter: &Letter,
    parked_at: Option<Value>,
) -> Result<bool, DbErr> {
    let new = NewLetter {
        id: &letter.id,
        kind: &letter.kind,
        instance_id: letter.instance_id.as_deref(),
        user_id: letter.user_id.as_deref(),
        failed_at: tx.store.now(),
        parked_at,
        reason: &letter.reason,
        body: &letter.body,
    };
    let table = &tx.tables().dead_letters;
    match tx.store.dialect {
        Dialect::Postgres | Dialect::Sqlite => {
            Ok(tx.execute(&statements::record_letter(table, new)).await? != 0)
        }
        Dialect::MySql => match tx.execute(&statements::insert_letter(table, new)).await {
            Ok(_) => Ok(true),
            Err(error) if failure::is_duplicate(&error) => Ok(false),
            Err(error) => Err(error),
        },
    }
}

/// Deletes letters that are too old to be kept.
pub(super) async fn forget(store: &Store) -> Result<(), DbErr> {
    let forget = || async {
        let tx = store.begin().await?;
        forget_old(&tx, store.clock.now()).await?;
        tx.commit().await
    };
    store.retrying(forget).await?;
    count(store).await.map(drop)
}

async fn forget_old(tx: &Transaction<'_>, now: SystemTime) -> Result<(), DbErr> {
    let Some(before) = now.checked_sub(LONGEST) else { return Ok(()) };
    let before = tx.store.dialect.time(before.into());
    tx.execute(&statements::forget_letters(&tx.tables().dead_letters, before)).await?;
    Ok(())
}

/// Returns how many letters there are, and tells it to the metrics.
pub(super) async fn count(store: &Store) -> Result<u64, DbErr> {
    let count = count_in(store, store).await?;
    let _kept = f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    gauge!("clerk_webhook_dead_letters", _kept);
    Ok(count)
}

async fn count_in(db: &impl Reads, store: &Store) -> Result<u64, DbErr> {
    let rows = db.rows(&statements::count_letters(&store.tables.dead_letters)).await?;
    let count = rows.first().map(|row| row.try_get_by_index::<i64>(0)).transpose()?;
    Ok(count.unwrap_or_default().cast_unsigned())
}

/// Counts and logs what became of a letter.
fn tell(letter: &Letter, kept: Kept, is_new: bool) {
    let (_kind, _reason) = (&*letter.kind, &*letter.reason);
    match kept {
        Kept::Parked if is_new => {
            count!("clerk_webhook_parked_total", "event" => _kind.to_owned());
            event!(
                warn,
                delivery = &*letter.id,
                kind = _kind,
                "a delivery that can never be taken is parked, and an operator has to look at it: \
                 {_reason}",
            );
        }
        Kept::Full => {
            count!("clerk_webhook_unparked_total", "reason" => "full");
            event!(
                error,
                delivery = &*letter.id,
                kind = _kind,
                "a delivery that can never be taken cannot be parked, because clerk_dead_letters is \
                 full: retry or drop what is parked ({_reason})",
            );
        }
        Kept::TooLarge => {
            count!("clerk_webhook_unparked_total", "reason" => "too_large");
            event!(
                error,
                delivery = &*letter.id,
                kind = _kind,
                "a delivery that can never be taken cannot be parked, because its body is longer than \
                 256 KiB ({_reason})",
            );
        }
        Kept::Parked | Kept::Noted | Kept::OfDeleted => {}
    }
}

/// How long after its event a first try is sent at the latest. The second one follows after 5 s.
const FIRST_TRY: Duration = Duration::from_secs(4);
/// The time from the first failure on, after which a delivery is parked.
const PATIENCE: Duration = Duration::from_secs(3600);
const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);
/// The longest reason that is kept, in characters.
const LONGEST_REASON: usize = 1000;
const MOST_BYTES: usize = 256 * 1024;
const MOST_LETTERS: u64 = 10_000;

const CONTENDED: &str =
    "clerk_dead_letters: other transactions insert and remove the same delivery";

#[cfg(test)]
mod tests {
    use super::may_be_kept;

    #[test]
    fn what_holds_one_time_codes_is_never_kept() {
        assert!(!may_be_kept("email.created"));
        assert!(!may_be_kept("sms.created"));
        assert!(may_be_kept("user.created"));
    }
}
