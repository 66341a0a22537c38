//! The only socket in the crate: one HTTP client, configured once, for what is fetched from
//! Clerk.

use std::net::IpAddr;
use std::time::Duration;

use bytes::BytesMut;
use http::header::{AUTHORIZATION, CACHE_CONTROL, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode, Url};

use crate::ConfigError;
use crate::secret::SecretKey;
use crate::session::keys::{Fetch, FetchError, FetchFuture, Fetched};

/// Fetches a JWKS document from one URL.
#[derive(Clone, Debug)]
pub(crate) struct JwksClient {
    client: Client,
    url: Url,
    authorization: Option<HeaderValue>,
}

impl JwksClient {
    /// A client for `url`, with a secret key when that is the Backend API's.
    pub(crate) fn new(url: &str, secret_key: Option<&SecretKey>) -> Result<Self, ConfigError> {
        let url = secure_url(url).map_err(|problem| ConfigError::new("JWKS URL", problem))?;
        let authorization = secret_key.map(bearer).transpose()?;
        let mut client = Client::builder();
        if is_loopback(&url) {
            // Nobody between this machine and itself: a proxy from the environment would be asked
            // in plain text, and whoever answers there would choose the keys.
            client = client.no_proxy();
        }
        let client = client
            .connect_timeout(CONNECT_TIMEOUT)
            // A document that moves is a document that somebody moved.
            .redirect(Policy::none())
            // Fetched every few minutes: a kept connection would be dead when it is wanted.
            .pool_max_idle_per_host(0)
            .user_agent(concat!("tower-clerk/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|_| {
                ConfigError::new(
                    "JWKS URL",
                    "no TLS client can be made: are root certificates installed?",
                )
            })?;
        Ok(Self { client, url, authorization })
    }
}

impl Fetch for JwksClient {
    fn fetch(&self) -> FetchFuture<'_> {
        Box::pin(async {
            let failed = |error: reqwest::Error| {
                FetchError::new("the JWKS URL does not answer").with_source(error.without_url())
            };
            let mut request = self.client.get(self.url.clone());
            if let Some(authorization) = &self.authorization {
                request = request
                    .header(AUTHORIZATION, authorization)
                    .header("clerk-api-version", API_VERSION);
            }
            let mut response = request.send().await.map_err(failed)?;
            if response.status() != StatusCode::OK {
                let status = response.status();
                let error = FetchError::new(format!("the JWKS URL answers {status}"));
                return Err(match retry_after(response.headers()) {
                    Some(pause) => error.with_retry_after(pause),
                    None => error,
                });
            }
            let max_age = max_age(response.headers());
            let mut body = BytesMut::new();
            while let Some(chunk) = response.chunk().await.map_err(failed)? {
                if body.len() + chunk.len() > MAX_BODY_BYTES {
                    return Err(FetchError::new("the JWKS URL's answer is longer than 256 KiB"));
                }
                body.extend_from_slice(&chunk);
            }
            let fetched = Fetched::new(body);
            Ok(match max_age {
                Some(max_age) => fetched.with_max_age(max_age),
                None => fetched,
            })
        })
    }
}

fn bearer(secret_key: &SecretKey) -> Result<HeaderValue, ConfigError> {
    let text = format!("Bearer {}", secret_key.expose());
    let mut value = HeaderValue::try_from(text)
        .map_err(|_| ConfigError::new("secret key", "holds what no header can"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// `Retry-After` in seconds (RFC 9110 10.2.3); a date is passed over.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// `max-age` of `Cache-Control` (RFC 9111 5.2.2.1); zero where nothing may be kept.
fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let mut age = None;
    for line in headers.get_all(CACHE_CONTROL) {
        for directive in line.to_str().ok()?.split(',') {
            let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
            match &*name.trim().to_ascii_lowercase() {
                "no-store" | "no-cache" => return Some(Duration::ZERO),
                "max-age" => age = value.trim().trim_matches('"').parse().ok(),
                _ => {}
            }
        }
    }
    age.map(Duration::from_secs)
}

/// `https:`, or `http:` to a loopback address; a host; no user, no password.
pub(crate) fn secure_url(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).map_err(|_| "is not a URL")?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not hold a user name or a password");
    }
    if url.host_str().is_none() {
        return Err("must name a host");
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback(&url) => Ok(url),
        _ => Err("must be `https:`; `http:` only on a loopback address"),
    }
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The version of the Backend API whose answers are understood here.
const API_VERSION: &str = "2026-05-12";

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// An instance's document has some hundred bytes a key.
const MAX_BODY_BYTES: usize = 256 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_says_how_long_its_answer_is_fresh() {
        let age = |line: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(CACHE_CONTROL, HeaderValue::from_static(line));
            max_age(&headers).map(|age| age.as_secs())
        };
        assert_eq!(age("public, max-age=120, must-revalidate"), Some(120));
        assert_eq!(age("Max-Age=\"7\""), Some(7));
        assert_eq!(age("max-age=120, no-store"), Some(0));
        for line in ["public", "max-age", "max-age=-1", "max-age=x", "s-maxage=5", ""] {
            assert_eq!(age(line), None, "{line:?}");
        }
    }

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
