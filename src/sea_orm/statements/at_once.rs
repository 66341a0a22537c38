//! PostgreSQL's statement that applies a state in one message: its parts do what those of
//! `deliveries`, `versions` and `rows` do. Its text is made once for each kind of record.

use std::iter;

use ::sea_orm::sea_query::DynIden;
use ::sea_orm::{DbBackend, Statement, Value};

use super::Recording;
use crate::sea_orm::dialect::Dialect;
use crate::sea_orm::row::Row;
use crate::sea_orm::tables::{Kind, TableName};
use crate::sync::{UPDATED, Version};

/// Records a delivery, raises a version and writes the row, each only if the part before it changed
/// something. Returns a row for the delivery, one for the version and one for an insertion: none if the
/// delivery is recorded already, one if the state is stale, two if a row is updated, three if one is
/// inserted.
///
/// All parts read the same snapshot; what one changes, the others see only through `RETURNING`.
/// `ON CONFLICT` is the exception: it waits for other transactions and compares with the newest
/// committed row, so the result is that of separate statements. Only an inserted row has no `xmax`: a
/// row is locked before it is updated.
pub(in crate::sea_orm) fn record_and_upsert(
    recording: &Recording<'_>,
    kind: &Kind,
    row: &Row,
    version: Version,
) -> Statement {
    let text = kind.at_once.get_or_init(|| text(recording.table, kind, row));
    let own = [
        recording.id.into(),
        recording.received_at.clone(),
        row.id.as_str().into(),
        version.updated_at.into(),
        version.occurred_at.into(),
        version.tie.into(),
    ];
    let columns = row.columns.iter().chain(&row.own_key).map(|(_, value)| value.clone());
    Statement::from_sql_and_values(DbBackend::Postgres, text, own.into_iter().chain(columns))
}

/// Builds the statement's text. The values are the delivery's id and time, the row's id, version, time of
/// the event and tie, the row's other columns, and its own key where it has one.
fn text(deliveries: &TableName, kind: &Kind, row: &Row) -> String {
    let [deliveries, versions, rows] =
        [deliveries, &kind.versions, &kind.rows.table].map(|table| table.quoted(Dialect::Postgres));
    let quoted = |(name, _): &(DynIden, Value)| Dialect::Postgres.quoted(name);
    let key = Dialect::Postgres.quoted(&kind.rows.key);
    let mut columns: Vec<_> = row.columns.iter().map(quoted).collect();
    let set: Vec<_> = columns.iter().map(|name| format!("{name} = excluded.{name}")).collect();
    let set = if set.is_empty() { format!("{key} = excluded.{key}") } else { set.join(", ") };
    columns.extend(row.own_key.iter().map(quoted));
    let names: String = columns.iter().map(|name| format!(", {name}")).collect();
    let values: String = iter::zip(7.., &columns).map(|(n, _)| format!(", ${n}")).collect();
    format!(
        "WITH recorded AS (\
            INSERT INTO {deliveries} (id, received_at) VALUES ($1, $2) \
            ON CONFLICT (id) DO NOTHING RETURNING 1\
        ), raised AS (\
            INSERT INTO {versions} AS known (id, version, occurred_at, tie, deleted) \
            SELECT $3, $4, $5, $6, FALSE FROM recorded \
            ON CONFLICT (id) DO UPDATE SET version = excluded.version, \
            occurred_at = excluded.occurred_at, tie = excluded.tie \
            WHERE NOT known.deleted \
            AND (known.version, known.tie >= {UPDATED}, known.occurred_at, known.tie) < \
            (excluded.version, excluded.tie >= {UPDATED}, excluded.occurred_at, excluded.tie) \
            RETURNING 1\
        ), written AS (\
            INSERT INTO {rows} ({key}{names}) SELECT $3{values} FROM raised \
            ON CONFLICT ({key}) DO UPDATE SET {set} RETURNING xmax = 0 AS is_new\
        ) SELECT 1 FROM recorded UNION ALL SELECT 1 FROM raised \
        UNION ALL SELECT 1 FROM written WHERE is_new"
    )
}

/// Selects whether [`record_and_upsert`] can be used: a partitioned table has no `xmax`. Returns no row
/// if there is no such table.
pub(in crate::sea_orm) fn select_can_at_once(kind: &Kind) -> Statement {
    let name = kind.rows.table.quoted(Dialect::Postgres);
    let text = "SELECT relkind <> 'p' FROM pg_catalog.pg_class WHERE oid = to_regclass($1)";
    Statement::from_sql_and_values(DbBackend::Postgres, text, [name.into()])
}
