//! Publishable keys, which name a Clerk instance. Parsing one sends no request.

use std::fmt;
use std::net::Ipv6Addr;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::ConfigError;

/// A publishable key, `pk_test_…` or `pk_live_…`: public, and enough to find an instance's keys.
///
/// The prefix is followed by the base64 of the Frontend API's host and `$`. Clerk's own SDKs accept
/// any text there; this type accepts only a bare host with an optional port, because a JWKS URL is
/// built from it.
///
/// ```
/// use tower_clerk::PublishableKey;
///
/// let key = PublishableKey::parse("pk_test_Y2xlcmsuZXhhbXBsZS5jb20k")?;
/// assert_eq!(key.frontend_api(), "clerk.example.com");
/// assert_eq!(key.issuer(), "https://clerk.example.com");
/// assert!(!key.is_live());
/// # Ok::<(), tower_clerk::ConfigError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct PublishableKey {
    text: Box<str>,
    host: Box<str>,
}

impl PublishableKey {
    /// Parses a publishable key as the Dashboard shows it, with or without base64 padding.
    ///
    /// # Errors
    ///
    /// The prefix is wrong, the rest is not base64, or it does not hold `<host>[:port]$`.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let problem = |text| ConfigError::new("publishable key", text);
        // A file's line end.
        let text = text.trim();
        let encoded = text
            .strip_prefix("pk_test_")
            .or_else(|| text.strip_prefix("pk_live_"))
            .ok_or_else(|| problem("must start with `pk_test_` or `pk_live_`"))?;
        let decoded = EITHER_PADDING
            .decode(encoded)
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .ok_or_else(|| {
                problem("the part after the prefix is not base64 text; copy the whole key again")
            })?;
        let host = decoded
            .strip_suffix('$')
            .filter(|host| is_host_and_port(host))
            .ok_or_else(|| problem("does not name a host; copy the whole key again"))?;
        Ok(Self { text: text.into(), host: host.into() })
    }

    /// Returns the key as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the Frontend API's host, with its port if it has one.
    #[must_use]
    pub fn frontend_api(&self) -> &str {
        &self.host
    }

    /// Returns the `iss` of this instance's session tokens.
    #[must_use]
    pub fn issuer(&self) -> String {
        format!("https://{}", self.host)
    }

    /// Returns the URL at which the Frontend API publishes the instance's keys.
    #[must_use]
    pub fn jwks_url(&self) -> String {
        format!("https://{}/.well-known/jwks.json", self.host)
    }

    /// Returns the suffix of the instance's cookies, as in `__session_<suffix>`: the first eight characters of
    /// the base64url of the SHA-1 of the key as it is written, so that it differs with and without padding.
    #[must_use]
    pub fn cookie_suffix(&self) -> String {
        let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, self.text.as_bytes());
        let mut suffix = URL_SAFE_NO_PAD.encode(hash);
        suffix.truncate(8);
        suffix
    }

    /// Returns whether the key belongs to a production instance.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.text.starts_with("pk_live_")
    }
}

impl fmt::Debug for PublishableKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PublishableKey").field(&self.host).finish()
    }
}

/// Returns whether a text is a host with an optional port. The host is an IPv6 address in brackets,
/// or consists of letters, digits, hyphens and at least one dot, which Clerk demands.
fn is_host_and_port(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, rest)) => {
            return address.parse::<Ipv6Addr>().is_ok()
                && (rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port));
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    host.contains('.') && host.split('.').all(label) && port.is_none_or(is_port)
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit()) && text.parse::<u16>().is_ok_and(|port| port != 0)
}

const EITHER_PADDING: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    fn key(host: &str) -> String {
        format!("pk_live_{}", STANDARD.encode(host))
    }

    #[test]
    fn padded_and_unpadded_keys_name_the_same_host() {
        for text in ["pk_test_Y2xlcmsuY2xlcmsuZGV2JA", "pk_test_Y2xlcmsuY2xlcmsuZGV2JA=="] {
            let key = PublishableKey::parse(text).unwrap();
            assert_eq!(key.frontend_api(), "clerk.clerk.dev");
            assert_eq!(key.jwks_url(), "https://clerk.clerk.dev/.well-known/jwks.json");
        }
    }

    #[test]
    fn a_port_belongs_to_the_host() {
        for host in ["127.0.0.1:8003", "[::1]:8003", "clerk.example.com", "[::1]"] {
            let key = PublishableKey::parse(&key(&format!("{host}$"))).unwrap();
            assert_eq!(key.issuer(), format!("https://{host}"));
            assert!(key.is_live());
        }
    }

    #[test]
    fn a_key_that_does_not_name_a_bare_host_is_refused() {
        for host in [
            "",
            "$",
            "clerk.example.com",
            "clerk.example.com$$",
            "localhost$",
            "evil.com/?a=.$",
            "user@evil.com$",
            "evil.com#.$",
            "clerk.example.com:0$",
            "clerk.example.com:65536$",
            "clerk.example.com:+80$",
            "clerk..example.com$",
            "-clerk.example.com$",
            "[::1$",
            "[::1]x$",
            "clerk.exämple.com$",
            "clerk.example.com\n$",
        ] {
            assert!(PublishableKey::parse(&key(host)).is_err(), "{host:?}");
        }
        for text in ["", "pk_", "pk_prod_Y2xlcmsuY2xlcmsuZGV2JA", "pk_test_Y2xl-msuY2xlcmsuZGV2JA"]
        {
            assert!(PublishableKey::parse(text).is_err(), "{text:?}");
        }
    }
}
