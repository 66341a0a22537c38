//! The rules that a table must meet. Pure: catalogues in, problems out; the remedies are in
//! `remedy`.

use std::fmt;

use super::expected::{Expected, ExpectedColumn, Holds, ID_LENGTH, TableOf};
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
    expected: &Expected,
    found: &ActualTable,
) -> Vec<Problem> {
    let remedies = Remedies { dialect, table, found, table_of: expected.table_of };
    let wanted = &*expected.columns;
    let mut rules = Rules {
        dialect,
        wanted,
        table_of: expected.table_of,
        found,
        remedies,
        strange: Vec::new(),
        problems: Vec::new(),
    };
    rules.look();
    rules.problems
}

struct Rules<'a> {
    dialect: Dialect,
    wanted: &'a [ExpectedColumn],
    table_of: TableOf,
    found: &'a ActualTable,
    remedies: Remedies<'a>,
    /// The findings that show keys which the sink does not know. With any of them no statement is
    /// suggested: one that makes the table fit could put Clerk's ids into the application's own key.
    strange: Vec<String>,
    problems: Vec<Problem>,
}

impl Rules<'_> {
    fn look(&mut self) {
        if self.found.columns.is_empty() {
            return self.add("the table does not exist", self.remedies.no_table());
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
        self.look_for_strange_keys();
        let (wanted, found) = (self.wanted, self.found);
        let has_strange_keys = !self.strange.is_empty();
        for one in wanted {
            if has_strange_keys && one.holds == Holds::Key {
                continue;
            }
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
                let is_key = column.is_in_primary_key || self.is_unique(column);
                if has_strange_keys && !is_key {
                    self.strange.push(what);
                } else if !has_strange_keys && is_key {
                    self.add(what, self.remedies.with_keys_made());
                } else if !has_strange_keys {
                    self.add(what, self.remedies.without_not_null(column));
                }
            }
        }
        for index in &found.indices {
            self.guard(index);
        }
        if !self.strange.is_empty() {
            let what = std::mem::take(&mut self.strange).join("; ");
            let problem = Problem { what, remedy: self.remedies.by_other_names() };
            self.problems.insert(0, problem);
        }
    }

    /// Looks for keys that the sink does not know: a column of the id that cannot hold Clerk's ids, and
    /// unique columns that the sink does not fill, where the application has not said that they are its
    /// own.
    fn look_for_strange_keys(&mut self) {
        let found = self.found;
        let Some(key) = self.wanted.iter().find(|one| one.holds == Holds::Key) else { return };
        let is_chosen = match self.table_of {
            TableOf::Users { is_id_chosen, .. } => is_id_chosen,
            TableOf::Others => false,
        };
        match found.columns.iter().find(|column| self.is_named(key, &column.name)) {
            Some(column) if !self.is_text(column) => self.strange.push(format!(
                "`{}` is {}, which cannot hold Clerk's ids",
                column.name, column.data_type
            )),
            Some(_) => {}
            // A statement that adds a column to hold Clerk's ids is right where it was asked for.
            None if is_chosen => {}
            None => self.strange.push(format!("`{}` is missing", key.name)),
        }
        if is_chosen {
            return;
        }
        for index in &found.indices {
            if index.guards == Guards::Nothing || !self.is_strange(index) {
                continue;
            }
            self.strange.push(format!(
                "`{}` has the {} `{}`, but the sink does not know and cannot fill it",
                index.columns.join("` and `"),
                kind_of(index),
                index.name
            ));
        }
    }

    /// Returns whether an index is about nothing but columns that the sink does not fill.
    fn is_strange(&self, index: &Index) -> bool {
        let is_column = |name: &String| self.found.columns.iter().any(|one| one.name == *name);
        index.columns.iter().all(|name| is_column(name) && !self.is_known(name))
    }

    fn is_known(&self, name: &str) -> bool {
        self.wanted.iter().any(|one| self.is_named(one, name))
    }

    fn is_unique(&self, column: &Column) -> bool {
        let guards = |index: &&Index| index.guards != Guards::Nothing;
        let mut guards = self.found.indices.iter().filter(guards);
        guards.any(|index| index.columns.contains(&column.name))
    }

    fn column(&mut self, wanted: &ExpectedColumn, column: &Column) {
        let name = &column.name;
        let (is_own, fits) = match wanted.holds {
            Holds::Anything | Holds::PerhapsAnything => (true, true),
            Holds::Flag => (false, self.holds_flag(column)),
            // The sink has a value for each row.
            Holds::OwnKey => (false, true),
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
            is_alone && !index.is_partial && index.guards == Guards::Unique
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
                self.remedies.compared_exactly(&name),
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
        let keys =
            || self.wanted.iter().filter(|one| matches!(one.holds, Holds::Key | Holds::OwnKey));
        let has_key = index.columns.iter().any(|name| keys().any(|key| self.is_named(key, name)));
        // Those of strange columns were found before.
        if has_key || index.guards == Guards::Nothing || self.is_strange(index) {
            return;
        }
        let is_known = |name: &String| self.is_known(name);
        let remedy = if index.columns.iter().any(is_known) {
            DROP.to_owned()
        } else {
            // Of an expression or a prefix it is not known which columns it is about.
            format!(
                "where it is about a column that the sink fills, {DROP}; where it is about another, {}",
                self.remedies.by_other_names()
            )
        };
        self.add(
            format!(
                "`{}` has the {} `{}`, but two of Clerk's users, organizations or memberships \
                 may share a value",
                index.columns.join("` and `"),
                kind_of(index),
                index.name
            ),
            remedy,
        );
    }

    fn is_text(&self, column: &Column) -> bool {
        match self.dialect {
            Dialect::MySql => column.charset.is_some(),
            Dialect::Postgres => {
                ["text", "varchar", "bpchar", "name", "citext"].contains(&&*column.data_type)
            }
            Dialect::Sqlite => is_sqlite_text(&column.data_type),
        }
    }

    fn holds_flag(&self, column: &Column) -> bool {
        match self.dialect {
            Dialect::MySql => column.data_type == "tinyint",
            Dialect::Postgres => column.data_type == "bool",
            // Whatever is declared, a number is stored; as a text it would be no truth value.
            Dialect::Sqlite => !is_sqlite_text(&column.data_type),
        }
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

fn kind_of(index: &Index) -> &'static str {
    match index.guards {
        Guards::Exclusive => "exclusion constraint",
        Guards::Unique | Guards::Nothing => "unique index or constraint",
    }
}

const DROP: &str = "drop it (for a constraint on SQLite, recreate the table without it)";

/// Returns whether a declared type has the affinity of text, by SQLite's own rule.
fn is_sqlite_text(data_type: &str) -> bool {
    let has = |part: &&str| data_type.contains(*part);
    !data_type.contains("int") && ["char", "clob", "text"].iter().any(has)
}
