//! Codes for one use, with which a page gets the session of a sign-in. A code stays in the browser's
//! history, where it is worth nothing once it was used or a minute has passed.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::random;

/// The codes that were not used yet.
#[derive(Default)]
pub(super) struct Codes(Mutex<HashMap<String, Issued>>);

struct Issued {
    session_id: String,
    at: DateTime<Utc>,
}

impl Codes {
    /// Returns a new code for a session.
    pub(super) fn issue(&self, session_id: &str, now: DateTime<Utc>) -> String {
        let code = random::alphanumeric(43);
        let issued = Issued { session_id: session_id.to_owned(), at: now };
        let mut codes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        codes.retain(|_, issued| issued.is_valid(now));
        codes.insert(code.clone(), issued);
        code
    }

    /// Returns the id of a code's session, and forgets the code.
    pub(super) fn redeem(&self, code: &str, now: DateTime<Utc>) -> Option<String> {
        let mut codes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        codes.remove(code).filter(|issued| issued.is_valid(now)).map(|issued| issued.session_id)
    }
}

impl Issued {
    fn is_valid(&self, now: DateTime<Utc>) -> bool {
        let age = now.signed_duration_since(self.at);
        age >= TimeDelta::zero() && age.to_std().is_ok_and(|age| age < LIFETIME)
    }
}

const LIFETIME: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fault_c19_a_code_is_for_one_use_and_a_minute() {
        let codes = Codes::default();
        let at = |seconds: i64| DateTime::from_timestamp(1_900_000_000 + seconds, 0).unwrap();
        let code = codes.issue("sess_1", at(0));
        assert_eq!(codes.redeem("another", at(1)), None);
        assert_eq!(codes.redeem(&code, at(59)).as_deref(), Some("sess_1"));
        assert_eq!(codes.redeem(&code, at(59)), None);
        let late = codes.issue("sess_2", at(0));
        assert_eq!(codes.redeem(&late, at(60)), None);
        assert_eq!(codes.redeem(&late, at(1)), None);
        codes.issue("sess_3", at(0));
        codes.issue("sess_4", at(60));
        assert_eq!(codes.0.lock().unwrap().len(), 1, "old ones are forgotten");
    }
}
