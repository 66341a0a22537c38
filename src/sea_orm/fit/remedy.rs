//! Remedies that lose no data: a statement where there is one, otherwise instructions.

use ::sea_orm::sea_query::IntoIden as _;

use super::definition::Definition;
use super::expected::{ExpectedColumn, Holds, ID_LENGTH, TableOf};
use super::inspect::{ActualTable, Column, Index};
use crate::sea_orm::dialect::Dialect;
use crate::sea_orm::tables::TableName;

pub(super) struct Remedies<'a> {
    pub(super) dialect: Dialect,
    pub(super) table: &'a TableName,
    pub(super) found: &'a ActualTable,
    pub(super) table_of: TableOf,
}

impl Remedies<'_> {
    pub(super) fn no_table(&self) -> &'static str {
        if self.is_of_the_application() {
            "the Schema says that the application makes it, since Clerk's id is not its only key: \
             create it in the application's own migrations, before those of the sink"
        } else {
            "run the sink's migrations"
        }
    }

    /// Returns the ways to fill a key of the application.
    pub(super) fn with_keys_made(&self) -> &'static str {
        match self.table_of {
            TableOf::Users { .. } => {
                "give it a default that makes a key, or make its keys by `Schema::own_key`"
            }
            TableOf::Others => "give it a default that makes a key",
        }
    }

    /// Returns the ways to keep users beside keys that the sink does not know.
    pub(super) fn by_other_names(&self) -> String {
        let (name, table) = match self.table_of {
            TableOf::Users { .. } => (
                "name the column that holds Clerk's ids by `Schema::user_column_named(user::Column::Id, \
                 …)`; or ",
                "users_table",
            ),
            TableOf::Others => ("", "with_organizations_in"),
        };
        format!(
            "{name}leave this table as it is, give the sink one of its own by `Schema::{table}`, and \
             write to this one in an `InTransaction`"
        )
    }

    fn is_of_the_application(&self) -> bool {
        matches!(self.table_of, TableOf::Users { is_of_the_application: true, .. })
    }

    pub(super) fn missing(&self, wanted: &ExpectedColumn) -> String {
        if matches!(wanted.holds, Holds::Anything | Holds::PerhapsAnything) {
            return "add the column, or remove its `user_column` from the Schema".to_owned();
        }
        if wanted.holds == Holds::OwnKey {
            return "add the column, or remove its `own_key` from the Schema".to_owned();
        }
        let null = match (wanted.may_be_null, wanted.holds, self.dialect) {
            (true, ..) => "",
            // Of the rows that are there, the sink knows no id.
            (_, Holds::Key, _) => "",
            // SQLite adds no column with a computed default.
            (_, Holds::Time, Dialect::Sqlite) => " NOT NULL DEFAULT '1970-01-01T00:00:00+00:00'",
            (_, Holds::Time, Dialect::MySql) => " NOT NULL DEFAULT CURRENT_TIMESTAMP(6)",
            (_, Holds::Time, Dialect::Postgres) => " NOT NULL DEFAULT CURRENT_TIMESTAMP",
            (_, Holds::Flag | Holds::Id | Holds::Text, _)
            | (_, Holds::Anything | Holds::OwnKey | Holds::PerhapsAnything, _) => " NOT NULL",
        };
        let (column, its_type) = (self.quoted(&wanted.name.to_string()), self.type_of(wanted));
        format!("{} ADD COLUMN {column} {its_type}{null}", self.alter())
    }

    pub(super) fn unique(&self, name: &str) -> String {
        let column = self.quoted(name);
        if self.dialect == Dialect::Sqlite {
            let index = self.quoted(&format!("{}_{name}", self.table.name));
            return format!("CREATE UNIQUE INDEX {index} ON {} ({column})", self.name());
        }
        let has_primary_key = self.found.columns.iter().any(|column| column.is_in_primary_key);
        if has_primary_key || self.is_of_the_application() {
            return format!("{} ADD UNIQUE ({column})", self.alter());
        }
        format!("{} ADD PRIMARY KEY ({column})", self.alter())
    }

    /// Returns the remedy on SQLite for a key that is not compared byte for byte.
    pub(super) fn compared_exactly(&self, name: &str) -> String {
        let key = if self.is_of_the_application() { "UNIQUE" } else { "PRIMARY KEY" };
        format!("recreate the table with `{name} TEXT COLLATE BINARY {key}`")
    }

    pub(super) fn not_deferrable(&self, index: &Index, name: &str) -> String {
        let (index, column) = (self.quoted(&index.name), self.quoted(name));
        format!("{} DROP CONSTRAINT {index}, ADD UNIQUE ({column})", self.alter())
    }

    pub(super) fn reindex(&self, index: &Index) -> String {
        let index =
            TableName { schema: self.table.schema.clone(), name: index.name.clone().into_iden() };
        format!("REINDEX INDEX {}", index.quoted(self.dialect))
    }

    pub(super) fn with_innodb(&self) -> String {
        format!("{} ENGINE = InnoDB", self.alter())
    }

    pub(super) fn not_generated(&self, column: &Column) -> String {
        let name = &column.name;
        format!("make `{name}` an ordinary column, or name another table in the Schema")
    }

    pub(super) fn without_not_null(&self, column: &Column) -> String {
        let name = &column.name;
        if column.is_in_primary_key {
            return format!("remove `{name}` from the primary key, and allow NULL in it");
        }
        if let Some(domain) = &column.required_by {
            return format!(
                "give `{name}` a type that allows NULL, which the domain {domain} does not"
            );
        }
        match self.dialect {
            Dialect::MySql => self.modify(column, Definition::nullable),
            Dialect::Postgres => {
                format!("{} ALTER COLUMN {} DROP NOT NULL", self.alter(), self.quoted(name))
            }
            Dialect::Sqlite => format!(
                "SQLite cannot change a column; recreate the table with `{name} {}`, without NOT \
                 NULL",
                column.data_type
            ),
        }
    }

    pub(super) fn with_not_null(&self, column: &Column) -> String {
        let name = &column.name;
        match self.dialect {
            // Without this mode, MySQL replaces a NULL by a time of its own instead of refusing.
            Dialect::MySql => format!(
                "SET sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES'); {}{FILLED}",
                self.modify(column, Definition::required)
            ),
            Dialect::Postgres => {
                let name = self.quoted(name);
                format!("{} ALTER COLUMN {name} SET NOT NULL{FILLED}", self.alter())
            }
            Dialect::Sqlite => format!(
                "SQLite cannot change a column; recreate the table with `{name} {} NOT NULL`",
                column.data_type
            ),
        }
    }

    /// Returns a statement only where every value stays the same.
    pub(super) fn with_type(&self, wanted: &ExpectedColumn, column: &Column) -> String {
        let name = self.quoted(&column.name);
        match self.dialect {
            Dialect::MySql => self.with_mysql_type(wanted, column),
            Dialect::Postgres => match postgres_type(wanted, column, &name) {
                Some(its_type) => format!("{} ALTER COLUMN {name} TYPE {its_type}", self.alter()),
                None => self.beside(wanted, column),
            },
            Dialect::Sqlite => format!(
                "SQLite cannot change a column; recreate the table with `{name} {}`",
                self.type_of(wanted)
            ),
        }
    }

    fn with_mysql_type(&self, wanted: &ExpectedColumn, column: &Column) -> String {
        let is_text = column.charset.is_some()
            && ["char", "varchar", "tinytext", "text", "mediumtext", "longtext"]
                .contains(&&*column.data_type);
        let its_type = match wanted.holds {
            Holds::Flag => return self.beside(wanted, column),
            Holds::Time => match &*column.data_type {
                "timestamp" | "date" => self.type_of(wanted).to_owned(),
                _ => return self.beside(wanted, column),
            },
            _ if !is_text => return self.beside(wanted, column),
            Holds::Id | Holds::Key if column.data_type.ends_with("char") => {
                let length = column.length.unwrap_or_default().max(ID_LENGTH);
                format!("VARCHAR({length}) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
            }
            Holds::Id | Holds::Key => return self.beside(wanted, column),
            _ => {
                let its_own = column.collation.as_deref();
                let kept = its_own.filter(|_| column.charset.as_deref() == Some("utf8mb4"));
                let long = if column.data_type == "longtext" { "LONGTEXT" } else { "MEDIUMTEXT" };
                let collation = kept.unwrap_or("utf8mb4_bin");
                format!("{long} CHARACTER SET utf8mb4 COLLATE {collation}")
            }
        };
        let change = |definition: Definition| {
            // A time that the column sets by itself must have as many digits as its type.
            let precision = definition.own_precision().map(|digits| match digits {
                "" => "DATETIME".to_owned(),
                digits => format!("DATETIME({digits})"),
            });
            let its_type = match (wanted.holds, precision) {
                (Holds::Time, Some(precision)) => precision,
                _ => its_type.clone(),
            };
            let definition = definition.with_type(its_type);
            match wanted.holds {
                // People who are not at Clerk have no id of Clerk's.
                Holds::Key => definition,
                _ if wanted.may_be_null => definition.nullable(),
                _ => definition.required(),
            }
        };
        let modify = self.modify(column, change);
        if wanted.holds == Holds::Time {
            return format!("SET time_zone = '+00:00'; {modify} -- UTC, as the sink reads it");
        }
        let is_long = wanted.holds == Holds::Text;
        let index = self.found.indices.iter().find(|index| index.columns.contains(&column.name));
        match index.filter(|_| is_long) {
            Some(index) => format!(
                "drop the index `{}`, or limit it to a prefix of the text; then run {modify}",
                index.name
            ),
            None => modify,
        }
    }

    /// Returns the statement that changes a column, which MySQL does by its whole definition.
    fn modify(&self, column: &Column, change: impl FnOnce(Definition) -> Definition) -> String {
        let name = &column.name;
        match column.definition.as_deref().and_then(Definition::read) {
            Some(definition) => {
                let changed = change(definition).text();
                format!("{} MODIFY {} {changed}", self.alter(), self.quoted(name))
            }
            None => format!(
                "change `{name}` by ALTER TABLE … MODIFY, and repeat all else that SHOW CREATE \
                 TABLE has in its definition"
            ),
        }
    }

    fn beside(&self, wanted: &ExpectedColumn, column: &Column) -> String {
        format!(
            "its values cannot be converted to {} by a statement; rename this column and add a new \
             `{}` for the sink, or name another column or table in the Schema",
            self.type_of(wanted),
            column.name
        )
    }

    fn type_of(&self, wanted: &ExpectedColumn) -> &'static str {
        match (self.dialect, wanted.holds) {
            (Dialect::MySql, Holds::Id | Holds::Key) => {
                "VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
            }
            (_, Holds::Flag) => "BOOLEAN",
            (Dialect::MySql, Holds::Time) => "DATETIME(6)",
            (Dialect::MySql, _) => "MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
            (Dialect::Postgres, Holds::Time) => "timestamptz",
            (Dialect::Sqlite, Holds::Time) => "timestamp_with_timezone_text",
            (Dialect::Postgres | Dialect::Sqlite, _) => "text",
        }
    }

    fn alter(&self) -> String {
        format!("ALTER TABLE {}", self.name())
    }

    fn name(&self) -> String {
        self.table.quoted(self.dialect)
    }

    fn quoted(&self, name: &str) -> String {
        self.dialect.quoted(&name.to_owned().into_iden())
    }
}

fn postgres_type(wanted: &ExpectedColumn, column: &Column, name: &str) -> Option<String> {
    if wanted.holds == Holds::Time {
        let cast = match &*column.data_type {
            "timestamp" => "",
            "date" => "::timestamp",
            _ => return None,
        };
        return Some(format!(
            "timestamptz USING {name}{cast} AT TIME ZONE 'UTC' -- takes the old values for UTC"
        ));
    }
    let can_be_text = ["text", "varchar", "bpchar", "name", "citext", "uuid"];
    if wanted.holds == Holds::Flag || !can_be_text.contains(&&*column.data_type) {
        return None;
    }
    let is_kept = column.is_exact || wanted.holds == Holds::Text;
    Some(match &column.collation {
        Some(collation) if is_kept => format!("text COLLATE {collation}"),
        _ => "text".to_owned(),
    })
}

const FILLED: &str = " -- once no row lacks it";
