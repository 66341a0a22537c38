//! What is noted, and which connections may still be handed out.

use std::borrow::Cow;
use std::error::Error;
use std::sync::Mutex;
use std::time::SystemTime;

use ::sea_orm::sqlx::error::{DatabaseError, ErrorKind};
use ::sea_orm::{RuntimeErr, SqlxError};

use super::*;

/// A clock that goes when it is told to.
#[derive(Debug)]
struct Told(Mutex<Instant>);

impl Told {
    fn go_on(&self, by: Duration) {
        *self.0.lock().unwrap() += by;
    }
}

impl Clock for Told {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH
    }

    fn monotonic(&self) -> Instant {
        *self.0.lock().unwrap()
    }
}

fn record() -> (Arc<Told>, OutdatedConnections) {
    let clock = Arc::new(Told(Mutex::new(SystemClock::new().monotonic())));
    (clock.clone(), OutdatedConnections::new().clock(clock))
}

/// An error with this code, as a driver reports it.
fn error(code: &'static str) -> DbErr {
    DbErr::Exec(RuntimeErr::SqlxError(SqlxError::Database(Box::new(Reported(code))).into()))
}

#[derive(Debug)]
struct Reported(&'static str);

impl std::fmt::Display for Reported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an error")
    }
}

impl Error for Reported {}

impl DatabaseError for Reported {
    fn message(&self) -> &str {
        "an error"
    }

    fn code(&self) -> Option<Cow<'_, str>> {
        Some(self.0.into())
    }

    fn as_error(&self) -> &(dyn Error + Send + Sync + 'static) {
        self
    }

    fn as_error_mut(&mut self) -> &mut (dyn Error + Send + Sync + 'static) {
        self
    }

    fn into_error(self: Box<Self>) -> Box<dyn Error + Send + Sync + 'static> {
        self
    }

    fn kind(&self) -> ErrorKind {
        ErrorKind::Other
    }
}

#[test]
fn fault_s20_a_connection_that_is_older_than_the_error_is_not_handed_out() {
    let (clock, outdated) = record();
    assert!(outdated.allow(Duration::from_secs(3600)));
    assert!(!outdated.note(&error("23505")) && !outdated.note(&DbErr::Custom("25006".to_owned())));
    assert!(outdated.allow(Duration::from_secs(3600)));

    assert!(outdated.note(&error("25006")));
    clock.go_on(Duration::from_secs(10));
    for (age, may_be_used) in [(3600, false), (11, false), (10, false), (9, true), (0, true)] {
        assert_eq!(outdated.clone().allow(Duration::from_secs(age)), may_be_used, "{age}");
    }
}

#[test]
fn fault_s20_a_database_that_stays_read_only_costs_a_connection_once_a_second_at_most() {
    let (clock, outdated) = record();
    assert!(outdated.note(&error("25006")));
    clock.go_on(Duration::from_millis(600));
    // Half a second old: made after the first error.
    let young = Duration::from_millis(500);
    assert!(outdated.note(&error("25006")) && outdated.allow(young));
    clock.go_on(Duration::from_millis(600));
    assert!(outdated.note(&error("25006")) && !outdated.allow(young));
}

#[test]
fn fault_s24_each_change_of_a_type_counts_at_once() {
    let (clock, outdated) = record();
    for _ in 0..2 {
        assert!(outdated.note(&error("0A000")));
        clock.go_on(Duration::from_millis(1));
        assert!(!outdated.allow(Duration::from_millis(1)) && outdated.allow(Duration::ZERO));
    }
}
