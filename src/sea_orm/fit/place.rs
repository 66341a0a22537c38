//! Checks whether a new table would hide an existing one of the same name.

use ::sea_orm::{ConnectionTrait, DbErr, Statement};

use super::queries;
use crate::ConfigError;
use crate::sea_orm::dialect::Dialect;
use crate::sea_orm::schema::Schema;
use crate::sea_orm::tables::TableName;

/// Checks, before tables are created, that the names can be used, and that each existing table
/// which a name finds is where a new one would be created. PostgreSQL looks for a table in all
/// schemas of the `search_path`, and creates it in the first one.
pub(in crate::sea_orm) async fn before_making(
    schema: &Schema,
    db: &impl ConnectionTrait,
) -> Result<(), DbErr> {
    let dialect = Dialect::of(db)?;
    schema.validate(dialect).map_err(|error| unusable(&error))?;
    match dialect {
        Dialect::Postgres => {}
        Dialect::MySql | Dialect::Sqlite => return Ok(()),
    }
    for table in schema.tables().all().filter(|table| table.schema.is_none()) {
        let name = table.quoted(dialect);
        let ask = Statement::from_sql_and_values(
            dialect.backend(),
            queries::POSTGRES_PLACE,
            [name.into()],
        );
        if let Some(row) = db.query_one_raw(ask).await? {
            let is_in: String = row.try_get_by_index(0)?;
            let first: Option<String> = row.try_get_by_index(1)?;
            return Err(DbErr::Migration(hidden(table, &is_in, first.as_deref())));
        }
    }
    Ok(())
}

pub(super) fn unusable(error: &ConfigError) -> DbErr {
    DbErr::Migration(format!("the Schema cannot be used: {error}"))
}

fn hidden(table: &TableName, is_in: &str, first: Option<&str>) -> String {
    let first = first.unwrap_or("none");
    format!(
        "the table `{}` is in the schema `{is_in}`, but the first schema of the search_path is \
         `{first}`, and a new table there would hide it; choose one of them by `Schema::in_schema`",
        table.name
    )
}
