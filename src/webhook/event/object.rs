//! The reading of an object's members. A member that is missing or of an unexpected type is `None`;
//! each member is parsed only when it is read.

use std::borrow::{Borrow, Cow};
use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};
use std::marker::PhantomData;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::Number;
use serde_json::value::RawValue;

use super::json::Json;
use super::times::Times;
use crate::ids::InvalidId;
use crate::meter::count;

/// A JSON object whose members are unparsed. The last member with a repeated name counts.
pub(super) struct Object<'a>(
    HashMap<MemberName<'a>, &'a RawValue, BuildHasherDefault<MemberNameHasher>>,
);

impl<'a> Object<'a> {
    pub(super) fn parse(raw: &'a RawValue) -> Option<Self> {
        Self::from_slice(raw.get().as_bytes())
    }

    /// Parses an object; `None` for any other value, and for bytes that are not JSON in UTF-8.
    pub(super) fn from_slice(bytes: &'a [u8]) -> Option<Self> {
        let mut reader = serde_json::Deserializer::from_slice(bytes);
        // A name, a value and the punctuation are seldom shorter than 24 bytes.
        let members = Members((bytes.len() / 24).min(AS_MANY_AS_A_USER_HAS), PhantomData);
        let object = members.deserialize(&mut reader).ok()?;
        reader.end().ok()?;
        Some(object)
    }

    pub(super) fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.0.get(name).copied()
    }

    /// Reads a member as a type.
    pub(super) fn field<T: Field>(&self, name: &str, times: Times) -> T {
        T::field(self.get(name), times)
    }

    /// Returns a required id, parsed with its type's `parse`; `None` if it is missing or unusable.
    pub(super) fn id<T>(&self, name: &str, parse: fn(String) -> Result<T, InvalidId>) -> Option<T> {
        parse(text(self.get(name)?)?).ok()
    }

    /// Returns an id that Clerk may omit: `Some(None)` if it is missing or null, `None` if it is
    /// unusable.
    pub(super) fn optional_id<T>(
        &self,
        name: &str,
        parse: fn(String) -> Result<T, InvalidId>,
    ) -> Option<Option<T>> {
        match self.get(name) {
            None => Some(None),
            Some(raw) if raw.get() == "null" => Some(None),
            Some(_) => self.id(name, parse).map(Some),
        }
    }

    /// Returns the time of the state, within the plausible range: `updated_at`, or else the event's
    /// time, `created_at`, or the time of sending.
    pub(super) fn updated_at(&self, times: Times) -> i64 {
        let updated_at = self.millis("updated_at").or(times.occurred);
        times.within(updated_at.or_else(|| self.millis("created_at")).unwrap_or(times.sent))
    }

    /// Returns the time of creation, or the time of the state if there is none.
    pub(super) fn created_at(&self, times: Times) -> i64 {
        let created_at = self.millis("created_at").map(|created| times.within(created));
        created_at.unwrap_or_else(|| self.updated_at(times))
    }

    /// Returns a time as it was sent, in milliseconds since 1970.
    pub(super) fn millis(&self, name: &str) -> Option<i64> {
        integer(self.get(name)?)
    }
}

/// A deserializer of an object of about this many members.
struct Members<'a>(usize, PhantomData<&'a ()>);

impl<'de: 'a, 'a> DeserializeSeed<'de> for Members<'a> {
    type Value = Object<'a>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Object<'a>, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de: 'a, 'a> Visitor<'de> for Members<'a> {
    type Value = Object<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut given: A) -> Result<Object<'a>, A::Error> {
        let mut members = HashMap::with_capacity_and_hasher(self.0, BuildHasherDefault::default());
        while let Some((name, value)) = given.next_entry()? {
            members.insert(name, value);
        }
        Ok(Object(members))
    }
}

/// An FNV-1a hasher: names are short, and Clerk chooses them. Names that others choose, for example
/// in metadata, are never hashed: their objects stay unparsed.
struct MemberNameHasher(u64);

impl Default for MemberNameHasher {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for MemberNameHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[derive(serde::Deserialize, PartialEq, Eq, Hash)]
struct MemberName<'a>(#[serde(borrow)] Cow<'a, str>);

impl Borrow<str> for MemberName<'_> {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// A type that a member may have.
pub(super) trait Member: Sized {
    /// Reads a value; `None` if it is of another type.
    fn read(raw: &RawValue, times: Times) -> Option<Self>;
}

impl Member for bool {
    fn read(raw: &RawValue, _: Times) -> Option<Self> {
        serde_json::from_str(raw.get()).ok()
    }
}

impl Member for i64 {
    fn read(raw: &RawValue, _: Times) -> Option<Self> {
        integer(raw)
    }
}

impl Member for String {
    fn read(raw: &RawValue, _: Times) -> Option<Self> {
        text(raw)
    }
}

impl Member for Json {
    fn read(raw: &RawValue, _: Times) -> Option<Self> {
        (raw.get() != "null").then(|| Self::new(raw))
    }
}

/// A type of a field, whose member may be missing.
pub(super) trait Field {
    fn field(raw: Option<&RawValue>, times: Times) -> Self;
}

impl<T: Member> Field for Option<T> {
    fn field(raw: Option<&RawValue>, times: Times) -> Self {
        let raw = raw?;
        counted(raw, T::read(raw, times))
    }
}

/// Skips elements of another type.
impl<T: Member> Field for Vec<T> {
    fn field(raw: Option<&RawValue>, times: Times) -> Self {
        let Some(raw) = raw else { return Self::new() };
        let elements: Option<Vec<&RawValue>> = counted(raw, serde_json::from_str(raw.get()).ok());
        let elements = elements.into_iter().flatten();
        elements.filter_map(|raw| counted(raw, T::read(raw, times))).collect()
    }
}

/// Counts a value that is there, is not null and could not be read.
fn counted<T>(raw: &RawValue, value: Option<T>) -> Option<T> {
    if value.is_none() && raw.get() != "null" {
        count!("clerk_unreadable_members_total",);
    }
    value
}

pub(super) fn text(raw: &RawValue) -> Option<String> {
    serde_json::from_str(raw.get()).ok()
}

/// Returns any JSON number as an integer, saturating at the ends of the range.
pub(super) fn integer(raw: &RawValue) -> Option<i64> {
    let number: Number = serde_json::from_str(raw.get()).ok()?;
    #[expect(clippy::cast_possible_truncation, reason = "saturating is what is wanted")]
    number.as_i64().or_else(|| number.as_f64().map(|float| float as i64))
}

/// Declares a type for one of Clerk's objects, and how it is read. `reads` has the fields that need
/// an expression, `members` those that are read by their names. `shows` lists the fields that
/// `Debug` may show; `completed by` names a function that fills in the rest.
macro_rules! object {
    (
        $(#[$meta:meta])*
        $name:ident shows [$($shown:ident),*]
        $(completed by $complete:ident)?
        $(reads |$raw:pat_param, $object:pat_param, $times:pat_param| {
            $($(#[$special_meta:meta])* $special:ident: $special_type:ty = $value:expr,)*
        })?
        members {
            $($(#[$field_meta:meta])* $field:ident $(($wire:literal))?: $type:ty,)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct $name {
            $($($(#[$special_meta])* pub $special: $special_type,)*)?
            $($(#[$field_meta])* pub $field: $type,)*
        }

        impl $crate::webhook::event::object::Member for $name {
            fn read(
                raw: &serde_json::value::RawValue,
                times: $crate::webhook::event::times::Times,
            ) -> Option<Self> {
                let object = $crate::webhook::event::object::Object::parse(raw)?;
                $(let ($raw, $object, $times) = (raw, &object, times);)?
                #[allow(unused_mut, reason = "some are complete at once")]
                let mut read = Self {
                    $($($special: $value,)*)?
                    $($field: object.field(object!(@wire $field $($wire)?), times),)*
                };
                $($complete(&mut read);)?
                Some(read)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name))
                    $(.field(stringify!($shown), &self.$shown))*
                    .finish_non_exhaustive()
            }
        }
    };
    (@wire $field:ident) => { stringify!($field) };
    (@wire $field:ident $wire:literal) => { $wire };
}

/// Declares an enum for a member with a few known texts.
macro_rules! open_enum {
    ($(#[$meta:meta])* $name:ident { $($variant:ident = $text:literal,)* }) => {
        $(#[$meta])*
        ///
        /// Clerk may add values: a text that is not known here is kept.
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $(#[doc = concat!("`", $text, "`.")] $variant,)*
            /// Any other text.
            Unknown(String),
        }

        impl $name {
            /// Returns Clerk's text for this value.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)*
                    Self::Unknown(text) => text,
                }
            }
        }

        impl $crate::webhook::event::object::Member for $name {
            fn read(
                raw: &serde_json::value::RawValue,
                _: $crate::webhook::event::times::Times,
            ) -> Option<Self> {
                let text = $crate::webhook::event::object::text(raw)?;
                Some(match text.as_str() {
                    $($text => Self::$variant,)*
                    _ => Self::Unknown(text),
                })
            }
        }
    };
}

pub(super) use {object, open_enum};

/// The number of a user's members, some fifty: no other object of Clerk's has more.
const AS_MANY_AS_A_USER_HAS: usize = 56;
