//! The end of a page of a list, as text that clients send back. Names no user.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// The last row of a page, after which the next page begins. Rows are ordered by a time and their id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub(crate) time: DateTime<Utc>,
    pub(crate) id: Uuid,
}

impl Cursor {
    pub(crate) fn encode(&self) -> String {
        let mut bytes = [0; LENGTH];
        let (time, id) = bytes.split_at_mut(TIME);
        time.copy_from_slice(&self.time.timestamp_millis().to_be_bytes());
        id.copy_from_slice(self.id.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Decodes a cursor. Any text of the right length and letters is valid: it is a place in the
    /// caller's own list.
    pub(crate) fn decode(text: &str) -> Option<Self> {
        let bytes: [u8; LENGTH] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
        let (time, id) = bytes.split_first_chunk::<TIME>()?;
        // A time that was never handed out, and that no database can compare, is after everything.
        let millis = u64::from_be_bytes(*time).min(LAST_MILLI);
        Some(Self {
            time: DateTime::from_timestamp_millis(i64::try_from(millis).ok()?)?,
            id: Uuid::from_slice(id).ok()?,
        })
    }
}

const TIME: usize = 8;
const LENGTH: usize = TIME + 16;
/// The end of the year 9999.
const LAST_MILLI: u64 = 253_402_300_799_999;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time;

    #[test]
    fn a_cursor_comes_back_as_it_went_and_nothing_else_is_one() {
        let cursor =
            Cursor { time: time::parse("9999-12-31T23:59:59.999Z").unwrap(), id: Uuid::new_v4() };
        let text = cursor.encode();
        assert_eq!(Cursor::decode(&text), Some(cursor));
        let long = format!("{text}AA");
        for bad in ["", "0", "null", &text[1..], &long, &"+".repeat(32), "' OR 1=1 --"] {
            assert_eq!(Cursor::decode(bad), None, "{bad}");
        }
        let last = time::parse("9999-12-31T23:59:59.999Z").ok();
        for beyond in ["_".repeat(32), "0".repeat(32)] {
            assert_eq!(Cursor::decode(&beyond).map(|cursor| cursor.time), last);
        }
    }
}
