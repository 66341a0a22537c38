//! Which failures of the database pass by themselves. Knows the drivers' codes, and no HTTP.

use sea_orm::{DbErr, RuntimeErr, SqlxError};

/// Whether the same request may work in a moment: the database is away, busy, or gave way to
/// somebody else.
pub(crate) fn is_passing(error: &DbErr) -> bool {
    match error {
        DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => true,
        DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error)) => {
            match error.as_ref() {
                SqlxError::Io(_) | SqlxError::PoolClosed | SqlxError::PoolTimedOut => true,
                SqlxError::Database(error) => error.code().is_some_and(|code| is_busy(&code)),
                _ => false,
            }
        }
        _ => false,
    }
}

/// PostgreSQL: connection lost (08), transaction given up (40), resources (53), operator (57,
/// with the statement timeout), lock timeout. SQLite: busy and locked, with their variants.
fn is_busy(code: &str) -> bool {
    const POSTGRES: [&str; 5] = ["08", "40", "53", "57", "55P03"];
    // PostgreSQL's codes have five characters; SQLite's are numbers below 10000.
    match code.len() {
        5 => POSTGRES.iter().any(|class| code.starts_with(class)),
        _ => code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 5 | 6)),
    }
}
