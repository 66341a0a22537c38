//! Types for Clerk's ids, checked where they become keys of rows.
//!
//! Clerk writes an id as a prefix followed by letters and digits, for example
//! `user_2g7np7Hrk0SN6kj5EDMLDaKNL0S`. The prefix is not checked, because users who were imported
//! from another instance may have ids of another form. A session's user id has none of these types,
//! so that no token is refused for the form of its `sub`.
//!
//! ```
//! use tower_clerk::ids::UserId;
//!
//! let id = UserId::parse("user_1").expect("letters, digits and an underscore");
//! assert_eq!(id, "user_1");
//! assert!(UserId::parse("user 1").is_none());
//! ```

use std::borrow::Borrow;
use std::fmt;
use std::ops::Deref;

/// The length of the longest id, in bytes.
pub(crate) const MAX_ID_BYTES: usize = 255;

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
            /// Parses an id; returns `None` if the text is not one.
            #[must_use]
            pub fn parse(text: impl AsRef<str> + Into<String>) -> Option<Self> {
                let is: fn(&str) -> bool = $is;
                if is(text.as_ref()) { Id::parse(text).map(Self) } else { None }
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

        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                self.as_str() == other
            }
        }

        impl PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                self.as_str() == *other
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
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
            assert!(UserId::parse(bad).is_none(), "{bad:?}");
            assert!(OrganizationId::parse(bad).is_none(), "{bad:?}");
            assert!(MembershipId::parse(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn an_instance_says_that_it_is_one() {
        for good in ["ins_1", "ins_2g7np7Hrk0SN", "ins_a_b"] {
            assert_eq!(InstanceId::parse(good).unwrap(), good);
        }
        let too_long = format!("ins_{}", "1".repeat(252));
        for bad in ["", "ins_", "ins", "user_1", "INS_1", "ins_1-2", " ins_1", &too_long] {
            assert!(InstanceId::parse(bad).is_none(), "{bad:?}");
        }
    }
}
