//! The origins that may use the stand-in: this machine, the stand-in's own pages, and other pages
//! served from this machine.

use std::net::IpAddr;

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use crate::error::ClerkError;

/// Refuses a `Host` that is not loopback. Another site may have pointed its own name at 127.0.0.1
/// to get the same origin (DNS rebinding).
pub(super) async fn loopback_host(request: Request, next: Next) -> Response {
    let authority = request.uri().authority().map(|authority| authority.as_str().to_owned());
    let host = authority.or_else(|| text(request.headers(), header::HOST).map(str::to_owned));
    match host {
        Some(host) if is_loopback(&host) => next.run(request).await,
        _ => ClerkError::forbidden("The dev Clerk is for 127.0.0.1 and localhost only.")
            .into_response(),
    }
}

/// Returns whether the request comes from a page of the stand-in itself, by the `Origin` that
/// browsers send with every POST.
pub(super) fn is_same_origin(headers: &HeaderMap) -> bool {
    match (text(headers, header::ORIGIN), text(headers, header::HOST)) {
        (Some(origin), Some(host)) => origin.strip_prefix("http://") == Some(host),
        _ => false,
    }
}

/// Returns whether `origin` is `http://` or `https://` and a loopback host, as in an `Origin`
/// header.
pub(super) fn is_loopback_origin(origin: &str) -> bool {
    let host = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    host.is_some_and(is_loopback)
}

/// Returns the page on this machine that a signed-in user may be sent back to, without its
/// fragment; `None` if `url` is no such page.
pub(super) fn loopback_page(url: &str) -> Option<LoopbackPage> {
    let uri: Uri = url.parse().ok()?;
    let authority = uri.authority()?.as_str();
    let scheme = uri.scheme_str().filter(|scheme| matches!(*scheme, "http" | "https"))?;
    if !is_loopback(authority) {
        return None;
    }
    let origin = format!("{scheme}://{authority}");
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    Some(LoopbackPage { url: format!("{origin}{path}"), origin })
}

/// A page whose origin is known to be loopback.
#[derive(Debug)]
pub(super) struct LoopbackPage {
    pub(super) url: String,
    pub(super) origin: String,
}

impl LoopbackPage {
    /// Returns what allows a form's response to redirect to the page, in `form-action`. A policy
    /// cannot name an IPv6 address, so for one of those it is all of the scheme; the form is the
    /// stand-in's own and redirects to this page only.
    pub(super) fn policy_source(&self) -> &str {
        match self.origin.split_once("//[") {
            Some((scheme, _)) => scheme,
            None => &self.origin,
        }
    }
}

/// Returns a header that occurs exactly once, as text.
pub(super) fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())?.to_str().ok()
}

/// Returns whether `authority` is `localhost` or a loopback address, with or without a port, and
/// nothing else.
fn is_loopback(authority: &str) -> bool {
    let (host, port) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, rest)) => match rest.strip_prefix(':') {
            Some(port) => (host, Some(port)),
            None => return false,
        },
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    let address = host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    (host == "localhost" || address) && port.is_none_or(|port| port.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_page_on_this_machine_gets_a_user_back() {
        for (given, url) in [
            ("http://127.0.0.1:8002/", "http://127.0.0.1:8002/"),
            ("http://localhost:3000/a?b=c", "http://localhost:3000/a?b=c"),
            ("http://[::1]:8002", "http://[::1]:8002/"),
            ("https://localhost:8443/", "https://localhost:8443/"),
        ] {
            assert_eq!(loopback_page(given).unwrap().url, url);
        }
        for bad in [
            "",
            "/",
            "//127.0.0.1/",
            "ftp://127.0.0.1/",
            "http://127.0.0.1.evil.com/",
            "http://127.0.0.1@evil.com/",
            "http://evil.com@127.0.0.1/",
            "http://localhost.evil.com/",
            "http://127.0.0.1:80:80/",
            "http://evil.com/?http://127.0.0.1/",
            "http://evil.com\\@127.0.0.1/",
            "http://0.0.0.0/",
            "javascript:alert(1)",
        ] {
            assert!(loopback_page(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn fault_c10_a_page_on_an_ipv6_address_can_be_redirected_to() {
        let source = |url| loopback_page(url).unwrap().policy_source().to_owned();
        assert_eq!(source("http://[::1]:8002/"), "http:");
        assert_eq!(source("https://[::1]/"), "https:");
        assert_eq!(source("http://127.0.0.1:8002/a//[b"), "http://127.0.0.1:8002");
    }

    #[test]
    fn a_form_counts_only_when_our_own_page_sent_it() {
        let headers = |pairs: &[(HeaderName, &'static str)]| {
            let pairs = pairs.iter().map(|(name, value)| (name.clone(), value.parse().unwrap()));
            pairs.collect::<HeaderMap>()
        };
        let host = (header::HOST, "127.0.0.1:8003");
        let own = (header::ORIGIN, "http://127.0.0.1:8003");
        assert!(is_same_origin(&headers(&[host.clone(), own])));
        for origin in ["null", "http://127.0.0.1:8002", "http://evil.com", "127.0.0.1:8003"] {
            assert!(!is_same_origin(&headers(&[host.clone(), (header::ORIGIN, origin)])));
        }
        assert!(!is_same_origin(&headers(&[host])));
    }
}
