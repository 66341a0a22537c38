//! The usual way to fetch a JWKS document: one URL, by this crate's HTTP client.

use std::time::Duration;

use http::header::{AUTHORIZATION, CACHE_CONTROL, HeaderMap, HeaderValue};
use reqwest::{Client, StatusCode, Url};

use super::fetch::{Fetch, FetchError, FetchFuture, Fetched};
use super::lookup::RemoteKeys;
use crate::ConfigError;
use crate::http_client::{self, API_VERSION, API_VERSION_HEADER, BodyError};
use crate::secret::SecretKey;

impl RemoteKeys {
    /// Returns a source for the document at `url`: `https:`, or `http:` on a loopback address.
    /// Follows no redirects, and gives up after the timeout of the [times](super::FetchTimes), with 3 s at most for the connection,
    /// or after 256 KiB.
    ///
    /// # Errors
    ///
    /// A URL of another form, or a system without usable root certificates.
    pub fn from_url(url: &str) -> Result<Self, ConfigError> {
        JwksClient::new(url, None).map(Self::new)
    }

    /// Returns a source that asks the Backend API, for servers that cannot reach the Frontend API:
    /// `GET {api_url}/v1/jwks`. `api_url` is `https://api.clerk.com` unless the account says
    /// otherwise.
    ///
    /// # Errors
    ///
    /// A URL of another form, or a system without usable root certificates.
    pub fn from_backend_api(api_url: &str, secret_key: &SecretKey) -> Result<Self, ConfigError> {
        http_client::base_url(api_url).map_err(|problem| ConfigError::new("API URL", problem))?;
        let url = format!("{}/v1/jwks", api_url.trim_end_matches('/'));
        JwksClient::new(&url, Some(secret_key)).map(Self::new)
    }
}

/// A client for a JWKS document at one URL.
#[derive(Clone, Debug)]
struct JwksClient {
    client: Client,
    url: Url,
    /// The URL for messages: without its query, which may be secret.
    shown: Box<str>,
    authorization: Option<HeaderValue>,
}

impl JwksClient {
    /// Returns a client for `url`. The Backend API wants the secret key.
    fn new(url: &str, secret_key: Option<&SecretKey>) -> Result<Self, ConfigError> {
        let url =
            http_client::secure_url(url).map_err(|problem| ConfigError::new(SETTING, problem))?;
        let authorization =
            secret_key.map(|key| http_client::bearer("secret key", key.expose())).transpose()?;
        // Fetched every few minutes: a kept connection would be dead when it is wanted.
        let client = http_client::client_for(&url).pool_max_idle_per_host(0);
        let mut shown = url.clone();
        shown.set_query(None);
        shown.set_fragment(None);
        let shown = String::from(shown).into();
        Ok(Self { client: http_client::build(client, SETTING)?, url, shown, authorization })
    }
}

impl Fetch for JwksClient {
    fn fetch(&self) -> FetchFuture<'_> {
        Box::pin(async {
            let url = &*self.shown;
            let failed = |error: reqwest::Error| {
                FetchError::new(format!("{url} does not answer")).with_source(error.without_url())
            };
            let mut request = self.client.get(self.url.clone());
            if let Some(authorization) = &self.authorization {
                request = request
                    .header(AUTHORIZATION, authorization)
                    .header(API_VERSION_HEADER, API_VERSION);
            }
            let response = request.send().await.map_err(failed)?;
            if response.status() != StatusCode::OK {
                let status = response.status();
                let error = FetchError::new(format!("{url} answers {status}"));
                return Err(match http_client::retry_after(response.headers()) {
                    Some(pause) => error.with_retry_after(pause),
                    None => error,
                });
            }
            let max_age = max_age(response.headers());
            let body =
                http_client::body(response, MAX_BODY_BYTES).await.map_err(|error| match error {
                    BodyError::Broken(error) => failed(error),
                    BodyError::TooLong => {
                        FetchError::new(format!("the answer of {url} is longer than 256 KiB"))
                    }
                })?;
            let fetched = Fetched::new(body);
            Ok(match max_age {
                Some(max_age) => fetched.with_max_age(max_age),
                None => fetched,
            })
        })
    }
}

/// Returns `max-age` of `Cache-Control` (RFC 9111 5.2.2.1); zero where nothing may be kept.
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

const SETTING: &str = "JWKS URL";

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
}
