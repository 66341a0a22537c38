//! Times as Clerk's API and the stand-in's page show them, by the clock of `tower-clerk`.

use chrono::{DateTime, SecondsFormat, Utc};
use tower_clerk::clock::{Clock as _, SystemClock};

/// Returns the current time.
pub(super) fn now() -> DateTime<Utc> {
    SystemClock::new().now().into()
}

/// Returns an instant as RFC 3339 with milliseconds and `Z`.
pub(super) fn show(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}
