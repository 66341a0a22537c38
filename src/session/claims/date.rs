//! Times in tokens (RFC 7519 2).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, Unexpected};

/// A time in seconds since 1970, whole or fractional (RFC 7519 2). The fraction is cut off, as in
/// Clerk's SDK. A time after the year 9999, or as far before 1970, is refused.
#[derive(Clone, Copy)]
pub(in crate::session) struct NumericDate(i64);

impl NumericDate {
    pub(in crate::session) fn milliseconds(self) -> i64 {
        self.0.saturating_mul(1000)
    }

    pub(super) fn to_system_time(self) -> SystemTime {
        let distance = Duration::from_secs(self.0.unsigned_abs());
        let time = if self.0 < 0 {
            UNIX_EPOCH.checked_sub(distance)
        } else {
            UNIX_EPOCH.checked_add(distance)
        };
        time.unwrap_or(UNIX_EPOCH)
    }
}

impl<'de> Deserialize<'de> for NumericDate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let seconds = f64::deserialize(deserializer)?;
        if seconds.abs() <= LAST_SECOND {
            // Whole numbers up to 2^53 are exact, and the bound is far below.
            Ok(Self(seconds as i64))
        } else {
            Err(D::Error::invalid_value(Unexpected::Float(seconds), &"a time before 10000"))
        }
    }
}

/// The last second of the year 9999.
const LAST_SECOND: f64 = 253_402_300_799.0;
