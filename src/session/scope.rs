//! A scope that a guard requires of a caller who is not a user.

use std::fmt;

use http::HeaderValue;

/// A scope, such as `posts:read`, as it is given to API keys, machines' and OAuth tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Scope(&'static str);

impl Scope {
    /// Names a scope: printable ASCII without spaces, quotes and backslashes (RFC 6749 3.3). One of another
    /// form is had by nobody, and the refusal does not repeat it.
    #[must_use]
    pub const fn new(scope: &'static str) -> Self {
        Self(scope)
    }

    /// Returns the scope itself.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }

    /// Returns whether it can be a scope.
    pub(super) fn is_valid(self) -> bool {
        let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\');
        !self.0.is_empty() && self.0.bytes().all(plain)
    }

    /// Returns the challenge to a caller who lacks it (RFC 6750 3.1).
    pub(super) fn challenge(self) -> HeaderValue {
        let scope = if self.is_valid() { format!(", scope=\"{self}\"") } else { String::new() };
        let challenge = format!(r#"Bearer error="insufficient_scope"{scope}"#);
        let plain = HeaderValue::from_static(r#"Bearer error="insufficient_scope""#);
        HeaderValue::try_from(challenge).unwrap_or(plain)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_named_in_the_challenge_unless_it_could_not_be_one() {
        let named = Scope::new("posts:read").challenge();
        assert_eq!(named, r#"Bearer error="insufficient_scope", scope="posts:read""#);
        for odd in ["", "a b", "a\"b", "a\\b", "a\nb", "\u{e9}"] {
            assert_eq!(
                Scope::new(odd).challenge(),
                r#"Bearer error="insufficient_scope""#,
                "{odd:?}"
            );
        }
    }
}
