//! The only socket in the crate: one HTTP client, configured once, for what is fetched from
//! Clerk.

use std::net::IpAddr;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode, Url};

use crate::ConfigError;
use crate::session::keys::{Fetch, FetchError, FetchFuture};

/// Fetches a JWKS document from one URL.
#[derive(Clone, Debug)]
pub(crate) struct JwksClient {
    client: Client,
    url: Url,
}

impl JwksClient {
    /// A client for `url`.
    pub(crate) fn new(url: &str) -> Result<Self, ConfigError> {
        let url = secure_url(url).map_err(|problem| ConfigError::new("JWKS URL", problem))?;
        let client = Client::builder()
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
        Ok(Self { client, url })
    }
}

impl Fetch for JwksClient {
    fn fetch(&self) -> FetchFuture<'_> {
        Box::pin(async {
            let failed = |error: reqwest::Error| {
                FetchError::new("the JWKS URL does not answer").with_source(error.without_url())
            };
            let mut response = self.client.get(self.url.clone()).send().await.map_err(failed)?;
            if response.status() != StatusCode::OK {
                return Err(FetchError::new(format!("the JWKS URL answers {}", response.status())));
            }
            let mut body = BytesMut::new();
            while let Some(chunk) = response.chunk().await.map_err(failed)? {
                if body.len() + chunk.len() > MAX_BODY_BYTES {
                    return Err(FetchError::new("the JWKS URL's answer is longer than 256 KiB"));
                }
                body.extend_from_slice(&chunk);
            }
            Ok(Bytes::from(body))
        })
    }
}

/// `https:`, or `http:` to a loopback address; a host; no user, no password.
pub(crate) fn secure_url(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).map_err(|_| "is not a URL")?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not hold a user name or a password");
    }
    let host = url.host_str().ok_or("must name a host")?;
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let loopback =
        host == "localhost" || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    match url.scheme() {
        "https" => Ok(url),
        "http" if loopback => Ok(url),
        _ => Err("must be `https:`; `http:` only on a loopback address"),
    }
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// An instance's document has some hundred bytes a key.
const MAX_BODY_BYTES: usize = 256 * 1024;

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
