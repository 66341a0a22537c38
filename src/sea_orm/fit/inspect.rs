//! What a table looks like, asked of each database's own catalogue.

use std::collections::BTreeMap;

use ::sea_orm::{ConnectionTrait, DbBackend, DbErr, QueryResult, Statement, Value};

use crate::sea_orm::tables::TableName;

/// A table as it is. Without columns: there is none.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) columns: Vec<Column>,
    pub(super) unique: Vec<Unique>,
}

#[derive(Clone, Debug)]
pub(super) struct Column {
    pub(super) name: String,
    /// In the database's own words, in lower case.
    pub(super) data_type: String,
    /// Of a text, in characters.
    pub(super) length: Option<i64>,
    pub(super) is_required: bool,
    pub(super) has_default: bool,
    /// MySQL's, of a text.
    pub(super) collation: Option<String>,
}

/// An index, a key or a constraint that lets no two rows be the same in these columns.
#[derive(Clone, Debug)]
pub(super) struct Unique {
    pub(super) name: String,
    /// An expression, or the beginning of a text, has its text here instead of a name.
    pub(super) columns: Vec<String>,
    /// Whether texts are compared byte for byte, as far as the index says.
    pub(super) is_exact: bool,
}

pub(super) async fn is_there(db: &impl ConnectionTrait, table: &TableName) -> Result<bool, DbErr> {
    Ok(!columns(db, table).await?.is_empty())
}

pub(super) async fn table(db: &impl ConnectionTrait, table: &TableName) -> Result<Found, DbErr> {
    Ok(Found { columns: columns(db, table).await?, unique: unique(db, table).await? })
}

async fn columns(db: &impl ConnectionTrait, table: &TableName) -> Result<Vec<Column>, DbErr> {
    let sql = match db.get_database_backend() {
        DbBackend::MySql => MYSQL_COLUMNS,
        DbBackend::Postgres => POSTGRES_COLUMNS,
        _ => SQLITE_COLUMNS,
    };
    ask(db, table, sql).await?.iter().map(column).collect()
}

fn column(row: &QueryResult) -> Result<Column, DbErr> {
    Ok(Column {
        name: row.try_get_by_index(0)?,
        data_type: row.try_get_by_index::<String>(1)?.to_lowercase(),
        length: row.try_get_by_index(2)?,
        is_required: row.try_get_by_index(3)?,
        has_default: row.try_get_by_index(4)?,
        collation: row.try_get_by_index(5)?,
    })
}

async fn unique(db: &impl ConnectionTrait, table: &TableName) -> Result<Vec<Unique>, DbErr> {
    let sql = match db.get_database_backend() {
        DbBackend::MySql => MYSQL_UNIQUE,
        DbBackend::Postgres => POSTGRES_UNIQUE,
        _ => SQLITE_UNIQUE,
    };
    let mut found: BTreeMap<String, Unique> = BTreeMap::new();
    for row in ask(db, table, sql).await? {
        let name: String = row.try_get_by_index(0)?;
        let column: String = row.try_get_by_index(1)?;
        let is_exact: bool = row.try_get_by_index(2)?;
        let unique = found.entry(name.clone()).or_insert_with(|| Unique {
            name,
            columns: Vec::new(),
            is_exact: true,
        });
        unique.columns.push(column);
        unique.is_exact &= is_exact;
    }
    Ok(found.into_values().collect())
}

async fn ask(
    db: &impl ConnectionTrait,
    table: &TableName,
    sql: &str,
) -> Result<Vec<QueryResult>, DbErr> {
    let schema = table.schema.as_ref().map(ToString::to_string);
    let backend = db.get_database_backend();
    let values: Vec<Value> = match backend {
        // A name as the database itself would look it up.
        DbBackend::Postgres => vec![table.quoted(backend).into()],
        _ => vec![schema.into(), table.name.to_string().into()],
    };
    let statement = Statement::from_sql_and_values(backend, sql, values);
    db.query_all_raw(statement).await
}

const POSTGRES_COLUMNS: &str = "\
    SELECT a.attname::text, t.typname::text, \
      CASE WHEN t.typname IN ('varchar', 'bpchar') AND a.atttypmod > 4 \
        THEN (a.atttypmod - 4)::bigint END, \
      a.attnotnull, a.atthasdef OR a.attidentity <> '' OR a.attgenerated <> '', NULL::text \
    FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid \
    WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped \
    ORDER BY a.attnum";

const POSTGRES_UNIQUE: &str = "\
    SELECT i.relname::text, \
      CASE WHEN k.attnum = 0 OR x.indpred IS NOT NULL THEN pg_get_indexdef(i.oid) \
        ELSE a.attname::text END, \
      true \
    FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid \
      CROSS JOIN LATERAL unnest(x.indkey[0:x.indnkeyatts - 1]) AS k(attnum) \
      LEFT JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = k.attnum \
    WHERE x.indrelid = to_regclass($1) AND x.indisunique";

const MYSQL_COLUMNS: &str = "\
    SELECT CAST(column_name AS CHAR), CAST(data_type AS CHAR), \
      CAST(character_maximum_length AS SIGNED), is_nullable = 'NO', \
      column_default IS NOT NULL OR extra LIKE '%auto_increment%' OR extra LIKE '%GENERATED%', \
      CAST(collation_name AS CHAR) \
    FROM information_schema.columns \
    WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ? ORDER BY ordinal_position";

const MYSQL_UNIQUE: &str = "\
    SELECT CAST(index_name AS CHAR), \
      CAST(CASE WHEN sub_part IS NULL THEN column_name \
        ELSE CONCAT(column_name, '(', sub_part, ')') END AS CHAR), \
      1 = 1 \
    FROM information_schema.statistics \
    WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ? AND non_unique = 0 \
    ORDER BY index_name, seq_in_index";

const SQLITE_COLUMNS: &str = "\
    SELECT name, type, NULL, \"notnull\" OR pk > 0, \
      dflt_value IS NOT NULL OR hidden > 0 OR (pk = 1 AND upper(type) = 'INTEGER'), NULL \
    FROM (SELECT COALESCE(?, 'main') AS place, ? AS wanted) \
      JOIN pragma_table_xinfo(wanted, place)";

const SQLITE_UNIQUE: &str = "\
    SELECT l.name, \
      CASE WHEN l.partial OR x.name IS NULL THEN '(part or expression)' ELSE x.name END, \
      upper(x.coll) = 'BINARY' \
    FROM (SELECT COALESCE(?, 'main') AS place, ? AS wanted) \
      JOIN pragma_index_list(wanted, place) AS l \
      JOIN pragma_index_xinfo(l.name, place) AS x \
    WHERE l.\"unique\" AND x.key";
