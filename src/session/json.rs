//! Strict parsing of JSON from outside: one object, read member by member.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, Visitor};

/// Parses one JSON object in UTF-8 with nothing after it (RFC 7515 5.2, RFC 7519 7.2). Checks for
/// an object first, because a derived type would also accept an array of its members' values.
pub(super) fn json_object<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Option<T> {
    let json = str::from_utf8(json).ok()?;
    let object = json.trim_ascii_start().starts_with('{');
    if object { serde_json::from_str(json).ok() } else { None }
}

/// A string that is borrowed unless it contains an escape.
pub(super) struct Text<'a>(pub(super) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;

        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text")
            }

            fn visit_borrowed_str<E: serde::de::Error>(self, v: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(v)))
            }

            fn visit_str<E: serde::de::Error>(self, v: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(v.to_owned())))
            }
        }

        deserializer.deserialize_str(TextVisitor)
    }
}

/// Deserializes a member that may be absent but, if present, must be of the right type.
pub(super) fn present<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some).map_err(D::Error::custom)
}
