//! A client for single requests to the Backend API. It neither retries nor reads the answers.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Client, StatusCode, Url};

use super::{API_VERSION, API_VERSION_HEADER, BodyError};
use crate::ConfigError;
use crate::secret::SecretKey;

/// A client for the Backend API. Clones share the connections.
#[derive(Clone, Debug)]
pub(crate) struct ApiClient {
    client: Client,
    base: Url,
    authorization: HeaderValue,
    timeout: Duration,
}

impl ApiClient {
    pub(crate) fn new(api_url: &str, secret_key: &SecretKey) -> Result<Self, ConfigError> {
        let base =
            super::base_url(api_url).map_err(|problem| ConfigError::new(SETTING, problem))?;
        let client = super::build(super::client_for(&base), SETTING)?;
        Ok(Self {
            client,
            base,
            authorization: super::bearer("secret key", secret_key.expose())?,
            timeout: TIMEOUT,
        })
    }

    /// Sets how long a request may take, from the connection to the end of the body.
    pub(crate) fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Sends `GET {base}/v1/{path}?{query}`.
    pub(crate) async fn get(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<ApiAnswer, ApiFailure> {
        let request = self
            .client
            .get(self.url(path, query))
            .timeout(self.timeout)
            .header(AUTHORIZATION, &self.authorization)
            .header(API_VERSION_HEADER, API_VERSION);
        let response = request.send().await.map_err(ApiFailure::broken)?;
        let status = response.status();
        let retry_after = super::retry_after(response.headers());
        let answered_at = super::date::answered_at(response.headers());
        let body = if status == StatusCode::OK {
            super::body(response, MAX_BODY_BYTES).await.map_err(|error| match error {
                BodyError::Broken(error) => ApiFailure::broken(error),
                BodyError::TooLong => ApiFailure::TooLong,
            })?
        } else {
            // The status is enough if the body cannot be read.
            super::body(response, MAX_ERROR_BYTES).await.unwrap_or_default()
        };
        Ok(ApiAnswer { status, retry_after, answered_at, body })
    }

    fn url(&self, path: &[&str], query: &[(&str, &str)]) -> Url {
        let mut url = self.base.clone();
        // Every http URL has a path.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push("v1").extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }
}

/// An answer of the Backend API, with any status.
#[derive(Debug)]
pub(crate) struct ApiAnswer {
    pub(crate) status: StatusCode,
    pub(crate) retry_after: Option<Duration>,
    /// The time by the server's clock, if it tells.
    pub(crate) answered_at: Option<SystemTime>,
    pub(crate) body: Bytes,
}

/// A failure because of which there is no answer.
#[derive(Debug)]
pub(crate) enum ApiFailure {
    /// The connection failed or broke, or the answer did not arrive in time.
    Broken(reqwest::Error),
    /// The body is longer than 64 MiB.
    TooLong,
}

impl ApiFailure {
    fn broken(error: reqwest::Error) -> Self {
        // The URL may contain users' ids.
        Self::Broken(error.without_url())
    }
}

const SETTING: &str = "API URL";

/// A page of 500 users, each with all the metadata that Clerk allows, is some 20 MiB.
const MAX_BODY_BYTES: usize = 64 * 1024 * 1024;
const MAX_ERROR_BYTES: usize = 256 * 1024;

const TIMEOUT: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_keeps_the_path_of_the_api_url_and_is_encoded() {
        let key = SecretKey::parse("sk_test_1").unwrap();
        for base in ["https://clerk.example.com/api", "https://clerk.example.com/api/"] {
            let client = ApiClient::new(base, &key).unwrap();
            let url = client.url(&["users"], &[("order_by", "+created_at"), ("limit", "2")]);
            let expected = "https://clerk.example.com/api/v1/users?order_by=%2Bcreated_at&limit=2";
            assert_eq!(url.as_str(), expected);
            let url = client.url(&["users", "user_1/../.."], &[]);
            let expected = "https://clerk.example.com/api/v1/users/user_1%2F..%2F..";
            assert_eq!(url.as_str(), expected);
        }
        for bad in ["http://clerk.example.com", "https://clerk.example.com/?a=b", "clerk"] {
            assert_eq!(ApiClient::new(bad, &key).unwrap_err().setting(), "API URL", "{bad}");
        }
    }
}
