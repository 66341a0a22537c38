//! The HTTP client for all requests to Clerk, and the only socket in the crate. The requests
//! themselves are in other files.

#[cfg(feature = "backfill")]
mod backend_api;
#[cfg(any(feature = "backfill", feature = "machines"))]
mod date;

use std::net::IpAddr;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, Response, Url};

#[cfg(feature = "backfill")]
pub(crate) use backend_api::{ApiAnswer, ApiClient, ApiFailure};
#[cfg(feature = "machines")]
pub(crate) use date::answered_at;

use crate::ConfigError;

/// Returns a builder with the settings that all clients share.
pub(crate) fn client_for(url: &Url) -> ClientBuilder {
    let client = Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        // Clerk does not redirect these requests: a redirect is a mistake or an attack.
        .redirect(Policy::none())
        .user_agent(concat!("tower-clerk/", env!("CARGO_PKG_VERSION")));
    // Root certificates are needed, and loaded, for `https:` only. Redirects are not followed.
    let client = match url.scheme() {
        "http" => client.tls_certs_only([]),
        _ => client,
    };
    if is_loopback(url) {
        // No proxy for loopback addresses: a proxy from the environment would receive the request
        // in plain text, and could choose the keys.
        client.no_proxy()
    } else {
        client
    }
}

/// Builds a client; names `setting` in the error.
pub(crate) fn build(client: ClientBuilder, setting: &'static str) -> Result<Client, ConfigError> {
    client.build().map_err(|_| {
        let problem =
            "no TLS client can be built: check that the system's root certificates are installed";
        ConfigError::new(setting, problem)
    })
}

/// An error because of which a body was not read to its end.
pub(crate) enum BodyError {
    Broken(reqwest::Error),
    TooLong,
}

/// Reads a body of at most `limit` bytes.
pub(crate) async fn body(mut response: Response, limit: usize) -> Result<Bytes, BodyError> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(BodyError::Broken)? {
        if body.len() + chunk.len() > limit {
            return Err(BodyError::TooLong);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// Returns the value of `Authorization` for a key, marked as sensitive; names `setting` in the error.
pub(crate) fn bearer(setting: &'static str, key: &str) -> Result<HeaderValue, ConfigError> {
    let mut value = HeaderValue::try_from(format!("Bearer {key}")).map_err(|_| {
        ConfigError::new(setting, "has characters that are not allowed in a header")
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// Returns `Retry-After` if it is in seconds (RFC 9110 10.2.3); a date is ignored.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// Parses a URL with a host and without user name and password: `https:`, or `http:` on a loopback
/// address.
pub(crate) fn secure_url(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).map_err(|_| "is not a URL")?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not contain a user name or a password");
    }
    if url.host_str().is_none() {
        return Err("must have a host");
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback(&url) => Ok(url),
        _ => Err("must be `https:`; `http:` only on a loopback address"),
    }
}

/// Parses the base of URLs: as [`secure_url`], without query and fragment.
pub(crate) fn base_url(text: &str) -> Result<Url, &'static str> {
    let base = secure_url(text)?;
    if base.query().is_some() || base.fragment().is_some() {
        return Err("must have no query (`?`) and no fragment (`#`)");
    }
    Ok(base)
}

/// Returns whether a URL's host is this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The version of the Backend API that this crate understands.
pub(crate) const API_VERSION: &str = "2026-05-12";
pub(crate) const API_VERSION_HEADER: &str = "clerk-api-version";

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_loopback_only() {
        for url in [
            "https://clerk.example.com/.well-known/jwks.json",
            "http://127.0.0.1:8003/jwks",
            "http://[::1]:8003/jwks",
            "http://localhost:8003/jwks",
        ] {
            assert!(secure_url(url).is_ok(), "{url}");
        }
        for url in [
            "",
            "clerk.example.com",
            "http://clerk.example.com/jwks",
            "http://10.0.0.1/jwks",
            "http://localhost.example.com/jwks",
            "http://127.0.0.1.example.com/jwks",
            "ftp://127.0.0.1/jwks",
            "file:///etc/passwd",
            "https://user:secret@clerk.example.com/jwks",
        ] {
            assert!(secure_url(url).is_err(), "{url}");
        }
    }
}
