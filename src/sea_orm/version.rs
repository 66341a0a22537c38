//! Which of two states of a thing is the newer one, whatever order they come in.

use serde_json::Value;

use crate::webhook::event::Json;

/// Where a state stands among all states of its user, organization or membership: by Clerk's `updated_at`, then by the tie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version {
    /// Milliseconds since 1970; those of events begin at 1.
    pub(super) updated_at: i64,
    /// Of two states from the same millisecond, an update follows a creation. Beyond that any
    /// order will do that is the same in every arrival and on every instance: a digest of the data.
    pub(super) tie: i64,
}

impl Version {
    /// Older than every version that an event carries.
    pub(super) const UNTOLD: Self = Self { updated_at: 0, tie: 0 };

    pub(super) fn created(updated_at: i64, data: &Json) -> Self {
        Self { updated_at, tie: tie(data) }
    }

    pub(super) fn updated(updated_at: i64, data: &Json) -> Self {
        Self { updated_at, tie: tie(data) | UPDATED }
    }
}

/// A digest of the data; of their text, should serde_json not take their depth or a number.
fn tie(data: &Json) -> i64 {
    let data = data.parse().unwrap_or_else(|_| Value::from(data.as_str()));
    digest(&data)
}

/// 62 bits of the data, the same for ever: they are stored.
fn digest(data: &Value) -> i64 {
    let mut digest = Fnv(0xcbf2_9ce4_8422_2325);
    digest.value(data);
    (digest.0 >> 2).cast_signed()
}

/// FNV-1a. Somebody who forges a collision lets two states of one millisecond go by arrival again.
struct Fnv(u64);

impl Fnv {
    fn bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    /// Each value begins with its kind and, where it has a length, that; members by their names,
    /// since a map may or may not keep the order in which they came.
    fn value(&mut self, value: &Value) {
        match value {
            Value::Null => self.bytes(b"n"),
            Value::Bool(true) => self.bytes(b"t"),
            Value::Bool(false) => self.bytes(b"f"),
            Value::Number(number) => self.text(b"d", &number.to_string()),
            Value::String(text) => self.text(b"s", text),
            Value::Array(items) => {
                self.text(b"a", &items.len().to_string());
                for item in items {
                    self.value(item);
                }
            }
            Value::Object(members) => {
                self.text(b"o", &members.len().to_string());
                let mut members: Vec<_> = members.iter().collect();
                members.sort_unstable_by_key(|(name, _)| *name);
                for (name, member) in members {
                    self.text(b"s", name);
                    self.value(member);
                }
            }
        }
    }

    fn text(&mut self, kind: &[u8], text: &str) {
        self.bytes(kind);
        self.bytes(text.as_bytes());
        // In no UTF-8 text.
        self.bytes(&[0xff]);
    }
}

/// Above all digests.
const UPDATED: i64 = 1 << 62;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_digest_is_the_same_for_ever_and_in_every_order_of_members() {
        let one: Value = serde_json::from_str(r#"{"a":1,"b":[true,null,"x"]}"#).unwrap();
        let other: Value = serde_json::from_str(r#"{"b":[true,null,"x"],"a":1}"#).unwrap();
        assert_eq!(digest(&one), digest(&other));
        assert_eq!(digest(&json!(null)), 0x2bd8_f8d3_2180_7e1c);
    }

    #[test]
    fn different_data_have_different_digests() {
        let data = [
            json!({}),
            json!([]),
            json!(null),
            json!(""),
            json!("null"),
            json!(0),
            json!("0"),
            json!([[], []]),
            json!([[[]]]),
            json!(["a", "b"]),
            json!(["ab"]),
            json!({ "a": "b" }),
            json!(false),
            json!(true),
            json!({ "a": { "b": 1 } }),
            json!({ "a": {}, "b": 1 }),
        ];
        let mut digests: Vec<_> = data.iter().map(digest).collect();
        digests.sort_unstable();
        digests.dedup();
        assert_eq!(digests.len(), data.len());
        assert!(digests.iter().all(|digest| (0..UPDATED).contains(digest)));
    }
}
