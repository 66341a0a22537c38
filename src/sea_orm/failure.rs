//! The classification of database failures. The only file that knows the drivers' codes.

use ::sea_orm::sqlx::error::DatabaseError;
use ::sea_orm::{DbErr, RuntimeErr, SqlxError};

use crate::webhook::SinkError;

/// Returns whether the same statements may succeed later.
///
/// They may if the database is unreachable, busy, shutting down, read-only for now, or out of a
/// resource such as disk space or memory; if a lock or a statement took too long; and if the
/// transaction was given up in favour of another. An error that neither the database nor its driver
/// reported is not transient, for example an application's own [`DbErr::Custom`].
#[must_use]
pub fn is_transient(error: &DbErr) -> bool {
    match error {
        DbErr::Conn(_) | DbErr::ConnectionAcquire(_) => true,
        error => match driver_error(error) {
            Some(SqlxError::Database(error)) => is_listed(&**error, &TRANSIENT),
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

/// Returns whether the transaction lost against another one and may be retried at once.
pub(super) fn is_conflict(error: &DbErr) -> bool {
    matches!(driver_error(error), Some(SqlxError::Database(error)) if is_listed(&**error, &CONFLICTS))
}

/// Returns why the connection that an error came from is out of date, if it says so.
pub(super) fn outdated(error: &DbErr) -> Option<Outdated> {
    let Some(SqlxError::Database(error)) = driver_error(error) else { return None };
    if is_listed(&**error, &READ_ONLY) {
        return Some(Outdated::ReadOnly);
    }
    is_listed(&**error, &OTHER_TYPES).then_some(Outdated::Statements)
}

/// The reason why a connection is out of date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outdated {
    /// Its server is read-only, and no longer the one to write to.
    ReadOnly,
    /// Its prepared statements return other types than when they were prepared.
    Statements,
}

impl Outdated {
    #[cfg_attr(
        not(any(feature = "tracing", feature = "metrics")),
        expect(dead_code, reason = "only an event and a metric name it")
    )]
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::ReadOnly => "read_only",
            Self::Statements => "statements",
        }
    }
}

/// Converts an error to a permanent one of the sink if the database itself refuses the statement,
/// and to a transient one otherwise: also an application's own error, for which [`is_transient`]
/// returns false.
#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
pub(super) fn sink_error(error: DbErr) -> SinkError {
    match is_permanent(&error) {
        true => SinkError::permanent(text_for_log(&error)),
        false => SinkError::transient(text_for_log(&error)),
    }
}

/// Returns the failure's text for the log, without the data that some databases quote.
pub(super) fn text_for_log(error: &DbErr) -> String {
    match driver_error(error) {
        Some(SqlxError::Database(error)) => {
            let text = text_of(&**error);
            if is_listed(&**error, &QUOTING) { without_quotation(&text) } else { text }
        }
        _ => error.to_string(),
    }
}

/// Returns an error's text, on PostgreSQL without the line of the server's source that the driver adds.
fn text_of(error: &dyn DatabaseError) -> String {
    let text = error.to_string();
    if text.starts_with(error.message()) { error.message().to_owned() } else { text }
}

/// Removes the `x`, whatever quotes it contains, from MySQL's `Duplicate entry 'x' for key 'y'` and
/// PostgreSQL's `invalid input syntax for type z: "x"`.
fn without_quotation(text: &str) -> String {
    let Some((before, quoted)) = text.split_once(['\'', '"']) else { return text.to_owned() };
    let after = quoted.rfind("' for ").and_then(|end| quoted.get(end + 1..)).unwrap_or_default();
    format!("{before}…{after}")
}

/// Returns whether the failure is permanent: the database itself refuses the statement, because of
/// a missing table, a constraint or a type.
fn is_permanent(error: &DbErr) -> bool {
    is_from_the_server(error) && !is_transient(error)
}

/// Returns whether a constraint refuses a statement: a foreign key that refers to a row, also by what a
/// deletion would do to other rows; a column that is required; a CHECK.
pub(super) fn is_of_constraint(error: &DbErr) -> bool {
    matches!(driver_error(error), Some(SqlxError::Database(error)) if is_listed(&**error, &CONSTRAINTS))
}

/// Returns the name of the constraint that an error is about, where the driver tells it.
#[cfg_attr(not(feature = "tracing"), expect(dead_code, reason = "only an event names it"))]
pub(super) fn constraint(error: &DbErr) -> Option<&str> {
    match driver_error(error) {
        Some(SqlxError::Database(error)) => error.constraint(),
        _ => None,
    }
}

/// Returns whether the database refuses the data of a row: a value that does not fit, or a constraint.
pub(super) fn is_of_data(error: &DbErr) -> bool {
    matches!(driver_error(error), Some(SqlxError::Database(error)) if is_listed(&**error, &DATA))
}

/// Returns whether the database itself reported the error, and not its driver or a connection.
pub(super) fn is_from_the_server(error: &DbErr) -> bool {
    matches!(driver_error(error), Some(SqlxError::Database(_)))
}

/// Returns whether a row with the same key exists already.
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

/// Error codes, or their prefixes.
struct Codes {
    /// SQLSTATEs of PostgreSQL and MySQL, of five characters each.
    sqlstate: &'static [&'static str],
    /// MySQL's and MariaDB's own numbers, for errors that the standard has no code for.
    mysql: &'static [u32],
    /// SQLite's codes, without the variant in the upper bits.
    sqlite: &'static [u32],
}

/// Transient failures: connection lost (08), read-only (25006), idle or open too long (25P03,
/// 25P04), transaction given up (40), resources (53), operator (57, with PostgreSQL's statement
/// timeout), lock timeout, system (58), MySQL's interruption.
const TRANSIENT: Codes = Codes {
    sqlstate: &["08", "25006", "25P03", "25P04", "40", "53", "55P03", "57", "58", "70100"],
    // Disk full, out of memory, record changed, lock timeout and table full of locks, read-only,
    // read-only mode, statement timeout of MySQL.
    mysql: &[1020, 1021, 1041, 1205, 1206, 1290, 1836, 3024],
    // Busy, locked, read-only, input or output, full, cannot open.
    sqlite: &[5, 6, 8, 10, 13, 14],
};

/// Errors whose texts quote values: data exceptions (22), and MySQL's duplicates and wrong times
/// and texts.
const QUOTING: Codes = Codes { sqlstate: &["22", "23000"], mysql: &[1366], sqlite: &[] };

/// Errors of a row's data: data exceptions (22), constraints (23), and those that MySQL has no such code
/// for.
const DATA: Codes = Codes {
    sqlstate: &["22", "23"],
    // A required value is missing, wrong values, a CHECK constraint.
    mysql: &[1364, 1366, 3819],
    // Too big, constraint, wrong type.
    sqlite: &[18, 19, 20],
};

/// Errors of constraints (23), and of a CHECK on MySQL. PostgreSQL has a code of its own for RESTRICT
/// since version 18.
const CONSTRAINTS: Codes = Codes { sqlstate: &["23"], mysql: &[3819], sqlite: &[19] };

/// Serialisation failures and deadlocks; on MySQL also a lock that could not be taken.
const CONFLICTS: Codes =
    Codes { sqlstate: &["40001", "40P01"], mysql: &[1020, 1205, 1213], sqlite: &[5, 6] };

/// A server that is read-only, for a while or because another is the primary one now.
const READ_ONLY: Codes = Codes { sqlstate: &["25006"], mysql: &[1290, 1836], sqlite: &[] };

/// Statements whose columns have other types than when they were prepared. PostgreSQL has the same code
/// for features that it lacks; the text is in the server's language.
const OTHER_TYPES: Codes = Codes { sqlstate: &["0A000"], mysql: &[], sqlite: &[] };

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

/// Returns MySQL's error number, which its driver writes first. The driver also has it as a number,
/// but only for code that depends on that driver.
fn mysql_number(text: &str) -> Option<u32> {
    text.split_once(' ')?.0.parse().ok()
}

/// The length of an SQLSTATE. SQLite's codes are numbers below 10000, and so are shorter.
const SQLSTATE_LENGTH: usize = 5;
/// MySQL's SQLSTATE for errors that the standard has no code for.
const MYSQL_GENERAL: &str = "HY000";

#[cfg(test)]
mod tests {
    use super::without_quotation;

    #[test]
    fn what_a_database_quotes_of_the_data_is_left_out() {
        for (text, logged) in [
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
            assert_eq!(without_quotation(text), logged);
        }
    }
}
