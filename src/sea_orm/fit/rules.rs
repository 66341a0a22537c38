//! What a table must be like. Pure: catalogues in, sentences out; how to mend it is in `remedy`.

use std::fmt;

use ::sea_orm::DbBackend;

use super::expected::{ExpectedColumn, Holds, ID_LENGTH};
use super::inspect::{ActualTable, Column, Guards, Index};
use super::remedy::Remedies;
use crate::sea_orm::schema::is_same_name;
use crate::sea_orm::tables::TableName;

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
    wanted: &[ExpectedColumn],
    found: &ActualTable,
) -> Vec<Problem> {
    let remedies = Remedies { backend, table, found };
    let mut rules = Rules { backend, wanted, found, remedies, problems: Vec::new() };
    rules.look();
    rules.problems
}

struct Rules<'a> {
    backend: DbBackend,
    wanted: &'a [ExpectedColumn],
    found: &'a ActualTable,
    remedies: Remedies<'a>,
    problems: Vec<Problem>,
}

impl Rules<'_> {
    fn look(&mut self) {
        if self.found.columns.is_empty() {
            return self.add("there is no such table", "run the sink's migrations");
        }
        if let Some(instead) = &self.found.instead {
            return self.add(
                format!("it is {instead}"),
                "the sink writes tables alone; name the one behind it, or another one",
            );
        }
        if let Some(engine) = self.found.engine.as_ref().filter(|is| *is != "InnoDB") {
            self.add(
                format!("its engine is {engine}, and the sink needs InnoDB's transactions"),
                self.remedies.with_innodb(),
            );
        }
        let (wanted, found) = (self.wanted, self.found);
        for one in wanted {
            match found.columns.iter().find(|column| self.is_named(one, &column.name)) {
                Some(column) => self.column(one, column),
                None if one.holds == Holds::PerhapsAnything => {}
                None => {
                    self.add(format!("{} is missing", one.name), self.remedies.missing(one));
                }
            }
            if one.holds == Holds::Key {
                self.key(one);
            }
        }
        for column in &found.columns {
            let is_wanted = wanted.iter().any(|one| self.is_named(one, &column.name));
            if column.is_required && !column.has_default && !is_wanted {
                let what =
                    format!("{} must be given, and the sink knows nothing of it", column.name);
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
            let what = format!("{name} is generated, and the sink gives it a value");
            self.add(what, self.remedies.not_generated(column));
        } else if !fits {
            let length = column.length.map(|length| format!("({length})")).unwrap_or_default();
            let collation = column.collation.as_deref().unwrap_or_default();
            let is = format!("{}{length} {collation}", column.data_type);
            self.add(format!("{name} is {}", is.trim()), self.remedies.with_type(wanted, column));
        } else if is_own {
            if column.is_required && !column.has_default {
                let what =
                    format!("{name} must be given, and a user ahead of every event has none");
                self.add(what, self.remedies.without_not_null(column));
            }
        } else if wanted.may_be_null && column.is_required {
            let what = format!("{name} may not be null, and Clerk need not tell it");
            self.add(what, self.remedies.without_not_null(column));
        } else if wanted.holds == Holds::Time && !wanted.may_be_null && !column.is_required {
            let what = format!("{name} may be null, and whoever reads a row wants a time");
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
                    format!("the index {} is broken", index.name),
                    self.remedies.reindex(index),
                );
            }
            Some(index) if index.is_deferrable => self.add(
                format!("{name} is unique only at the end of a transaction"),
                self.remedies.not_deferrable(index, &name),
            ),
            Some(index) if !index.is_exact && self.backend == DbBackend::Sqlite => self.add(
                format!("{name} is not compared byte for byte"),
                format!("make the table anew with {name} TEXT COLLATE BINARY PRIMARY KEY"),
            ),
            // Elsewhere it is the column's collation, which was told of.
            Some(_) => {}
            None => {
                self.add(format!("{name} by itself is not unique"), self.remedies.unique(&name));
            }
        }
    }

    /// Nothing but the key may keep rows apart.
    fn guard(&mut self, index: &Index) {
        let key = self.wanted.iter().find(|one| one.holds == Holds::Key);
        let has_key =
            key.is_some_and(|key| index.columns.iter().any(|name| self.is_named(key, name)));
        let what = match index.guards {
            _ if has_key => return,
            Guards::Nothing => return,
            Guards::Exclusive => "must exclude each other",
            Guards::Unique => "must be unique",
        };
        self.add(
            format!("{} {what}", index.columns.join(" and ")),
            format!(
                "drop the index or constraint {}, since two users or things of Clerk's may share \
                 what it guards",
                index.name
            ),
        );
    }

    fn holds_id(&self, column: &Column) -> bool {
        let is_long = column.length.is_none_or(|length| length >= ID_LENGTH);
        match self.backend {
            DbBackend::MySql => {
                let is_exact = column.collation.as_deref().is_some_and(|c| c.ends_with("_bin"));
                column.data_type == "varchar" && is_long && is_exact
            }
            DbBackend::Postgres => {
                let is_text = ["text", "varchar"].contains(&&*column.data_type);
                is_text && is_long && column.is_exact
            }
            _ => is_sqlite_text(&column.data_type),
        }
    }

    fn holds_text(&self, column: &Column) -> bool {
        match self.backend {
            DbBackend::MySql => {
                let is_long = ["text", "mediumtext", "longtext"].contains(&&*column.data_type);
                is_long && column.charset.as_deref() == Some("utf8mb4")
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
            // Its `TIMESTAMP` holds nothing before 1970 or after 2038.
            DbBackend::MySql => column.data_type == "datetime",
            DbBackend::Postgres => column.data_type == "timestamptz",
            // Written as text, which every type but these keeps as it is.
            _ => !["int", "real", "floa", "doub"].iter().any(|is| column.data_type.contains(is)),
        }
    }

    fn is_named(&self, wanted: &ExpectedColumn, name: &str) -> bool {
        is_same_name(self.backend, &wanted.name.to_string(), name)
    }

    fn add(&mut self, what: impl Into<String>, remedy: impl Into<String>) {
        self.problems.push(Problem { what: what.into(), remedy: remedy.into() });
    }
}

/// By SQLite's own rule for the affinity of a declared type.
fn is_sqlite_text(data_type: &str) -> bool {
    let has = |part: &&str| data_type.contains(*part);
    !data_type.contains("int") && ["char", "clob", "text"].iter().any(has)
}
