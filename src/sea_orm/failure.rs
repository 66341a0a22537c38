//! What the database's failures mean. The only file that knows the drivers' codes.

use ::sea_orm::sqlx::error::DatabaseError;
use ::sea_orm::{DbErr, RuntimeErr, SqlxError};

use crate::webhook::SinkError;

/// Whether the same statements may work later as they are: the database is away, busy, read-only
/// for now, or gave this transaction up in favour of another.
#[must_use]
pub fn is_transient(error: &DbErr) -> bool {
    match error {
        DbErr::Conn(_) | DbErr::ConnectionAcquire(_) => true,
        error => match driver_error(error) {
            Some(SqlxError::Database(error)) => is_listed(&**error, &PASSING),
            Some(error) => matches!(
                error,
                SqlxError::Io(_)
                    | SqlxError::PoolClosed
                    | SqlxError::PoolTimedOut
                    | SqlxError::WorkerCrashed
            ),
            None => false,
        },
    }
}

/// Whether the transaction lost against another one and may be tried again at once.
pub(super) fn is_conflict(error: &DbErr) -> bool {
    matches!(driver_error(error), Some(SqlxError::Database(error)) if is_listed(&**error, &CONFLICTS))
}

/// What a sink says of a failure: another try is of use, or it is not.
#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
pub(super) fn sink_error(error: DbErr) -> SinkError {
    match is_lasting(&error) {
        true => SinkError::permanent(told(&error)),
        false => SinkError::transient(told(&error)),
    }
}

/// The failure in words, for the log: without what some databases quote of the data.
fn told(error: &DbErr) -> String {
    match driver_error(error) {
        Some(SqlxError::Database(error)) => {
            let text = error.to_string();
            if is_listed(&**error, &QUOTING) { without_quotation(&text) } else { text }
        }
        _ => error.to_string(),
    }
}

/// `Duplicate entry 'x' for key 'y'` of MySQL's, and `invalid input syntax for type z: "x"` of
/// PostgreSQL's: without the x, whatever quotes it has in it.
fn without_quotation(text: &str) -> String {
    let Some((before, quoted)) = text.split_once(['\'', '"']) else { return text.to_owned() };
    let after = quoted.rfind("' for ").and_then(|end| quoted.get(end + 1..)).unwrap_or_default();
    format!("{before}…{after}")
}

/// Whether the database itself refuses, and will again: a missing table, a constraint, a type.
fn is_lasting(error: &DbErr) -> bool {
    matches!(driver_error(error), Some(SqlxError::Database(_))) && !is_transient(error)
}

/// Whether a row with the same key is there already.
pub(super) fn is_duplicate(error: &DbErr) -> bool {
    matches!(driver_error(error), Some(SqlxError::Database(error)) if error.is_unique_violation())
}

fn driver_error(error: &DbErr) -> Option<&SqlxError> {
    match error {
        DbErr::Conn(RuntimeErr::SqlxError(error))
        | DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error)) => Some(error),
        _ => None,
    }
}

/// Codes, or how they begin.
struct Codes {
    /// Of PostgreSQL and MySQL, five characters each.
    sqlstate: &'static [&'static str],
    /// MySQL's and MariaDB's own numbers, where the standard has no code.
    mysql: &'static [u32],
    /// SQLite's, without the variant in the upper bits.
    sqlite: &'static [u32],
}

/// Connection lost (08), read-only (25006), idle or open too long (25P03, 25P04), transaction given
/// up (40), resources (53), operator
/// (57, with PostgreSQL's statement timeout), lock timeout, system (58), MySQL's interruption.
const PASSING: Codes = Codes {
    sqlstate: &["08", "25006", "25P03", "25P04", "40", "53", "55P03", "57", "58", "70100"],
    // Disk full, out of memory, record changed, lock timeout and table full of locks, read-only,
    // read-only mode, statement timeout of MySQL.
    mysql: &[1020, 1021, 1041, 1205, 1206, 1290, 1836, 3024],
    // Busy, locked, read-only, input or output, full, cannot open.
    sqlite: &[5, 6, 8, 10, 13, 14],
};

/// Whose texts quote values: data exceptions (22), and MySQL's duplicates, wrong times and texts.
const QUOTING: Codes = Codes { sqlstate: &["22", "23000"], mysql: &[1366], sqlite: &[] };

/// Serialisation failure and deadlock; on MySQL also a lock that was not to be had.
const CONFLICTS: Codes =
    Codes { sqlstate: &["40001", "40P01"], mysql: &[1020, 1205, 1213], sqlite: &[5, 6] };

fn is_listed(error: &dyn DatabaseError, codes: &Codes) -> bool {
    let Some(code) = error.code() else { return false };
    if code.len() != SQLSTATE_LENGTH {
        let code = code.parse::<u32>();
        return code.is_ok_and(|code| codes.sqlite.contains(&(code & 0xff)));
    }
    codes.sqlstate.iter().any(|listed| code.starts_with(listed))
        || (code == MYSQL_GENERAL
            && mysql_number(&error.to_string()).is_some_and(|code| codes.mysql.contains(&code)))
}

/// The driver for MySQL writes the number first. It would tell it, too, but only to those who
/// depend on that driver.
fn mysql_number(text: &str) -> Option<u32> {
    text.split_once(' ')?.0.parse().ok()
}

/// SQLite's codes are numbers below 10000.
const SQLSTATE_LENGTH: usize = 5;
/// What MySQL gives where the standard has no code.
const MYSQL_GENERAL: &str = "HY000";

#[cfg(test)]
mod tests {
    use super::without_quotation;

    #[test]
    fn what_a_database_quotes_of_the_data_is_left_out() {
        for (text, told) in [
            (
                "1062 (23000): Duplicate entry 'ann's' for key 'x@example.com' for key 'u'",
                "1062 (23000): Duplicate entry … for key 'u'",
            ),
            (
                "1366 (22007): Incorrect integer value: 'canary' for column `d`.`t`.`c` at row 1",
                "1366 (22007): Incorrect integer value: … for column `d`.`t`.`c` at row 1",
            ),
            (
                "invalid input syntax for type uuid: \"canary\"",
                "invalid input syntax for type uuid: …",
            ),
            (
                "value too long for type character varying(3)",
                "value too long for type character varying(3)",
            ),
        ] {
            assert_eq!(without_quotation(text), told);
        }
    }
}
