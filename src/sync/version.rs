//! The order of a record's states, in whatever order they arrive.

use std::cmp::Ordering;
use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};

use crate::webhook::event::Json;

/// The place of a state among all states of its user, organization or membership.
///
/// The later `updated_at` is newer. Within one millisecond an update is newer than a creation; then the
/// later event is; and last a digest of the data decides, because any order will do that does not depend
/// on the order of arrival or on the instance. Two versions are equal if the states are the same.
///
/// ```
/// use tower_clerk::sync::Version;
///
/// let known = Version::from_parts([1_716_883_200_000, 0, 1_716_883_200_123, 77]);
/// let update = Version::from_parts([1_716_883_200_000, 1, 0, 5]);
/// assert!(known < update, "an update is newer than a creation");
/// assert!(known.parts() < update.parts());
/// assert!(Version::UNTOLD < known);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Version {
    /// Clerk's `updated_at`, in milliseconds since 1970; in an event at least 1.
    pub(crate) updated_at: i64,
    /// The envelope's `timestamp`, in milliseconds since 1970; 0 if it has none, and for versions from
    /// before it was kept.
    pub(crate) occurred_at: i64,
    /// The digest, and [`UPDATED`] above it for an update.
    pub(crate) tie: i64,
}

impl Version {
    /// A version older than every version that an event carries, for a record of which only the id is
    /// known.
    pub const UNTOLD: Self = Self { updated_at: 0, occurred_at: 0, tie: 0 };

    pub(crate) fn created(updated_at: i64, occurred_at: Option<SystemTime>, data: &Json) -> Self {
        Self { updated_at, occurred_at: milliseconds(occurred_at), tie: tie(data) }
    }

    pub(crate) fn updated(updated_at: i64, occurred_at: Option<SystemTime>, data: &Json) -> Self {
        Self { updated_at, occurred_at: milliseconds(occurred_at), tie: tie(data) | UPDATED }
    }

    /// Returns the parts, to be stored: `updated_at`, 1 for an update and 0 for a creation, the time of
    /// the event, and the digest. None is negative. The order of two versions is that of their parts, the
    /// first one that differs decides; and the parts of a state are the same in every release.
    #[must_use]
    pub fn parts(self) -> [i64; 4] {
        [self.updated_at, self.is_update().into(), self.occurred_at, self.tie & (UPDATED - 1)]
    }

    /// Returns the version with these [parts](Self::parts).
    #[must_use]
    pub fn from_parts([updated_at, is_update, occurred_at, digest]: [i64; 4]) -> Self {
        let digest = digest & (UPDATED - 1);
        let tie = if is_update == 0 { digest } else { digest | UPDATED };
        Self { updated_at, occurred_at, tie }
    }

    /// Returns whether it is that of an update, and not of a creation.
    #[must_use]
    pub fn is_update(self) -> bool {
        self.tie >= UPDATED
    }

    /// Returns whether two versions are of the same data, by their digests.
    #[cfg(all(feature = "backfill", feature = "sea-orm"))]
    pub(crate) fn is_of_same_data(self, other: Self) -> bool {
        (self.tie ^ other.tie) & (UPDATED - 1) == 0
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        let order = |it: &Self| (it.updated_at, it.is_update(), it.occurred_at, it.tie);
        order(self).cmp(&order(other))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

fn milliseconds(time: Option<SystemTime>) -> i64 {
    let since = time.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Returns a digest of the data in 62 bits, which must never change, since it is stored. It is a
/// digest of the text if serde_json does not accept the data's depth or one of its numbers.
fn tie(data: &Json) -> i64 {
    digest(data.as_str()).unwrap_or_else(|| finished(Fnv::of(b"x", data.as_str().as_bytes())))
}

/// Returns the same digest for the same data, whatever the order of the members and the notation of
/// texts and numbers. Reads in one pass, without a copy.
fn digest(json: &str) -> Option<i64> {
    let mut reader = serde_json::Deserializer::from_str(json);
    let digest = Digest.deserialize(&mut reader).ok()?;
    reader.end().ok()?;
    Some(finished(digest))
}

fn finished(digest: u64) -> i64 {
    (digest >> 2).cast_signed()
}

/// An FNV-1a hash. It does not resist forgery: of two states of one millisecond whose hashes are
/// equal, the one that arrives first is kept.
struct Fnv(u64);

impl Fnv {
    /// Starts the hash of a value with its kind. Within a kind, no bytes can be read in two ways.
    fn new(kind: &[u8; 1]) -> Self {
        let mut fnv = Self(0xcbf2_9ce4_8422_2325);
        fnv.add(kind);
        fnv
    }

    fn of(kind: &[u8; 1], bytes: &[u8]) -> u64 {
        let mut fnv = Self::new(kind);
        fnv.add(bytes);
        fnv.0
    }

    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

/// Returns a hash of a name.
#[cfg(feature = "sea-orm-migration")]
pub(crate) fn fingerprint(name: &str) -> u64 {
    Fnv::of(b"s", name.as_bytes())
}

/// A deserializer's seed that reads a JSON value as its digest.
struct Digest;

impl<'de> DeserializeSeed<'de> for Digest {
    type Value = u64;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<u64, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Digest {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<u64, E> {
        Ok(Fnv::of(b"n", b""))
    }

    fn visit_bool<E>(self, value: bool) -> Result<u64, E> {
        Ok(Fnv::of(b"b", &[value.into()]))
    }

    fn visit_i64<E>(self, value: i64) -> Result<u64, E> {
        Ok(Fnv::of(b"d", &i128::from(value).to_le_bytes()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<u64, E> {
        Ok(Fnv::of(b"d", &i128::from(value).to_le_bytes()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<u64, E> {
        Ok(Fnv::of(b"f", &value.to_bits().to_le_bytes()))
    }

    fn visit_str<E>(self, text: &str) -> Result<u64, E> {
        Ok(Fnv::of(b"s", text.as_bytes()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<u64, A::Error> {
        let mut list = Fnv::new(b"a");
        while let Some(item) = items.next_element_seed(Self)? {
            list.add(&item.to_le_bytes());
        }
        Ok(list.0)
    }

    /// Digests the sum of the members' hashes, which does not depend on their order.
    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<u64, A::Error> {
        let (mut sum, mut count) = (0_u64, 0_u64);
        while let Some(name) = members.next_key_seed(Self)? {
            if count == 0 && name == Fnv::of(b"s", EXACT_NUMBER) {
                return number(&members.next_value::<String>()?);
            }
            let mut member = Fnv::new(b"m");
            member.add(&name.to_le_bytes());
            member.add(&members.next_value_seed(Self)?.to_le_bytes());
            sum = sum.wrapping_add(member.0);
            count += 1;
        }
        let mut object = Fnv::new(b"o");
        object.add(&sum.to_le_bytes());
        object.add(&count.to_le_bytes());
        Ok(object.0)
    }
}

/// Digests a number as it would be read without the feature `arbitrary_precision`.
fn number<E: Error>(text: &str) -> Result<u64, E> {
    if let Ok(integer) = text.parse() {
        return Digest.visit_i64(integer);
    }
    if let Ok(integer) = text.parse() {
        return Digest.visit_u64(integer);
    }
    Digest.visit_f64(text.parse().map_err(E::custom)?)
}

/// The only member of the object as which serde_json passes a number if some crate of the program
/// has switched on its feature `arbitrary_precision`.
const EXACT_NUMBER: &[u8] = b"$serde_json::private::Number";
/// The bit of an update, above all digests.
pub(crate) const UPDATED: i64 = 1 << 62;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_digest_is_the_same_for_ever_in_every_order_of_members_and_however_it_is_written() {
        let one = digest(r#"{"a":1,"b":[true,null,"x"]}"#);
        for same in [
            r#"{"b":[true,null,"x"],"a":1}"#,
            " { \"b\" : [ true, null, \"\\u0078\" ], \"\\u0061\":1 }\n",
        ] {
            assert_eq!(digest(same), one, "{same}");
        }
        assert_eq!(one, Some(FIXED));
    }

    const FIXED: i64 = 1_814_148_309_374_587_967;

    #[test]
    fn parts_have_the_order_of_their_versions_and_come_back() {
        let version = |updated_at, occurred_at, tie| Version { updated_at, occurred_at, tie };
        let versions = [
            Version::UNTOLD,
            version(1, 9, 0),
            version(1, 9, 7),
            version(1, 10, 3),
            version(1, 0, UPDATED),
            version(1, 0, UPDATED | (UPDATED - 1)),
            version(1, 1, UPDATED | 4),
            version(2, 0, 0),
        ];
        assert!(versions.is_sorted());
        assert!(versions.map(Version::parts).is_sorted());
        assert_eq!(versions.map(Version::parts).map(Version::from_parts), versions);
        assert!(versions.iter().all(|version| version.parts().iter().all(|part| *part >= 0)));
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
            json!(0.0),
            json!(-1),
            json!(u64::MAX),
            json!("0"),
            json!([[], []]),
            json!([[[]]]),
            json!(["a", "b"]),
            json!(["b", "a"]),
            json!(["ab"]),
            json!({ "a": "b" }),
            json!({ "b": "a" }),
            json!({ "a": "b", "b": "a" }),
            json!({ "a": "a", "b": "b" }),
            json!(false),
            json!(true),
            json!({ "a": { "b": 1 } }),
            json!({ "a": {}, "b": 1 }),
        ];
        let mut digests: Vec<_> = data.iter().map(|data| digest(&data.to_string())).collect();
        digests.sort_unstable();
        digests.dedup();
        assert_eq!(digests.len(), data.len());
        assert!(digests.iter().all(|digest| (0..UPDATED).contains(&digest.unwrap())));
    }

    #[test]
    fn what_cannot_be_read_has_no_digest_but_that_of_its_text() {
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        for odd in ["", "1 2", "1e999", &deep] {
            assert_eq!(digest(odd), None, "{odd}");
        }
    }

    #[test]
    fn numbers_have_the_same_digest_whatever_serde_json_is_told_about_them() {
        use serde::de::value::MapDeserializer;

        for text in ["0", "-7", "18446744073709551615", "1.5", "-1e3", "1700000000000"] {
            let name = std::str::from_utf8(EXACT_NUMBER).unwrap();
            let exact =
                MapDeserializer::<_, serde::de::value::Error>::new([(name, text)].into_iter());
            let exact = Digest.visit_map(exact).unwrap();
            assert_eq!(Some(finished(exact)), digest(text), "{text}");
        }
    }
}
