//! Pages of records of one kind that Clerk listed: what is written of them, by the same rules as for one,
//! and how they differ from the rows.

use std::collections::{HashMap, HashSet};

use ::sea_orm::sea_query::SelectStatement;
use ::sea_orm::{ConnectionTrait as _, DbErr};

use super::dialect::Dialect;
use super::kept;
use super::reads::Reads;
use super::row::Row;
use super::statements;
use super::tables::{Kind, Rows, TableName, Versions};
use super::transaction::{Store, Transaction};
use crate::backfill::Differences;
use crate::sync::Version;
use crate::webhook::Effect;

/// The known version of a record, and its tombstone.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    pub(super) version: Version,
    pub(super) deleted: bool,
}

/// The states that a page writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    /// Those that are newer than the known ones. At the same `updated_at`, one that was listed after the
    /// known one, if something that the row keeps differs; where the application may change rows, also the
    /// data must differ.
    Newer,
    /// Those, and all with the same `updated_at` as the known ones, unless an event from after the list
    /// brought the known one.
    NewerOrSame,
}

/// Writes the states that are newer than the known ones, and those of records that are not deleted and
/// have no row because other code removed it. Returns what became of the rows of these records, by id.
///
/// The states must be in the order of their ids, each id once: then two concurrent pages wait in turn and
/// do not deadlock.
pub(super) async fn write(
    tx: &Transaction<'_>,
    kind: &Kind,
    mut states: Vec<(Row, Version)>,
    which: Which,
) -> Result<HashMap<String, Effect>, DbErr> {
    if states.is_empty() {
        return Ok(HashMap::new());
    }
    let new = start(tx, &kind.versions, &states).await?;
    if new.len() < states.len() {
        let ids = ids_without(&states, &new);
        let known = known(&tx.tx, &statements::lock_versions(&kind.versions, &ids)).await?;
        let stored = stored(&tx.tx, &kind.rows, &states, &ids, tx.store.dialect).await?;
        states.retain(|(row, version)| {
            let id = row.id.as_str();
            new.contains(id)
                || match judge(kind, row, *version, known.get(id), stored.get(id)) {
                    Judgement::Missing | Judgement::Outdated => true,
                    Judgement::Same => which == Which::NewerOrSame,
                    Judgement::Deleted | Judgement::Newer | Judgement::Later => false,
                }
        });
        // Also where the known state is newer and its row is missing: if that version stayed, no later
        // page could update the row.
        let raised = states.iter().map(|(row, version)| (row.id.as_str(), *version));
        let raised: Vec<_> = raised.filter(|(id, _)| !new.contains(*id)).collect();
        if !raised.is_empty() {
            tx.execute(&statements::set_locked_versions(&kind.versions, &raised)).await?;
        }
    }
    write_rows(tx, &kind.rows, states.into_iter().map(|(row, _)| row).collect()).await
}

/// Stores the versions of records that have none, and returns their ids. Where the database does not tell
/// which these are, all records without one get a version that is older than every state.
async fn start(
    tx: &Transaction<'_>,
    table: &TableName,
    states: &[(Row, Version)],
) -> Result<HashSet<String>, DbErr> {
    match tx.store.dialect {
        Dialect::Postgres | Dialect::Sqlite => {
            let versions: Vec<_> =
                states.iter().map(|(row, version)| (row.id.as_str(), *version)).collect();
            let mut start = statements::start_versions_at(table, &versions);
            let new = tx.tx.query_all(start.returning_col(Versions::Id)).await?;
            new.iter().map(|row| row.try_get_by_index(0)).collect()
        }
        Dialect::MySql => {
            let ids = ids_without(states, &HashSet::new());
            tx.execute(&statements::start_versions(table, &ids)).await?;
            Ok(HashSet::new())
        }
    }
}

/// Locks the versions of records, given in the order of their ids, and returns them. Unknown records get one
/// that is older than every state.
pub(super) async fn lock(
    tx: &Transaction<'_>,
    kind: &Kind,
    ids: &[&str],
) -> Result<HashMap<String, Known>, DbErr> {
    tx.execute(&statements::start_versions(&kind.versions, ids)).await?;
    known(&tx.tx, &statements::lock_versions(&kind.versions, ids)).await
}

/// Returns how listed states differ from the rows: exactly those that [`write`] would write, and those of
/// deleted records.
pub(super) async fn differences(
    store: &Store,
    kind: &Kind,
    states: &[(Row, Version)],
) -> Result<Differences, DbErr> {
    let mut differences = Differences::new();
    let ids = ids_without(states, &HashSet::new());
    if ids.is_empty() {
        return Ok(differences);
    }
    let known = known(store, &statements::select_versions(&kind.versions, &ids)).await?;
    let stored = stored(store, &kind.rows, states, &ids, store.dialect).await?;
    for (row, version) in states {
        let id = row.id.as_str();
        let differing = match judge(kind, row, *version, known.get(id), stored.get(id)) {
            Judgement::Deleted => &mut differences.deleted,
            Judgement::Missing => &mut differences.missing,
            Judgement::Outdated => &mut differences.outdated,
            Judgement::Newer | Judgement::Later | Judgement::Same => continue,
        };
        differing.push(id.to_owned());
    }
    Ok(differences)
}

/// What a listed state is to a stored one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Judgement {
    /// The record is deleted.
    Deleted,
    /// The record has no row.
    Missing,
    /// The stored state is newer.
    Newer,
    /// The stored state is older, or another one of the same time.
    Outdated,
    /// The stored state has the same time, and an event after the list brought it.
    Later,
    /// The stored state has the same time, and is the listed one, or the row has what the listed one would
    /// put there.
    Same,
}

/// Judges a listed state by the known version and the texts of the row.
fn judge(
    kind: &Kind,
    row: &Row,
    version: Version,
    known: Option<&Known>,
    stored: Option<&Vec<Option<String>>>,
) -> Judgement {
    match (known, stored) {
        (Some(known), _) if known.deleted => Judgement::Deleted,
        (None, _) | (_, None) => Judgement::Missing,
        (Some(known), _) if known.version.updated_at > version.updated_at => Judgement::Newer,
        (Some(known), _) if known.version.updated_at < version.updated_at => Judgement::Outdated,
        // Of the same time. An event from after the list counts more, if it is known when that was.
        (Some(known), _) if known.version > version => {
            match version.occurred_at != 0 && known.version.occurred_at > version.occurred_at {
                true => Judgement::Later,
                false => Judgement::Same,
            }
        }
        // What a hook or a trigger has changed stays.
        (Some(known), _) if kind.is_shared && known.version.is_of_same_data(version) => {
            Judgement::Same
        }
        (Some(_), Some(stored)) if kept::is_in(&row.columns, stored) => Judgement::Same,
        (Some(_), Some(_)) => Judgement::Outdated,
    }
}

/// Returns the texts of the columns of those of these rows that exist, by id.
async fn stored(
    db: &impl Reads,
    table: &Rows,
    states: &[(Row, Version)],
    ids: &[&str],
    dialect: Dialect,
) -> Result<HashMap<String, Vec<Option<String>>>, DbErr> {
    let Some((first, _)) = states.first() else { return Ok(HashMap::new()) };
    let columns: Vec<_> = kept::comparable(&first.columns).map(|(name, _)| name.clone()).collect();
    let rows = db.rows(&statements::select_texts(table, &columns, ids, dialect)).await?;
    let read = rows.iter().map(|row| {
        let texts = (1..=columns.len()).map(|at| row.try_get_by_index(at));
        Ok((row.try_get_by_index(0)?, texts.collect::<Result<_, DbErr>>()?))
    });
    read.collect()
}

/// Returns states in the order of their ids; of two with one id the newer.
pub(super) fn sorted(mut states: Vec<(Row, Version)>) -> Vec<(Row, Version)> {
    states.sort_unstable_by(|(a, newer), (b, older)| a.id.cmp(&b.id).then(older.cmp(newer)));
    states.dedup_by(|(a, _), (b, _)| a.id == b.id);
    states
}

fn ids_without<'s>(states: &'s [(Row, Version)], left_out: &HashSet<String>) -> Vec<&'s str> {
    let ids = states.iter().map(|(row, _)| row.id.as_str());
    ids.filter(|id| !left_out.contains(*id)).collect()
}

/// Returns the known versions that a statement selects, by id.
pub(super) async fn known(
    db: &impl Reads,
    select: &SelectStatement,
) -> Result<HashMap<String, Known>, DbErr> {
    let rows = db.rows(select).await?;
    let known = rows.iter().map(|row| {
        let version = Version {
            updated_at: row.try_get_by_index(1)?,
            occurred_at: row.try_get_by_index(2)?,
            tie: row.try_get_by_index(3)?,
        };
        Ok((row.try_get_by_index(0)?, Known { version, deleted: row.try_get_by_index(4)? }))
    });
    known.collect()
}

/// Writes rows of one kind, whose versions are locked. Returns what became of each, by id.
async fn write_rows(
    tx: &Transaction<'_>,
    table: &Rows,
    rows: Vec<Row>,
) -> Result<HashMap<String, Effect>, DbErr> {
    let Some(first) = rows.first() else { return Ok(HashMap::new()) };
    let at_once = (MOST_VALUES / (first.columns.len() + 2)).max(1);
    let ids: Vec<_> = rows.iter().map(|row| row.id.as_str()).collect();
    let known: HashSet<String> = ids_of(&tx.tx, &statements::select_rows(table, &ids)).await?;
    let effect = |id: &str| match known.contains(id) {
        true => Effect::Updated,
        false => Effect::Inserted,
    };
    let effects = ids.iter().map(|id| ((*id).to_owned(), effect(id))).collect();
    let rows = match tx.store.dialect {
        Dialect::Postgres | Dialect::Sqlite => rows,
        Dialect::MySql => update_known(tx, table, rows, &known).await?,
    };
    for rows in rows.chunks(at_once) {
        let write = match tx.store.dialect {
            Dialect::Postgres | Dialect::Sqlite => statements::write_rows(table, rows),
            Dialect::MySql => statements::insert_rows(table, rows),
        };
        tx.execute(&write).await?;
    }
    Ok(effects)
}

/// Updates the rows that are known to exist, and returns the others. MySQL's conflict clause cannot name
/// the key that it applies to.
async fn update_known(
    tx: &Transaction<'_>,
    table: &Rows,
    rows: Vec<Row>,
    known: &HashSet<String>,
) -> Result<Vec<Row>, DbErr> {
    let (known, new): (Vec<_>, Vec<_>) =
        rows.into_iter().partition(|row| known.contains(row.id.as_str()));
    for row in &known {
        tx.execute(&statements::update_row(table, row)).await?;
    }
    Ok(new)
}

/// Returns the ids that a statement selects.
pub(super) async fn ids_of<C: FromIterator<String>>(
    db: &impl Reads,
    select: &SelectStatement,
) -> Result<C, DbErr> {
    db.rows(select).await?.iter().map(|row| row.try_get_by_index(0)).collect()
}

/// The most values in one statement: SQLite accepts 32766, the others 65535.
const MOST_VALUES: usize = 32_000;
