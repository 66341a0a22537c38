//! Questions to the Backend API over HTTP.

use std::time::Duration;

use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Client, Url};

use super::inquiries::{Introspection, IntrospectionBuilder};
use super::introspect::{Answer, Introspect, IntrospectError, Question};
use super::principal::MachineKind;
use crate::ConfigError;
use crate::http_client::{
    API_VERSION, API_VERSION_HEADER, BodyError, answered_at, base_url, bearer, body, build,
    client_for, retry_after,
};
use crate::secret::{MachineSecretKey, SecretKey};

/// The questions to Clerk's Backend API, over HTTP.
///
/// Paths are those of Clerk's JavaScript SDK, without `/v1`. An answer of more than 1 MiB is none.
#[derive(Debug)]
#[must_use = "it asks nothing until it is built"]
pub struct BackendApiIntrospect {
    client: Client,
    base: Url,
    secret_key: Option<HeaderValue>,
    machine_secret_key: Option<HeaderValue>,
    is_live: bool,
}

impl BackendApiIntrospect {
    /// Returns questions to a Backend API, `https://api.clerk.com` as a rule; `http:` only on a loopback
    /// address.
    ///
    /// # Errors
    ///
    /// The URL is not one, or the system has no usable root certificates.
    pub fn new(api_url: &str) -> Result<Self, ConfigError> {
        let base = base_url(api_url).map_err(|problem| ConfigError::new(SETTING, problem))?;
        let client = build(client_for(&base), SETTING)?;
        Ok(Self { client, base, secret_key: None, machine_secret_key: None, is_live: true })
    }

    /// Sets the instance's secret key, with which it is asked about API keys and OAuth tokens, and about
    /// machines' tokens where there is no machine's key. A test key makes
    /// [`build`](Self::build) ask 5 times a second instead of 50.
    ///
    /// # Errors
    ///
    /// The key cannot stand in a header.
    pub fn secret_key(mut self, key: &SecretKey) -> Result<Self, ConfigError> {
        self.secret_key = Some(bearer("secret key", key.expose())?);
        self.is_live = key.is_live();
        Ok(self)
    }

    /// Sets the secret key of this server's own machine, with which it is asked about machines' tokens: only
    /// those whose scopes name this machine are good then.
    ///
    /// # Errors
    ///
    /// The key cannot stand in a header.
    pub fn machine_secret_key(mut self, key: &MachineSecretKey) -> Result<Self, ConfigError> {
        self.machine_secret_key = Some(bearer("machine secret key", key.expose())?);
        Ok(self)
    }

    /// Returns a builder, for settings other than the default ones.
    pub fn into_builder(self) -> IntrospectionBuilder {
        let is_live = self.is_live;
        let builder = Introspection::builder(self);
        if is_live { builder } else { builder.for_test_key() }
    }

    /// Builds it with the default settings.
    #[must_use]
    pub fn build(self) -> Introspection {
        self.into_builder().build()
    }

    fn key_for(&self, kind: MachineKind) -> Option<&HeaderValue> {
        match kind {
            MachineKind::M2m => self.machine_secret_key.as_ref().or(self.secret_key.as_ref()),
            MachineKind::ApiKey | MachineKind::OAuth => self.secret_key.as_ref(),
        }
    }

    fn url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        // Every http URL has a path.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path.split('/'));
        }
        url
    }
}

impl Introspect for BackendApiIntrospect {
    async fn ask(&self, question: Question<'_>) -> Result<Answer, IntrospectError> {
        let Some(key) = self.key_for(question.kind()) else {
            return Err(IntrospectError::new(NO_KEY));
        };
        let request = self
            .client
            .post(self.url(question.path()))
            .timeout(TIMEOUT)
            .header(AUTHORIZATION, key)
            .header(API_VERSION_HEADER, API_VERSION)
            .header(CONTENT_TYPE, "application/json")
            .body(question.body());
        let broken = |error: reqwest::Error| {
            let problem = "the connection to Clerk's Backend API failed or broke";
            IntrospectError::new(problem).with_source(error.without_url())
        };
        let response = request.send().await.map_err(broken)?;
        let (status, headers) = (response.status().as_u16(), response.headers());
        let (retry_after, answered_at) = (retry_after(headers), answered_at(headers));
        let body = match body(response, MAX_BODY_BYTES).await {
            Ok(body) => body,
            Err(BodyError::Broken(error)) => return Err(broken(error)),
            Err(BodyError::TooLong) => {
                let problem = "Clerk's answer to a question about a token is longer than 1 MiB";
                return Err(IntrospectError::new(problem));
            }
        };
        let mut answer = Answer::new(status, body);
        answer.retry_after = retry_after;
        answer.answered_at = answered_at;
        Ok(answer)
    }
}

const SETTING: &str = "API URL";

const NO_KEY: &str = "there is no key to ask Clerk about tokens with; set CLERK_SECRET_KEY, or for machines' \
    tokens CLERK_MACHINE_SECRET_KEY";

const TIMEOUT: Duration = Duration::from_secs(5);

const MAX_BODY_BYTES: usize = 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_has_no_version_in_its_path_and_keeps_that_of_the_api_url() {
        let question = Question::new(MachineKind::OAuth, "oat_x");
        for (base, expected) in [
            (
                "https://api.clerk.com",
                "https://api.clerk.com/oauth_applications/access_tokens/verify",
            ),
            ("https://a.b/c/", "https://a.b/c/oauth_applications/access_tokens/verify"),
        ] {
            let api = BackendApiIntrospect::new(base).unwrap();
            assert_eq!(api.url(question.path()).as_str(), expected);
        }
        assert!(BackendApiIntrospect::new("http://api.clerk.com").is_err());
    }

    #[test]
    fn machines_are_asked_about_with_the_machines_key_if_there_is_one() {
        let api = BackendApiIntrospect::new("https://api.clerk.com").unwrap();
        let api = api.secret_key(&SecretKey::parse("sk_live_1").unwrap()).unwrap();
        let key = |api: &BackendApiIntrospect, kind| {
            api.key_for(kind).map(|key| key.to_str().unwrap().to_owned())
        };
        assert_eq!(key(&api, MachineKind::M2m).as_deref(), Some("Bearer sk_live_1"));
        let machine = MachineSecretKey::parse("ak_abcdefghijklmnop").unwrap();
        let api = api.machine_secret_key(&machine).unwrap();
        assert_eq!(key(&api, MachineKind::M2m).as_deref(), Some("Bearer ak_abcdefghijklmnop"));
        assert_eq!(key(&api, MachineKind::ApiKey).as_deref(), Some("Bearer sk_live_1"));
        assert!(!format!("{api:?}").contains("sk_live"), "{api:?}");
    }
}
