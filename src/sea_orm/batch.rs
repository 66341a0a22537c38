//! Writes of many records of one kind at once, by the same rules as for one.

use std::collections::{HashMap, HashSet};

use ::sea_orm::sea_query::SelectStatement;
use ::sea_orm::{ConnectionTrait as _, DbErr};

use super::dialect::Dialect;
use super::reads::Reads;
use super::row::Row;
use super::statements;
use super::tables::{Kind, Rows, TableName, Versions};
use super::transaction::Transaction;
use crate::sync::Version;
use crate::webhook::Effect;

/// The known version of a record, and its tombstone.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    pub(super) version: Version,
    pub(super) deleted: bool,
}

/// The states that a batch writes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Which {
    /// Those that are newer than the known ones.
    Newer,
    /// Those, and those with the same `updated_at` as the known ones.
    NewerOrSame,
}

/// Raises the version and writes the row of each record whose state is newer than the known one, or
/// with [`Which::NewerOrSame`] of the same time, or that is not deleted and has no row because other code
/// removed it. Returns what became of the rows of these records, by id.
///
/// The states must be in the order of their ids, each id once: then two concurrent batches wait in
/// turn and do not deadlock.
pub(super) async fn write(
    tx: &Transaction<'_>,
    kind: &Kind,
    states: Vec<(Row, Version)>,
    which: Which,
) -> Result<HashMap<String, Effect>, DbErr> {
    let versions: Vec<_> =
        states.iter().map(|(row, version)| (row.id.as_str(), *version)).collect();
    if versions.is_empty() {
        return Ok(HashMap::new());
    }
    let mut written = raise(tx, &kind.versions, &versions, which).await?;
    let others: Vec<_> = versions.into_iter().filter(|(id, _)| !written.contains(*id)).collect();
    written.extend(revive_rowless(tx, kind, &others).await?);
    let is_written = |(row, _): (Row, Version)| written.contains(row.id.as_str()).then_some(row);
    let rows: Vec<Row> = states.into_iter().filter_map(is_written).collect();
    write_rows(tx, &kind.rows, rows).await
}

/// Sets the versions of records that are not deleted and have no row, and returns their ids. Each
/// version is set to that of the state being written, even if the stored one is newer. If the newer
/// one stayed, no later page could update the row.
///
/// All these versions were just locked, raised or not, so that no other transaction is inserting or
/// removing one of the rows.
async fn revive_rowless(
    tx: &Transaction<'_>,
    kind: &Kind,
    versions: &[(&str, Version)],
) -> Result<Vec<String>, DbErr> {
    let mut versions = versions.to_vec();
    if versions.is_empty() {
        return Ok(Vec::new());
    }
    let rows: HashSet<String> =
        ids_of(&tx.tx, &statements::select_rows(&kind.rows, &ids(&versions))).await?;
    versions.retain(|(id, _)| !rows.contains(*id));
    if versions.is_empty() {
        return Ok(Vec::new());
    }
    let known =
        known(&tx.tx, &statements::select_versions(&kind.versions, &ids(&versions))).await?;
    versions.retain(|(id, _)| known.get(*id).is_some_and(|known| !known.deleted));
    if !versions.is_empty() {
        tx.execute(&statements::set_locked_versions(&kind.versions, &versions)).await?;
    }
    Ok(versions.iter().map(|(id, _)| (*id).to_owned()).collect())
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

async fn raise(
    tx: &Transaction<'_>,
    table: &TableName,
    versions: &[(&str, Version)],
    which: Which,
) -> Result<HashSet<String>, DbErr> {
    match tx.store.dialect {
        Dialect::Postgres | Dialect::Sqlite => {
            let mut raise = match which {
                Which::Newer => statements::raise_versions(table, versions),
                Which::NewerOrSame => statements::raise_or_repeat_versions(table, versions),
            };
            let raised = tx.tx.query_all(raise.returning_col(Versions::Id)).await?;
            return raised.iter().map(|row| row.try_get_by_index(0)).collect();
        }
        Dialect::MySql => {}
    }
    let ids = ids(versions);
    tx.execute(&statements::start_versions(table, &ids)).await?;
    let known = known(&tx.tx, &statements::lock_versions(table, &ids)).await?;
    let is_older = |known: Version, version: Version| match which {
        Which::Newer => known < version,
        Which::NewerOrSame => known.updated_at <= version.updated_at,
    };
    let is_newer = |(id, version): &&(&str, Version)| {
        known.get(*id).is_some_and(|known| !known.deleted && is_older(known.version, *version))
    };
    let newer: Vec<_> = versions.iter().filter(is_newer).copied().collect();
    if !newer.is_empty() {
        tx.execute(&statements::set_locked_versions(table, &newer)).await?;
    }
    Ok(newer.iter().map(|(id, _)| (*id).to_owned()).collect())
}

/// Writes rows of one kind, whose versions are locked. Returns what became of each, by id.
pub(super) async fn write_rows(
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

fn ids<'a>(versions: &[(&'a str, Version)]) -> Vec<&'a str> {
    versions.iter().map(|(id, _)| *id).collect()
}

/// The most values in one statement: SQLite accepts 32766, the others 65535.
const MOST_VALUES: usize = 32_000;
