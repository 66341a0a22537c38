//! The origins whose pages may read answers, exactly as browsers send them.

use std::net::{Ipv4Addr, Ipv6Addr};

use axum::http::HeaderValue;

pub(super) fn origins(text: &str) -> Result<Vec<HeaderValue>, &'static str> {
    text.split(',').map(str::trim).filter(|origin| !origin.is_empty()).map(origin).collect()
}

/// Parses an origin. Browsers send the scheme, the host and, unless it is the scheme's default, the
/// port; origins are compared byte for byte. A text that no browser sends would never match, so it
/// is refused here.
fn origin(text: &str) -> Result<HeaderValue, &'static str> {
    if text.contains('*') {
        return Err("a `*` is not allowed, because credentials are: list each origin");
    }
    if text == "null" {
        return Err("null is what browsers send for any sandboxed page: list the origins of your \
                    front end instead");
    }
    let Some((scheme, authority)) = text.split_once("://") else {
        return Err("an origin begins with its scheme: https://app.example.com, not \
                    app.example.com");
    };
    if !matches!(scheme, "http" | "https") {
        return Err("an origin begins with https:// or http://, in lower case");
    }
    if let Some((_, rest)) = authority.split_once(['/', '?', '#', '\\']) {
        return Err(match rest {
            "" => "an origin has no slash at its end: https://app.example.com",
            _ => "an origin has no path: https://app.example.com",
        });
    }
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err("browsers send the host in lower case: https://app.example.com");
    }
    if !is_host(host) {
        return Err("browsers send a plain host name, or an address in its shortest form; names \
                    with other letters as xn--…: https://app.example.com");
    }
    match port {
        Some("80") if scheme == "http" => Err(OWN_PORT),
        Some("443") if scheme == "https" => Err(OWN_PORT),
        Some(port) if !is_port(port) => Err("a port is a number from 1 to 65535"),
        _ => HeaderValue::from_str(text).map_err(|_| "an origin is plain text"),
    }
}

fn is_host(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return address.parse::<Ipv6Addr>().is_ok_and(|ip| ip.to_string() == address);
    }
    let label = |label: &str| {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        !label.is_empty() && label.bytes().all(|byte| plain(byte) || matches!(byte, b'-' | b'_'))
    };
    let last = host.rsplit('.').next().unwrap_or_default();
    // A host that ends in a number is an address to a browser.
    let is_address = last.bytes().all(|byte| byte.is_ascii_digit());
    host.split('.').all(label) && (!is_address || host.parse::<Ipv4Addr>().is_ok())
}

fn is_port(port: &str) -> bool {
    port.parse::<u16>().is_ok_and(|number| number > 0 && number.to_string() == port)
}

const OWN_PORT: &str = "browsers leave out :443 after https:// and :80 after http://, so with it \
                        an origin never matches";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f15_an_origin_that_no_browser_sends_is_refused_with_what_is_wrong_with_it() {
        for (bad, word) in [
            ("*", "`*`"),
            ("https://*.example.com", "`*`"),
            ("http://localhost:3000, *", "`*`"),
            ("null", "null"),
            ("example.com", "scheme"),
            ("localhost:3000", "scheme"),
            ("//example.com", "scheme"),
            ("HTTPS://example.com", "lower case"),
            ("file:///tmp", "https://"),
            ("chrome-extension://abc", "https://"),
            ("https://example.com/", "slash"),
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
            ("https://example.com:443", "never matches"),
            ("http://example.com:80", "never matches"),
            ("https://example.com:", "port"),
            ("https://example.com:0", "port"),
            ("https://example.com:03000", "port"),
            ("https://example.com:65536", "port"),
            ("https://example.com:+1", "port"),
        ] {
            let Err(problem) = origins(bad) else { panic!("{bad}") };
            assert!(problem.contains(word), "{bad}: {problem}");
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
        ] {
            assert_eq!(origins(good).unwrap(), [good]);
        }
        let two = origins("https://a.example, http://localhost:5173,").unwrap();
        assert_eq!(two, ["https://a.example", "http://localhost:5173"]);
    }
}
