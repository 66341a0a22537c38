//! The rules that a table must meet. Pure: catalogues in, problems out; the remedies are in
//! `remedy`.

use std::fmt;

use super::expected::{ExpectedColumn, Holds, ID_LENGTH};
use super::inspect::{ActualTable, Column, Guards, Index};
use super::remedy::Remedies;
use crate::sea_orm::dialect::Dialect;
use crate::sea_orm::tables::TableName;

/// A property of a table that does not fit, and its remedy.
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
    dialect: Dialect,
    table: &TableName,
    wanted: &[ExpectedColumn],
    found: &ActualTable,
) -> Vec<Problem> {
    let remedies = Remedies { dialect, table, found };
    let mut rules = Rules { dialect, wanted, found, remedies, problems: Vec::new() };
    rules.look();
    rules.problems
}

struct Rules<'a> {
    dialect: Dialect,
    wanted: &'a [ExpectedColumn],
    found: &'a ActualTable,
    remedies: Remedies<'a>,
    problems: Vec<Problem>,
}

impl Rules<'_> {
    fn look(&mut self) {
        if self.found.columns.is_empty() {
            return self.add("the table does not exist", "run the sink's migrations");
        }
        if let Some(instead) = &self.found.instead {
            return self.add(
                format!("it is {instead}, but the sink writes to tables only"),
                "name the table behind it, or another table, in the Schema",
            );
        }
        if let Some(engine) = self.found.engine.as_ref().filter(|is| *is != "InnoDB") {
            self.add(
                format!("its engine is {engine}, but the sink needs InnoDB's transactions"),
                self.remedies.with_innodb(),
            );
        }
        let (wanted, found) = (self.wanted, self.found);
        for one in wanted {
            match found.columns.iter().find(|column| self.is_named(one, &column.name)) {
                Some(column) => self.column(one, column),
                None if one.holds == Holds::PerhapsAnything => {}
                None => {
                    self.add(format!("`{}` is missing", one.name), self.remedies.missing(one));
                }
            }
            if one.holds == Holds::Key {
                self.key(one);
            }
        }
        for column in &found.columns {
            let is_wanted = wanted.iter().any(|one| self.is_named(one, &column.name));
            if column.is_required && !column.has_default && !is_wanted {
                let what = format!(
                    "`{}` is required and has no default, but the sink does not fill it",
                    column.name
                );
                self.add(what, self.remedies.without_not_null(column));
            }
        }
        for index in &found.indices {
            self.guard(index);
        }
    }

    fn column(&mut self, wanted: &ExpectedColumn, column: &Column) {
        let name = &column.name;
        let (is_own, fits) = match wanted.holds {
            Holds::Anything | Holds::PerhapsAnything => (true, true),
            Holds::Id | Holds::Key => (false, self.holds_id(column)),
            Holds::Text => (false, self.holds_text(column)),
            Holds::Time => (false, self.holds_time(column)),
        };
        if column.is_generated {
            let what = format!("`{name}` is generated, but the sink must write to it");
            self.add(what, self.remedies.not_generated(column));
        } else if !fits {
            let length = column.length.map(|length| format!("({length})")).unwrap_or_default();
            let collation = column.collation.as_deref().unwrap_or_default();
            let is = format!("{}{length} {collation}", column.data_type);
            self.add(
                format!("`{name}` is {}, which does not fit what the sink writes", is.trim()),
                self.remedies.with_type(wanted, column),
            );
        } else if is_own {
            if column.is_required && !column.has_default {
                let what = format!(
                    "`{name}` is required and has no default, but the sink has no value for a user \
                     known before any event"
                );
                self.add(what, self.remedies.without_not_null(column));
            }
        } else if wanted.may_be_null && column.is_required {
            let what =
                format!("`{name}` does not allow NULL, but the sink may have no value for it");
            self.add(what, self.remedies.without_not_null(column));
        } else if wanted.holds == Holds::Time && !wanted.may_be_null && !column.is_required {
            let what = format!("`{name}` allows NULL, but every row must have a time there");
            self.add(what, self.remedies.with_not_null(column));
        }
    }

    fn key(&mut self, wanted: &ExpectedColumn) {
        let name = wanted.name.to_string();
        let own = self.found.indices.iter().filter(|index| {
            let is_alone = matches!(&*index.columns, [one] if self.is_named(wanted, one));
            is_alone && index.guards == Guards::Unique
        });
        let rank = |index: &&Index| (index.is_broken, index.is_deferrable, !index.is_exact);
        match own.min_by_key(rank) {
            Some(index) if index.is_broken => {
                self.add(
                    format!(
                        "the unique index `{}` is invalid: its creation failed or has not finished",
                        index.name
                    ),
                    self.remedies.reindex(index),
                );
            }
            Some(index) if index.is_deferrable => self.add(
                format!(
                    "`{name}` is unique only by the deferrable constraint `{}`, but the sink needs \
                     one that is checked at once",
                    index.name
                ),
                self.remedies.not_deferrable(index, &name),
            ),
            Some(index) if !index.is_exact && self.dialect == Dialect::Sqlite => self.add(
                format!(
                    "`{name}` is not compared byte for byte, so that different ids may be equal"
                ),
                format!("recreate the table with `{name} TEXT COLLATE BINARY PRIMARY KEY`"),
            ),
            // Elsewhere it is the column's collation, which `column` has reported.
            Some(_) => {}
            None => {
                self.add(
                    format!("`{name}` is not unique by itself, but the sink finds rows by it"),
                    self.remedies.unique(&name),
                );
            }
        }
    }

    /// Reports an index without the key that keeps rows apart.
    fn guard(&mut self, index: &Index) {
        let key = self.wanted.iter().find(|one| one.holds == Holds::Key);
        let has_key =
            key.is_some_and(|key| index.columns.iter().any(|name| self.is_named(key, name)));
        let what = match index.guards {
            _ if has_key => return,
            Guards::Nothing => return,
            Guards::Exclusive => "exclusion constraint",
            Guards::Unique => "unique index or constraint",
        };
        self.add(
            format!(
                "`{}` has the {what} `{}`, but two of Clerk's users, organizations or memberships \
                 may share a value",
                index.columns.join("` and `"),
                index.name
            ),
            "drop it (for a constraint on SQLite, recreate the table without it)",
        );
    }

    fn holds_id(&self, column: &Column) -> bool {
        let is_long = column.length.is_none_or(|length| length >= ID_LENGTH);
        match self.dialect {
            Dialect::MySql => {
                let is_exact = column.collation.as_deref().is_some_and(|c| c.ends_with("_bin"));
                column.data_type == "varchar" && is_long && is_exact
            }
            Dialect::Postgres => {
                let is_text = ["text", "varchar"].contains(&&*column.data_type);
                is_text && is_long && column.is_exact
            }
            Dialect::Sqlite => is_sqlite_text(&column.data_type),
        }
    }

    fn holds_text(&self, column: &Column) -> bool {
        match self.dialect {
            Dialect::MySql => {
                let is_long = ["text", "mediumtext", "longtext"].contains(&&*column.data_type);
                is_long && column.charset.as_deref() == Some("utf8mb4")
            }
            Dialect::Postgres => {
                ["text", "varchar", "citext"].contains(&&*column.data_type)
                    && column.length.is_none()
            }
            Dialect::Sqlite => is_sqlite_text(&column.data_type),
        }
    }

    fn holds_time(&self, column: &Column) -> bool {
        match self.dialect {
            // Its `TIMESTAMP` holds nothing before 1970 or after 2038.
            Dialect::MySql => column.data_type == "datetime",
            Dialect::Postgres => column.data_type == "timestamptz",
            // Times are written as text, which every type but these stores unchanged.
            Dialect::Sqlite => {
                !["int", "real", "floa", "doub"].iter().any(|is| column.data_type.contains(is))
            }
        }
    }

    fn is_named(&self, wanted: &ExpectedColumn, name: &str) -> bool {
        self.dialect.is_same_name(&wanted.name.to_string(), name)
    }

    fn add(&mut self, what: impl Into<String>, remedy: impl Into<String>) {
        self.problems.push(Problem { what: what.into(), remedy: remedy.into() });
    }
}

/// Returns whether a declared type has the affinity of text, by SQLite's own rule.
fn is_sqlite_text(data_type: &str) -> bool {
    let has = |part: &&str| data_type.contains(*part);
    !data_type.contains("int") && ["char", "clob", "text"].iter().any(has)
}
