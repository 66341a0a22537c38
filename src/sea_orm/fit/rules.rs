//! What a table must be like, and how it can be mended. Pure: catalogues in, sentences out.

use std::fmt;

use ::sea_orm::DbBackend;
use ::sea_orm::sea_query::{DynIden, IntoIden};

use super::Extent;
use super::inspect::{Column, Found};
use crate::sea_orm::tables::{TableName, quoted};

/// A column that the sink writes.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    name: DynIden,
    holds: Holds,
    may_be_null: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holds {
    /// The application's own: it knows best.
    Anything,
    Id,
    Key,
    /// The application's own, and it may not be there yet.
    PerhapsAnything,
    Text,
    Time,
}

impl Wanted {
    pub(super) fn key(name: impl IntoIden) -> Self {
        Self { name: name.into_iden(), holds: Holds::Key, may_be_null: false }
    }

    pub(super) fn id(name: impl IntoIden) -> Self {
        Self { name: name.into_iden(), holds: Holds::Id, may_be_null: false }
    }

    pub(super) fn id_or_null(name: impl IntoIden) -> Self {
        Self { name: name.into_iden(), holds: Holds::Id, may_be_null: true }
    }

    pub(super) fn text(name: impl IntoIden) -> Self {
        Self { name: name.into_iden(), holds: Holds::Text, may_be_null: true }
    }

    pub(super) fn time(name: impl IntoIden) -> Self {
        Self { name: name.into_iden(), holds: Holds::Time, may_be_null: false }
    }

    pub(super) fn time_or_null(name: impl IntoIden) -> Self {
        Self { name: name.into_iden(), holds: Holds::Time, may_be_null: true }
    }

    pub(super) fn own(name: DynIden, extent: Extent) -> Self {
        let holds = match extent {
            Extent::Whole => Holds::Anything,
            Extent::WithoutOwnColumns => Holds::PerhapsAnything,
        };
        Self { name, holds, may_be_null: false }
    }
}

/// Something that does not fit.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Problem {
    what: String,
    remedy: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.remedy)
    }
}

pub(super) fn problems(
    backend: DbBackend,
    table: &TableName,
    wanted: &[Wanted],
    found: &Found,
) -> Vec<Problem> {
    let dialect = Dialect { backend, table };
    if found.columns.is_empty() {
        let what = "there is no such table".to_owned();
        return vec![Problem { what, remedy: "run the sink's migrations".to_owned() }];
    }
    let mut problems = Vec::new();
    for one in wanted {
        let column = found.columns.iter().find(|column| column.name == one.name.to_string());
        match column {
            Some(column) => dialect.column(one, column, &mut problems),
            None if one.holds == Holds::PerhapsAnything => {}
            None => problems.push(dialect.missing(one)),
        }
        if one.holds == Holds::Key {
            dialect.key(one, found, &mut problems);
        }
    }
    let is_wanted = |name: &str| wanted.iter().any(|one| one.name.to_string() == name);
    for column in &found.columns {
        if column.is_required && !column.has_default && !is_wanted(&column.name) {
            problems.push(Problem {
                what: format!("{} must be given, and the sink knows nothing of it", column.name),
                remedy: dialect.without_not_null(column),
            });
        }
    }
    for unique in &found.unique {
        let key = wanted.iter().find(|one| one.holds == Holds::Key);
        let is_the_key = |name: &String| key.is_some_and(|key| key.name.to_string() == *name);
        if !unique.columns.iter().any(is_the_key) {
            problems.push(Problem {
                what: format!("{} must be unique", unique.columns.join(" and ")),
                remedy: format!(
                    "drop the index or constraint {}, since two users or things of Clerk's may \
                     share what it guards",
                    unique.name
                ),
            });
        }
    }
    problems
}

struct Dialect<'a> {
    backend: DbBackend,
    table: &'a TableName,
}

impl Dialect<'_> {
    fn column(&self, wanted: &Wanted, column: &Column, problems: &mut Vec<Problem>) {
        let fits = match wanted.holds {
            Holds::Anything | Holds::PerhapsAnything => return,
            Holds::Id | Holds::Key => self.holds_id(column),
            Holds::Text => self.holds_text(column),
            Holds::Time => self.holds_time(column),
        };
        if !fits {
            let length = column.length.map(|length| format!("({length})")).unwrap_or_default();
            let collation = column.collation.as_deref().unwrap_or_default();
            let is = format!("{}{length} {collation}", column.data_type);
            problems.push(Problem {
                what: format!("{} is {}", column.name, is.trim()),
                remedy: self.with_type(wanted),
            });
        } else if wanted.may_be_null && column.is_required {
            problems.push(Problem {
                what: format!("{} may not be null, and Clerk need not tell it", column.name),
                remedy: self.without_not_null(column),
            });
        }
    }

    fn key(&self, wanted: &Wanted, found: &Found, problems: &mut Vec<Problem>) {
        let name = wanted.name.to_string();
        let own = found.unique.iter().find(|unique| *unique.columns == [name.clone()]);
        match own {
            Some(unique) if unique.is_exact => {}
            Some(_) => problems.push(Problem {
                what: format!("{name} is not compared byte for byte"),
                remedy: format!("make the table anew with {name} TEXT COLLATE BINARY PRIMARY KEY"),
            }),
            None => problems.push(Problem {
                what: format!("{name} by itself is not unique"),
                remedy: match self.backend {
                    DbBackend::Sqlite => {
                        let index = self.quoted(&format!("{}_{name}", self.table.name));
                        let (table, name) = (self.name(), self.quoted(&name));
                        format!("CREATE UNIQUE INDEX {index} ON {table} ({name})")
                    }
                    _ => format!("{} ADD PRIMARY KEY ({})", self.alter(), self.quoted(&name)),
                },
            }),
        }
    }

    fn holds_id(&self, column: &Column) -> bool {
        let is_long = column.length.is_none_or(|length| length >= ID_LENGTH);
        match self.backend {
            DbBackend::MySql => {
                let is_exact = column.collation.as_deref().is_some_and(|c| c.ends_with("_bin"));
                column.data_type == "varchar" && is_long && is_exact
            }
            DbBackend::Postgres => ["text", "varchar"].contains(&&*column.data_type) && is_long,
            _ => is_sqlite_text(&column.data_type),
        }
    }

    fn holds_text(&self, column: &Column) -> bool {
        match self.backend {
            DbBackend::MySql => {
                let is_utf8 = |c: &str| c.starts_with("utf8mb4_") || c.starts_with("uca1400_");
                ["text", "mediumtext", "longtext"].contains(&&*column.data_type)
                    && column.collation.as_deref().is_some_and(is_utf8)
            }
            DbBackend::Postgres => {
                ["text", "varchar", "citext"].contains(&&*column.data_type)
                    && column.length.is_none()
            }
            _ => is_sqlite_text(&column.data_type),
        }
    }

    fn holds_time(&self, column: &Column) -> bool {
        match self.backend {
            DbBackend::MySql => ["datetime", "timestamp"].contains(&&*column.data_type),
            DbBackend::Postgres => column.data_type == "timestamptz",
            // Written as text, which every type but these keeps as it is.
            _ => !["int", "real", "floa", "doub"].iter().any(|is| column.data_type.contains(is)),
        }
    }

    fn missing(&self, wanted: &Wanted) -> Problem {
        let name = wanted.name.to_string();
        let remedy = match wanted.holds {
            Holds::Anything | Holds::PerhapsAnything => {
                "add it, or take it out of the Schema".to_owned()
            }
            _ => {
                let null = match (wanted.may_be_null, wanted.holds, self.backend) {
                    (true, ..) => "",
                    // SQLite adds no column with a default that it would have to work out.
                    (_, Holds::Time, DbBackend::Sqlite) => {
                        " NOT NULL DEFAULT '1970-01-01T00:00:00+00:00'"
                    }
                    (_, Holds::Time, _) => " NOT NULL DEFAULT CURRENT_TIMESTAMP",
                    _ => " NOT NULL",
                };
                let (column, its_type) = (self.quoted(&name), self.type_of(wanted));
                format!("{} ADD COLUMN {column} {its_type}{null}", self.alter())
            }
        };
        Problem { what: format!("{name} is missing"), remedy }
    }

    fn with_type(&self, wanted: &Wanted) -> String {
        let (name, its_type) = (self.quoted(&wanted.name.to_string()), self.type_of(wanted));
        match self.backend {
            DbBackend::MySql => {
                let null = if wanted.may_be_null { "" } else { " NOT NULL" };
                format!("{} MODIFY {name} {its_type}{null}", self.alter())
            }
            DbBackend::Postgres => format!("{} ALTER COLUMN {name} TYPE {its_type}", self.alter()),
            _ => format!("make the table anew with {name} {its_type}"),
        }
    }

    fn without_not_null(&self, column: &Column) -> String {
        let name = self.quoted(&column.name);
        match self.backend {
            DbBackend::MySql => {
                format!("{} MODIFY {name} {} NULL", self.alter(), self.full_type(column))
            }
            DbBackend::Postgres => format!("{} ALTER COLUMN {name} DROP NOT NULL", self.alter()),
            _ => format!("make the table anew with {name} {}", column.data_type),
        }
    }

    fn full_type(&self, column: &Column) -> String {
        let length = column.length.filter(|_| column.data_type.ends_with("char"));
        let length = length.map(|length| format!("({length})")).unwrap_or_default();
        let collation = column.collation.as_ref().map(|collation| format!(" COLLATE {collation}"));
        format!("{}{length}{}", column.data_type, collation.unwrap_or_default())
    }

    fn type_of(&self, wanted: &Wanted) -> &'static str {
        match (self.backend, wanted.holds) {
            (DbBackend::MySql, Holds::Id | Holds::Key) => {
                "VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
            }
            (DbBackend::MySql, Holds::Time) => "DATETIME(6)",
            (DbBackend::MySql, _) => "MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
            (DbBackend::Postgres, Holds::Time) => "timestamptz",
            (_, Holds::Time) => "timestamp_with_timezone_text",
            _ => "text",
        }
    }

    fn alter(&self) -> String {
        format!("ALTER TABLE {}", self.name())
    }

    fn name(&self) -> String {
        self.table.quoted(self.backend)
    }

    fn quoted(&self, name: &str) -> String {
        quoted(self.backend, &name.to_owned().into_iden())
    }
}

/// By SQLite's own rule for the affinity of a declared type.
fn is_sqlite_text(data_type: &str) -> bool {
    let has = |part: &&str| data_type.contains(*part);
    !data_type.contains("int") && ["char", "clob", "text"].iter().any(has)
}

const ID_LENGTH: i64 = 255;
