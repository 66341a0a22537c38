//! Whether a request that a browser gave a cookie by itself was made by a page of the server's own
//! origin, or of one that the server allows.

use http::header::{HOST, HeaderName, ORIGIN, UPGRADE};
use http::{HeaderMap, HeaderValue, Method};

use super::RequestHead;
use crate::origin::{Origin, split_port};

/// Returns whether a page of another site could do harm by such a request: any that may change
/// something, and any WebSocket handshake, which no browser holds back for CORS. The handshake of
/// HTTP/2 (RFC 8441) is a `CONNECT`, whose protocol is not looked at: every `CONNECT` counts.
pub(super) fn must_be_same_origin(request: RequestHead<'_>) -> bool {
    let is_safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    !is_safe || is_websocket(request.headers())
}

/// Returns whether a browser says that the page's origin is this server's, or one of `allowed`.
pub(super) fn is_same_origin(request: RequestHead<'_>, allowed: &[Origin]) -> bool {
    let headers = request.headers();
    if only(headers, &SEC_FETCH_SITE) == Some("same-origin") {
        return true;
    }
    only(headers, &ORIGIN).is_some_and(|origin| {
        allowed.iter().any(|allowed| allowed.as_str() == origin)
            || host(request).is_some_and(|host| is_at(origin, host))
    })
}

fn is_websocket(headers: &HeaderMap) -> bool {
    let word = b"websocket";
    let names_it = |line: &HeaderValue| {
        line.as_bytes().windows(word.len()).any(|part| part.eq_ignore_ascii_case(word))
    };
    headers.get_all(UPGRADE).iter().any(names_it)
}

/// Returns the host and port that the request was sent to: `:authority`, or the authority of an
/// absolute URI, or `Host`.
fn host<'r>(request: RequestHead<'r>) -> Option<&'r str> {
    match request.uri().authority() {
        Some(authority) => Some(authority.as_str()),
        None => only(request.headers(), &HOST),
    }
}

/// Returns whether a web origin has this host and port. Behind a proxy a server does not know its own
/// scheme, so that a host without a port has the default port of the origin's scheme.
fn is_at(origin: &str, host: &str) -> bool {
    let (default, origin) = match origin.split_once("://") {
        Some(("https", authority)) => (443, authority),
        Some(("http", authority)) => (80, authority),
        _ => return false,
    };
    let (origin, origin_port) = split_port(origin);
    let (host, host_port) = split_port(host);
    let port = |text: Option<&str>| match text {
        None => Some(default),
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().ok(),
        Some(_) => None,
    };
    let (origin_port, host_port): (Option<u16>, _) = (port(origin_port), port(host_port));
    !origin.is_empty()
        && origin.eq_ignore_ascii_case(host)
        && origin_port.is_some()
        && origin_port == host_port
}

/// Returns a header's value if there is exactly one line of it.
fn only<'r>(headers: &'r HeaderMap, name: &HeaderName) -> Option<&'r str> {
    let mut lines = headers.get_all(name).iter();
    match (lines.next(), lines.next()) {
        (Some(line), None) => line.to_str().ok(),
        _ => None,
    }
}

/// What browsers say about where a request comes from (Fetch Metadata). A page cannot write it.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn request(method: &str, uri: &str, headers: &[(&str, &str)]) -> Request<()> {
        let builder = Request::builder().method(method).uri(uri);
        headers
            .iter()
            .fold(builder, |builder, (name, value)| builder.header(*name, *value))
            .body(())
            .unwrap()
    }

    #[test]
    fn every_method_but_three_and_every_websocket_handshake_must_be_same_origin() {
        let must = |method, headers: &[(&str, &str)]| {
            must_be_same_origin(RequestHead::from(&request(method, "/", headers)))
        };
        for method in ["GET", "HEAD", "OPTIONS"] {
            assert!(!must(method, &[]), "{method}");
            assert!(!must(method, &[("upgrade", "h2c")]), "{method}");
            for upgrade in ["websocket", "WebSocket", "h2c, websocket", "websocket/13"] {
                assert!(must(method, &[("upgrade", upgrade)]), "{method} {upgrade}");
            }
            assert!(must(method, &[("upgrade", "h2c"), ("upgrade", "websocket")]), "{method}");
        }
        for method in ["POST", "PUT", "PATCH", "DELETE", "CONNECT", "TRACE", "get", "PROPFIND"] {
            assert!(must(method, &[]), "{method}");
        }
    }

    #[test]
    fn a_cookie_counts_from_the_same_origin_or_an_allowed_one_and_from_no_other() {
        let allowed = [Origin::parse("https://app.example.com").unwrap()];
        let host = ("host", "api.example.com");
        let same = |uri: &str, headers: &[(&str, &str)]| {
            is_same_origin(RequestHead::from(&request("POST", uri, headers)), &allowed)
        };
        let yes: &[&[(&str, &str)]] = &[
            &[host, ("sec-fetch-site", "same-origin")],
            &[host, ("sec-fetch-site", "same-origin"), ("origin", "null")],
            &[host, ("origin", "https://api.example.com")],
            &[host, ("origin", "http://api.example.com")],
            &[("host", "API.example.com"), ("origin", "https://api.example.com")],
            &[("host", "api.example.com:443"), ("origin", "https://api.example.com")],
            &[("host", "api.example.com:80"), ("origin", "http://api.example.com")],
            &[("host", "localhost:3000"), ("origin", "http://localhost:3000")],
            &[("host", "[::1]:3000"), ("origin", "http://[::1]:3000")],
            &[host, ("origin", "https://app.example.com")],
            &[host, ("origin", "https://app.example.com"), ("sec-fetch-site", "same-site")],
            &[("origin", "https://app.example.com")],
        ];
        for headers in yes {
            assert!(same("/", headers), "{headers:?}");
        }
        let no: &[&[(&str, &str)]] = &[
            &[host],
            &[host, ("origin", "null")],
            &[host, ("origin", "")],
            &[host, ("origin", "https://")],
            &[("host", ""), ("origin", "https://")],
            &[host, ("sec-fetch-site", "same-site")],
            &[host, ("sec-fetch-site", "cross-site")],
            &[host, ("sec-fetch-site", "none")],
            &[host, ("sec-fetch-site", "Same-Origin")],
            &[host, ("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")],
            &[host, ("origin", "https://evil.example")],
            &[host, ("origin", "https://api.example.com.evil.example")],
            &[host, ("origin", "https://evil.example/api.example.com")],
            &[host, ("origin", "https://user@api.example.com")],
            &[host, ("origin", "https://api.example.com:8443")],
            &[host, ("origin", "https://api.example.com:")],
            &[host, ("origin", "https://api.example.com:+443")],
            &[host, ("origin", "https://api.example.com:99999")],
            &[host, ("origin", "http://app.example.com")],
            &[host, ("origin", "https://app.example.com.")],
            &[host, ("origin", "tauri://api.example.com")],
            &[host, ("origin", "api.example.com")],
            &[host, ("origin", "https://api.example.com"), ("origin", "https://evil.example")],
            &[host, ("host", "evil.example"), ("origin", "https://api.example.com")],
            &[("host", "api.example.com:8443"), ("origin", "https://api.example.com")],
            &[("host", "api.example.com:80"), ("origin", "https://api.example.com")],
            &[("host", "api.example.com:99999"), ("origin", "https://api.example.com:99999")],
            &[("origin", "https://api.example.com")],
        ];
        for headers in no {
            assert!(!same("/", headers), "{headers:?}");
        }
        // HTTP/2's `:authority` counts and not a `Host` beside it.
        let at = "https://api.example.com/";
        assert!(same(at, &[("origin", "https://api.example.com")]));
        assert!(!same(at, &[("host", "evil.example"), ("origin", "https://evil.example")]));
    }
}
