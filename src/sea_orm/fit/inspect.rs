//! The actual form of a table, read from the database's catalogue; the statements are in `queries`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use ::sea_orm::{ConnectionTrait, DbErr, QueryResult, Statement, Value};

use super::queries;
use crate::sea_orm::dialect::Dialect;
use crate::sea_orm::tables::TableName;

/// A table as it is. If it has no columns, it does not exist.
#[derive(Debug, Default)]
pub(super) struct ActualTable {
    /// What it is if it is not a table, for example "a view".
    pub(super) instead: Option<String>,
    /// The storage engine, on MySQL.
    pub(super) engine: Option<String>,
    pub(super) columns: Vec<Column>,
    pub(super) indices: Vec<Index>,
}

#[derive(Clone, Debug)]
pub(super) struct Column {
    pub(super) name: String,
    /// The database's name of the type, in lower case; of a domain, the name of its base type.
    pub(super) data_type: String,
    /// The longest text, in characters.
    pub(super) length: Option<i64>,
    pub(super) is_required: bool,
    pub(super) has_default: bool,
    /// Whether only the database may give it a value.
    pub(super) is_generated: bool,
    pub(super) is_in_primary_key: bool,
    /// The collation of a text, on MySQL; on PostgreSQL, quoted, if it differs from the type's.
    pub(super) collation: Option<String>,
    /// The character set of a text, on MySQL.
    pub(super) charset: Option<String>,
    /// Whether two texts are equal only if their bytes are; known on PostgreSQL only.
    pub(super) is_exact: bool,
    /// The domain that forbids NULL, quoted, on PostgreSQL.
    pub(super) required_by: Option<String>,
    /// The definition as `SHOW CREATE TABLE` prints it after the name, on MySQL.
    pub(super) definition: Option<String>,
}

/// An index, a key or a constraint; on PostgreSQL and SQLite only a unique or exclusive one.
#[derive(Clone, Debug)]
pub(super) struct Index {
    pub(super) name: String,
    /// The names of its columns; an expression or a prefix has its text instead of a name.
    pub(super) columns: Vec<String>,
    /// Whether it is about some of the rows only.
    pub(super) is_partial: bool,
    pub(super) guards: Guards,
    /// Whether texts are compared byte for byte, as far as the index decides.
    pub(super) is_exact: bool,
    /// Whether it may be checked only when a transaction ends, on PostgreSQL.
    pub(super) is_deferrable: bool,
    /// Whether it is invalid, on PostgreSQL: its creation failed or has not finished.
    pub(super) is_broken: bool,
}

/// The rule by which an index keeps rows apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Guards {
    /// An exclusion constraint.
    Exclusive,
    Nothing,
    /// No two rows with the same values in these columns.
    Unique,
}

pub(super) async fn is_there(
    db: &impl ConnectionTrait,
    dialect: Dialect,
    table: &TableName,
) -> Result<bool, DbErr> {
    Ok(!columns(db, dialect, table).await?.is_empty())
}

pub(super) async fn table(
    db: &impl ConnectionTrait,
    dialect: Dialect,
    table: &TableName,
) -> Result<ActualTable, DbErr> {
    let mut found = ActualTable {
        columns: columns(db, dialect, table).await?,
        indices: indices(db, dialect, table).await?,
        ..form(db, dialect, table).await?
    };
    if dialect == Dialect::MySql && found.instead.is_none() && !found.columns.is_empty() {
        let definitions = definitions(db, table).await?;
        for column in &mut found.columns {
            column.definition = definitions.get(&column.name).cloned();
        }
    }
    Ok(found)
}

async fn form(
    db: &impl ConnectionTrait,
    dialect: Dialect,
    table: &TableName,
) -> Result<ActualTable, DbErr> {
    let sql: Cow<'_, str> = match dialect {
        Dialect::MySql => queries::MYSQL_FORM.into(),
        Dialect::Postgres => queries::POSTGRES_FORM.into(),
        Dialect::Sqlite => {
            let schema = TableName { schema: table.schema.clone(), name: "sqlite_master".into() };
            queries::sqlite_form(&schema.quoted(dialect)).into()
        }
    };
    let rows = ask(db, dialect, table, &sql).await?;
    let Some(row) = rows.first() else { return Ok(ActualTable::default()) };
    Ok(ActualTable {
        instead: row.try_get_by_index(0)?,
        engine: row.try_get_by_index(1)?,
        ..ActualTable::default()
    })
}

async fn columns(
    db: &impl ConnectionTrait,
    dialect: Dialect,
    table: &TableName,
) -> Result<Vec<Column>, DbErr> {
    let sql = match dialect {
        Dialect::MySql => queries::MYSQL_COLUMNS,
        Dialect::Postgres => queries::POSTGRES_COLUMNS,
        Dialect::Sqlite => queries::SQLITE_COLUMNS,
    };
    ask(db, dialect, table, sql).await?.iter().map(column).collect()
}

fn column(row: &QueryResult) -> Result<Column, DbErr> {
    Ok(Column {
        name: row.try_get_by_index(0)?,
        data_type: row.try_get_by_index::<String>(1)?.to_lowercase(),
        length: row.try_get_by_index(2)?,
        is_required: row.try_get_by_index(3)?,
        has_default: row.try_get_by_index(4)?,
        is_generated: row.try_get_by_index(5)?,
        is_in_primary_key: row.try_get_by_index(6)?,
        collation: row.try_get_by_index(7)?,
        charset: row.try_get_by_index(8)?,
        is_exact: row.try_get_by_index(9)?,
        required_by: row.try_get_by_index(10)?,
        definition: None,
    })
}

/// Returns MySQL's definitions by column name, without those that cannot be read.
async fn definitions(
    db: &impl ConnectionTrait,
    table: &TableName,
) -> Result<BTreeMap<String, String>, DbErr> {
    let show = format!("SHOW CREATE TABLE {}", table.quoted(Dialect::MySql));
    let show = Statement::from_string(Dialect::MySql.backend(), show);
    let Some(row) = db.query_one_raw(show).await? else {
        return Ok(BTreeMap::new());
    };
    let whole: String = row.try_get_by_index(1)?;
    let lines = whole.lines().filter_map(|line| {
        let line = line.trim().strip_prefix('`')?;
        let (name, definition) = line.split_once("` ")?;
        let definition = definition.strip_suffix(',').unwrap_or(definition);
        Some((name.replace("``", "`"), definition.to_owned()))
    });
    Ok(lines.collect())
}

async fn indices(
    db: &impl ConnectionTrait,
    dialect: Dialect,
    table: &TableName,
) -> Result<Vec<Index>, DbErr> {
    let sql = match dialect {
        Dialect::MySql => queries::MYSQL_INDICES,
        Dialect::Postgres => queries::POSTGRES_INDICES,
        Dialect::Sqlite => queries::SQLITE_INDICES,
    };
    let mut found: BTreeMap<String, Index> = BTreeMap::new();
    for row in ask(db, dialect, table, sql).await? {
        let name: String = row.try_get_by_index(0)?;
        let column: String = row.try_get_by_index(1)?;
        let is_exact: bool = row.try_get_by_index(2)?;
        let (is_unique, is_exclusive) = (row.try_get_by_index(3)?, row.try_get_by_index(4)?);
        let is_deferrable: bool = row.try_get_by_index(5)?;
        let is_broken: bool = row.try_get_by_index(6)?;
        let is_partial: bool = row.try_get_by_index(7)?;
        let index = found.entry(name.clone()).or_insert_with(|| Index {
            name,
            columns: Vec::new(),
            is_partial,
            guards: match (is_unique, is_exclusive) {
                (_, true) => Guards::Exclusive,
                (true, false) => Guards::Unique,
                (false, false) => Guards::Nothing,
            },
            is_exact: true,
            is_deferrable,
            is_broken,
        });
        index.columns.push(column);
        index.is_exact &= is_exact;
    }
    Ok(found.into_values().collect())
}

pub(super) async fn ask(
    db: &impl ConnectionTrait,
    dialect: Dialect,
    table: &TableName,
    sql: &str,
) -> Result<Vec<QueryResult>, DbErr> {
    let schema = table.schema.as_ref().map(ToString::to_string);
    let values: Vec<Value> = match dialect {
        // The name as the database itself would resolve it.
        Dialect::Postgres => vec![table.quoted(dialect).into()],
        Dialect::MySql | Dialect::Sqlite => vec![schema.into(), table.name.to_string().into()],
    };
    let statement = Statement::from_sql_and_values(dialect.backend(), sql, values);
    db.query_all_raw(statement).await
}
