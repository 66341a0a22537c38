//! Clerk's ids, of which the rows of users, organizations and memberships have theirs as keys. They are
//! checked where an event or a page of the Backend API is decoded.
//!
//! Clerk writes an id as a prefix followed by letters and digits, for example
//! `user_2g7np7Hrk0SN6kj5EDMLDaKNL0S`. The prefixes of users, organizations and memberships are not
//! checked: a user who was imported may have an id of another form. A session's user id is not of
//! these types: no token is refused because of how its `sub` is written.
//!
//! An id can be used as a `str`, compared with text in either order, looked up by text in a map,
//! serialized and deserialized.
//!
//! ```
//! use tower_clerk::ids::UserId;
//!
//! let id = UserId::parse("user_1")?;
//! assert_eq!(id, "user_1");
//! assert_eq!(id.len(), 6);
//! assert!("user 1".parse::<UserId>().is_err());
//! # Ok::<(), tower_clerk::ids::InvalidId>(())
//! ```

use std::borrow::Borrow;
use std::error::Error;
use std::fmt;
use std::ops::Deref;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The length of the longest id, in bytes.
pub(crate) const MAX_ID_BYTES: usize = 255;

/// The error of a text that is not an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidId(());

impl fmt::Display for InvalidId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "not an id of Clerk's: it must be 1 to 255 ASCII letters, digits and underscores, of an \
             instance with `ins_` before them",
        )
    }
}

impl Error for InvalidId {}

/// An id of any kind: 1 to 255 ASCII letters, digits and underscores.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Id(String);

impl Id {
    /// Parses an id; returns `None` if the text is not one.
    pub(crate) fn parse(text: impl AsRef<str> + Into<String>) -> Option<Self> {
        Self::is(text.as_ref()).then(|| Self(text.into()))
    }

    /// Returns whether a text is an id.
    pub(crate) fn is(text: &str) -> bool {
        (1..=MAX_ID_BYTES).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Writes the id in quotes.
impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// Declares a type for ids of one kind. The function after `is` adds a condition.
macro_rules! id {
    ($(#[$meta:meta])* $name:ident is $is:expr) => {
        $(#[$meta])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Id);

        impl $name {
            /// Parses an id.
            ///
            /// # Errors
            ///
            /// A text that is not one.
            pub fn parse(text: impl AsRef<str> + Into<String>) -> Result<Self, InvalidId> {
                let is: fn(&str) -> bool = $is;
                let id = if is(text.as_ref()) { Id::parse(text) } else { None };
                id.map(Self).ok_or(InvalidId(()))
            }

            /// Returns the id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }

            #[cfg(feature = "sea-orm")]
            #[allow(dead_code, reason = "not every kind of thing is looked up by its id")]
            pub(crate) fn id(&self) -> &Id {
                &self.0
            }
        }

        impl Deref for $name {
            type Target = str;

            fn deref(&self) -> &str {
                self.as_str()
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                self.as_str()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0.0
            }
        }

        impl From<&$name> for String {
            fn from(id: &$name) -> Self {
                id.as_str().to_owned()
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::parse(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                Self::parse(text)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::parse(String::deserialize(deserializer)?).map_err(D::Error::custom)
            }
        }

        /// The id as the text that its column holds.
        #[cfg(feature = "sea-orm")]
        impl From<$name> for ::sea_orm::Value {
            fn from(id: $name) -> Self {
                String::from(id).into()
            }
        }

        id!(@compares $name with str, &str, String);

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self)
            }
        }
    };
    (@compares $name:ident with $($text:ty),*) => {
        $(
            impl PartialEq<$text> for $name {
                fn eq(&self, other: &$text) -> bool {
                    let other: &str = other;
                    self.as_str() == other
                }
            }

            impl PartialEq<$name> for $text {
                fn eq(&self, other: &$name) -> bool {
                    other == self
                }
            }
        )*
    };
}

id! {
    /// A user's id, `user_…`: 1 to 255 ASCII letters, digits and underscores.
    UserId is |_| true
}

id! {
    /// An organization's id, `org_…`: 1 to 255 ASCII letters, digits and underscores.
    OrganizationId is |_| true
}

id! {
    /// A membership's id, `orgmem_…`: 1 to 255 ASCII letters, digits and underscores.
    MembershipId is |_| true
}

id! {
    /// A Clerk instance's id: `ins_` and at least one more ASCII letter, digit or underscore, at
    /// most 255 characters in all.
    InstanceId is |id| id.strip_prefix("ins_").is_some_and(|rest| !rest.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_1_to_255_letters_digits_and_underscores() {
        let longest = "u".repeat(255);
        for good in ["user_1", "1", "_", "user_2g7np7Hrk0SN6kj5EDMLDaKNL0S", &longest] {
            assert_eq!(UserId::parse(good).unwrap(), good);
        }
        let too_long = "u".repeat(256);
        for bad in ["", "user 1", "user-1", "üser", "user_1\0", "user_1'", "user_1\n", &too_long] {
            assert!(UserId::parse(bad).is_err(), "{bad:?}");
            assert!(OrganizationId::parse(bad).is_err(), "{bad:?}");
            assert!(MembershipId::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_instance_says_that_it_is_one() {
        for good in ["ins_1", "ins_2g7np7Hrk0SN", "ins_a_b"] {
            assert_eq!(InstanceId::parse(good).unwrap(), good);
        }
        let too_long = format!("ins_{}", "1".repeat(252));
        for bad in ["", "ins_", "ins", "user_1", "INS_1", "ins_1-2", " ins_1", &too_long] {
            assert!(InstanceId::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_id_is_used_as_text_is() {
        let id = UserId::parse("user_1").unwrap();
        let text = String::from("user_1");
        assert_eq!(id, text);
        assert_eq!(text, id);
        assert_eq!("user_1", id);
        assert_eq!(*"user_1", id);
        assert_eq!(id, *"user_1");
        assert_eq!(format!("[{id:>8}][{id:.3}]"), "[  user_1][use]");
        assert_eq!((String::from(&id), id.to_string()), (text.clone(), text.clone()));
        assert_eq!(std::collections::HashMap::from([(id.clone(), 1)])["user_1"], 1);
        assert_eq!(serde_json::to_string(&id).unwrap(), "\"user_1\"");
        assert_eq!(serde_json::from_str::<UserId>("\"user_1\"").unwrap(), id);
        let refused = serde_json::from_str::<UserId>("\"user 1\"").unwrap_err();
        assert!(refused.to_string().starts_with("not an id of Clerk's"), "{refused}");
    }
}
