//! Origins, as browsers write them in `Origin` and Clerk in `azp`. Parsing one sends no request.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::ConfigError;

/// An origin exactly as browsers send it: `https://app.example.com`, or that of a mobile or desktop
/// shell or of a browser's extension, such as `tauri://localhost`.
///
/// Origins are compared byte for byte. A text that no browser sends could match nothing, so it is
/// refused, and the error says what was probably meant.
///
/// ```
/// use tower_clerk::Origin;
///
/// assert_eq!(Origin::parse("https://app.example.com")?.as_str(), "https://app.example.com");
/// assert!(Origin::parse("https://app.example.com:443").is_err());
/// # Ok::<(), tower_clerk::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin(Box<str>);

impl Origin {
    /// Parses an origin.
    ///
    /// # Errors
    ///
    /// It is not `scheme://host[:port]` as browsers write it: in lower case, without the scheme's own
    /// port, a path, a slash at the end or a wildcard.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        match check(text) {
            Ok(()) => Ok(Self(text.into())),
            Err(problem) => Err(ConfigError::new("origin", problem)),
        }
    }

    /// Returns the origin itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn check(text: &str) -> Result<(), &'static str> {
    if text.contains(['"', '\'']) {
        return Err(QUOTES);
    }
    if text.contains('*') {
        return Err("a `*` matches nothing: list each origin");
    }
    if text == "null" {
        return Err(
            "`null` is what browsers send for any sandboxed page: list the origins of your \
                    front end instead",
        );
    }
    let Some((scheme, authority)) = text.split_once("://").filter(|(scheme, _)| !scheme.is_empty())
    else {
        return Err(
            "an origin starts with its scheme, such as `https://app.example.com`, and not \
                    with `app.example.com`; several are separated by commas",
        );
    };
    if let Some((_, rest)) = authority.split_once(['/', '?', '#', '\\']) {
        return Err(match rest {
            "" => "an origin has no slash at its end: `https://app.example.com`",
            _ => "an origin has no path: `https://app.example.com`",
        });
    }
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err("browsers send an origin in lower case: `https://app.example.com`");
    }
    let of_scheme = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"+-.".contains(&b);
    if !scheme.bytes().all(of_scheme) || scheme.starts_with(|c: char| !c.is_ascii_lowercase()) {
        return Err("a scheme is letters and digits, as in `https://` or `tauri://`");
    }
    let (host, _) = split_port(authority);
    let is_host =
        if matches!(scheme, "http" | "https") { is_host(host) } else { is_own_host(host) };
    if !is_host {
        return Err(
            "browsers send a plain host name, or an address in its shortest form; names with \
                    other letters as `xn--…`: `https://app.example.com`",
        );
    }
    check_port(scheme, authority)
}

/// Checks the port of `host[:port]` as URLs are written after parsing (WHATWG URL): not empty,
/// without leading zeros, and not the scheme's own. The error says what was probably meant.
pub(crate) fn check_port(scheme: &str, authority: &str) -> Result<(), &'static str> {
    let Some(port) = split_port(authority).1 else { return Ok(()) };
    if port.is_empty() {
        return Err("must not end in a colon: leave the colon out");
    }
    let number = port.parse::<u16>().ok().filter(|number| number.to_string() == port);
    match (scheme, number) {
        (_, None | Some(0)) => Err("must have a port from 1 to 65535, or none"),
        ("https", Some(443)) | ("http", Some(80)) => {
            Err("must not name the scheme's own port: leave out `:443` with https, `:80` with http")
        }
        _ => Ok(()),
    }
}

/// Splits `host[:port]`; the host may be an address in brackets.
pub(crate) fn split_port(authority: &str) -> (&str, Option<&str>) {
    let after_address = authority.rfind(']').map_or(0, |end| end + 1);
    match authority.get(after_address..).and_then(|rest| rest.find(':')) {
        Some(at) => {
            let (host, port) = authority.split_at(after_address + at);
            (host, port.strip_prefix(':'))
        }
        None => (authority, None),
    }
}

/// Returns whether it is a host of the web, as browsers write it.
pub(crate) fn is_host(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return address.parse::<Ipv6Addr>().is_ok_and(|ip| ip.to_string() == address);
    }
    let label = |label: &str| {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_".contains(&b);
        !label.is_empty() && label.bytes().all(plain)
    };
    let last = host.rsplit('.').next().unwrap_or_default();
    // A host that ends in a number is an address to a browser.
    let is_address = last.bytes().all(|byte| byte.is_ascii_digit());
    host.split('.').all(label) && (!is_address || host.parse::<Ipv4Addr>().is_ok())
}

/// Returns whether it can be a host under a scheme of a shell's or a browser's own.
fn is_own_host(host: &str) -> bool {
    !host.is_empty() && host.bytes().all(|b| b.is_ascii_graphic() && !b"@,%[]".contains(&b))
}

/// A problem of origins and issuers.
pub(crate) const QUOTES: &str =
    "must not contain quotes: some programs keep those of an environment file";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fault_c6_an_origin_that_no_browser_sends_is_refused_with_what_was_meant() {
        for (bad, word) in [
            ("*", "`*`"),
            ("https://*.example.com", "`*`"),
            ("null", "null"),
            ("", "scheme"),
            ("example.com", "scheme"),
            ("localhost:3000", "scheme"),
            ("//example.com", "scheme"),
            ("://example.com", "scheme"),
            ("1a://example.com", "scheme"),
            ("HTTPS://example.com", "lower case"),
            ("Tauri://localhost", "lower case"),
            ("file:///tmp", "no path"),
            ("file://", "plain host"),
            ("tauri://a@localhost", "plain host"),
            ("https://example.com/", "slash"),
            ("tauri://localhost/", "slash"),
            ("https://example.com/app", "path"),
            ("https://example.com?a=b", "path"),
            ("https://example.com#a", "path"),
            ("https://example.com\\evil", "path"),
            ("https://Example.com", "lower case"),
            ("https://user@example.com", "plain host"),
            ("https://", "plain host"),
            ("https://.example.com", "plain host"),
            ("https://example.com.", "plain host"),
            ("https://exa mple.com", "plain host"),
            ("https://exämple.com", "plain host"),
            ("http://127.1", "plain host"),
            ("http://2130706433", "plain host"),
            ("http://[::1", "plain host"),
            ("http://[0:0:0:0:0:0:0:1]:3000", "plain host"),
            ("https://example.com:443", "leave out `:443`"),
            ("http://example.com:80", "`:80` with http"),
            ("https://example.com:", "leave the colon out"),
            ("https://example.com:0", "port"),
            ("https://example.com:03000", "port"),
            ("https://example.com:65536", "port"),
            ("https://example.com:+1", "port"),
        ] {
            let error = Origin::parse(bad).unwrap_err();
            assert_eq!(error.setting(), "origin", "{bad}");
            assert!(error.to_string().contains(word), "{bad}: {error}");
        }
        for good in [
            "https://app.example.com",
            "https://app.example.com:8443",
            "https://example.com:80",
            "http://example.com:443",
            "http://localhost:3000",
            "http://127.0.0.1:5173",
            "http://[::1]:3000",
            "https://xn--exmple-cua.com",
            "https://my_app.example.com",
            "tauri://localhost",
            "capacitor://localhost",
            "ionic://localhost",
            "app://-",
            "chrome-extension://aapbdbdomjkkjkaonfhkkikfgjllcleb",
            "moz-extension://4c3a7b9e-0d1f-4e2a-8b5c-6d7e8f901234",
        ] {
            assert_eq!(Origin::parse(good).unwrap().as_str(), good);
        }
    }
}
