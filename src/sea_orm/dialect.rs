//! The supported databases. Whatever one of them writes in its own way matches [`Dialect`]
//! exhaustively, so that the compiler leads to each place that another database concerns.

use ::sea_orm::prelude::DateTimeUtc;
use ::sea_orm::sea_query::DynIden;
use ::sea_orm::{ConnectionTrait, DbBackend, DbErr, Value};

/// The dialect of SQL of a supported database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// MySQL and MariaDB.
    MySql,
    Postgres,
    Sqlite,
}

impl Dialect {
    /// Returns the dialect of a connection; an error for a database that no statement is written
    /// for.
    pub(super) fn of(db: &impl ConnectionTrait) -> Result<Self, DbErr> {
        match db.get_database_backend() {
            DbBackend::MySql => Ok(Self::MySql),
            DbBackend::Postgres => Ok(Self::Postgres),
            DbBackend::Sqlite => Ok(Self::Sqlite),
            _ => Err(DbErr::BackendNotSupported { db: "of this connection", ctx: UNSUPPORTED }),
        }
    }

    /// Returns sea-orm's name of it.
    pub(super) fn backend(self) -> DbBackend {
        match self {
            Self::MySql => DbBackend::MySql,
            Self::Postgres => DbBackend::Postgres,
            Self::Sqlite => DbBackend::Sqlite,
        }
    }

    /// Returns a name as it stands in a handwritten statement.
    pub(super) fn quoted(self, name: &DynIden) -> String {
        let name = name.to_string();
        match self {
            Self::MySql => format!("`{}`", name.replace('`', "``")),
            Self::Postgres | Self::Sqlite => format!("\"{}\"", name.replace('"', "\"\"")),
        }
    }

    /// Returns a time as a value for a statement. MySQL's driver binds a time with a zone as `TIMESTAMP`,
    /// which ends in 2038: a later one would be NULL.
    pub(super) fn time(self, time: DateTimeUtc) -> Value {
        match self {
            Self::MySql => time.naive_utc().into(),
            Self::Postgres | Self::Sqlite => time.into(),
        }
    }

    /// Returns a value in the form in which it is to be bound; see [`time`](Self::time).
    pub(super) fn bound(self, value: Value) -> Value {
        match value {
            Value::ChronoDateTimeUtc(Some(time)) => self.time(time),
            Value::ChronoDateTimeWithTimeZone(Some(time)) => match self {
                Self::MySql => self.time(time.into()),
                Self::Postgres | Self::Sqlite => Value::ChronoDateTimeWithTimeZone(Some(time)),
            },
            value => value,
        }
    }

    /// Returns 1970-01-01 as an expression of the type of times.
    pub(super) fn beginning_of_time(self) -> &'static str {
        match self {
            Self::MySql => "CAST('1970-01-01' AS DATETIME(6))",
            Self::Postgres => "CAST('1970-01-01 00:00:00+00' AS timestamptz)",
            Self::Sqlite => "'1970-01-01T00:00:00+00:00'",
        }
    }

    /// Returns the time of now in milliseconds since 1970 as an expression: later within one transaction.
    #[cfg(feature = "lockouts")]
    pub(super) fn milliseconds_now(self) -> &'static str {
        match self {
            Self::MySql => "CAST(UNIX_TIMESTAMP(SYSDATE(6)) * 1000 AS SIGNED)",
            Self::Postgres => "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS bigint)",
            Self::Sqlite => "CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER)",
        }
    }

    /// Returns whether two names mean the same column, or on some systems the same table. Only
    /// PostgreSQL distinguishes upper and lower case in quoted names.
    pub(super) fn is_same_name(self, one: &str, other: &str) -> bool {
        match self {
            Self::Postgres => one == other,
            Self::MySql | Self::Sqlite => one.eq_ignore_ascii_case(other),
        }
    }
}

/// The end of a message that has named the database or its setting.
pub(super) const UNSUPPORTED: &str = "must be MySQL, MariaDB, PostgreSQL or SQLite";
