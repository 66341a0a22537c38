//! The host that a request names. Syntax only.
//!
//! Needed by row F35.

use std::net::{IpAddr, Ipv6Addr};

use axum::http::{Request, header};

/// A host without its port, safe to put into a URL.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Host<'a> {
    /// An IP address.
    Address(IpAddr),
    /// A name of letters, digits, hyphens and dots.
    Name(&'a str),
}

impl<'a> Host<'a> {
    /// Returns the host of an absolute URI (as HTTP/2 sends it), else of the only `Host` header.
    pub fn of<B>(request: &'a Request<B>) -> Option<Self> {
        if let Some(authority) = request.uri().authority() {
            return Self::parse(authority.as_str());
        }
        Self::of_header(request)
    }

    /// Returns the host of the only `Host` header.
    pub fn of_header<B>(request: &'a Request<B>) -> Option<Self> {
        let mut hosts = request.headers().get_all(header::HOST).iter();
        let host = hosts.next().filter(|_| hosts.next().is_none())?;
        Self::parse(host.to_str().ok()?)
    }

    fn parse(authority: &'a str) -> Option<Self> {
        if let Some(rest) = authority.strip_prefix('[') {
            let (address, port) = rest.split_once(']')?;
            let address = address.parse::<Ipv6Addr>().ok()?;
            return is_port(port).then_some(Self::Address(address.into()));
        }
        let end = authority.find(':').unwrap_or(authority.len());
        let (host, port) = authority.split_at(end);
        if !is_port(port) {
            return None;
        }
        match host.parse() {
            Ok(address) => Some(Self::Address(IpAddr::V4(address))),
            Err(_) => is_name(host).then_some(Self::Name(host)),
        }
    }

    /// Returns whether browsers should remember a policy for it. An address is not a name, and
    /// `localhost` belongs to every project on a developer's machine.
    pub(super) fn is_public_name(&self) -> bool {
        match self {
            Self::Address(_) => false,
            Self::Name(name) => {
                let name = name.trim_end_matches('.').to_ascii_lowercase();
                name != "localhost" && !name.ends_with(".localhost")
            }
        }
    }
}

impl std::fmt::Display for Host<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Address(IpAddr::V4(address)) => write!(f, "{address}"),
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Self::Name(name) => write!(f, "{name}"),
        }
    }
}

/// Returns whether `text` is empty, or a colon and a port.
fn is_port(text: &str) -> bool {
    match text.strip_prefix(':') {
        Some(port) => port.parse::<u16>().is_ok() && !port.starts_with('+'),
        None => text.is_empty(),
    }
}

fn is_name(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    text.len() <= 253 && text.strip_suffix('.').unwrap_or(text).split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_name_or_an_address_is_a_host() {
        for (text, host) in [
            ("app.example.com", "app.example.com"),
            ("app.example.com:8443", "app.example.com"),
            ("localhost:1", "localhost"),
            ("127.0.0.1:80", "127.0.0.1"),
            ("[::1]:80", "[::1]"),
            ("[2001:db8::1]", "[2001:db8::1]"),
        ] {
            assert_eq!(Host::parse(text).unwrap().to_string(), host);
        }
        for bad in [
            "",
            ":80",
            ".",
            "a..b",
            "a b",
            "a/b",
            "user@a",
            "a:b",
            "a:80:80",
            "a:+80",
            "a:99999",
            "[::1",
            "[::1]x",
            "[a]",
            "::1",
            "a\\b",
            "a?b",
            "a#b",
            "a%0d",
            "ä.example",
            "a\tb",
        ] {
            assert_eq!(Host::parse(bad), None, "{bad}");
        }
        assert_eq!(Host::parse(&"a.".repeat(200)), None);
    }

    #[test]
    fn browsers_are_asked_to_remember_public_names_only() {
        for (text, public) in [
            ("app.example.com", true),
            ("localhost.example", true),
            ("localhost:8443", false),
            ("LOCALHOST.", false),
            ("app.localhost", false),
            ("192.0.2.1", false),
            ("[2001:db8::1]", false),
        ] {
            assert_eq!(Host::parse(text).unwrap().is_public_name(), public, "{text}");
        }
    }
}
