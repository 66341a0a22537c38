//! What is asked of the Backend API, and what each status means. Reads no users.

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use serde::Deserialize;
use tokio::time::sleep;

use super::error::{BackfillError, BackfillErrorKind};
use super::page;
use super::retry::{API_TRIES, Pace, Pauses};
use crate::ConfigError;
use crate::http_client::{ApiAnswer, ApiClient, ApiFailure};
use crate::ids::InstanceId;
use crate::secret::SecretKey;
use crate::trace::event;

/// An instance's Backend API. Clones share the connections.
#[derive(Clone, Debug)]
pub struct BackendApi {
    client: ApiClient,
    is_live: bool,
}

impl BackendApi {
    /// The API at this URL, `https://api.clerk.com` for Clerk's own, by an instance's secret key.
    ///
    /// # Errors
    ///
    /// A URL that is neither `https:` nor on a loopback address; no root certificates.
    pub fn new(api_url: &str, secret_key: &SecretKey) -> Result<Self, ConfigError> {
        let client = ApiClient::new(api_url, secret_key)?;
        Ok(Self { client, is_live: secret_key.is_live() })
    }

    /// How long a request may take, from the connection to the end of the answer. Default: 30 s.
    #[must_use]
    pub fn request_timeout(self, timeout: Duration) -> Self {
        Self { client: self.client.with_timeout(timeout), ..self }
    }

    /// Half of what the instance allows: 1000 requests in 10 s with a live key, 100 with a test
    /// key.
    ///
    /// Source: <https://clerk.com/docs/guides/how-clerk-works/system-limits>.
    pub(super) fn usual_pace(&self) -> Duration {
        Duration::from_millis(if self.is_live { 20 } else { 200 })
    }
}

/// One operation's line to the API: questions one after another, at a pace, with patience.
#[derive(Debug)]
pub(super) struct Line<'a> {
    api: &'a BackendApi,
    pace: Pace,
    pauses: Pauses,
}

impl<'a> Line<'a> {
    pub(super) fn new(api: &'a BackendApi, pace: Duration, pauses: Pauses) -> Self {
        Self { api, pace: Pace::new(pace), pauses }
    }

    /// The instance that the secret key belongs to.
    pub(super) async fn instance(&mut self) -> Result<InstanceId, BackfillError> {
        #[derive(Deserialize)]
        struct Instance {
            id: String,
        }
        let answer = self.ask(&Question::new("the instance", &["instance"], &[])).await?;
        serde_json::from_slice(&answer.body)
            .ok()
            .and_then(|Instance { id }| InstanceId::parse(id))
            .ok_or_else(|| unreadable("the instance has no id"))
    }

    /// How many users there are, if that is to be had at once.
    pub(super) async fn count(&mut self) -> Result<Option<u64>, BackfillError> {
        #[derive(Deserialize)]
        struct Count {
            total_count: u64,
        }
        let question = Question::new("the number of users", &["users", "count"], &[]);
        let count = |answer: ApiAnswer| serde_json::from_slice::<Count>(&answer.body).ok();
        match self.ask(&question.once()).await {
            Ok(answer) => Ok(count(answer).map(|Count { total_count }| total_count)),
            Err(error) if error.kind() == BackfillErrorKind::KeyRefused => Err(error),
            Err(_) => Ok(None),
        }
    }

    /// The first of those created after this time, oldest first; without one, of all.
    pub(super) async fn page(
        &mut self,
        limit: u32,
        created_after: Option<i64>,
    ) -> Result<Bytes, BackfillError> {
        Ok(self.ask_page(limit, None, created_after).await?.body)
    }

    /// Who comes after this user; `None` when Clerk does not go on from there.
    pub(super) async fn page_after(
        &mut self,
        last: &str,
        limit: u32,
        created_after: Option<i64>,
    ) -> Result<Option<Bytes>, BackfillError> {
        let answer = self.ask_page(limit, Some(last), created_after).await?;
        Ok((answer.status == StatusCode::OK).then_some(answer.body))
    }

    async fn ask_page(
        &mut self,
        limit: u32,
        last: Option<&str>,
        created_after: Option<i64>,
    ) -> Result<ApiAnswer, BackfillError> {
        let limit = limit.to_string();
        let created_after = created_after.map(|at| at.to_string());
        let mut query = vec![("limit", &*limit), ("order_by", "+created_at")];
        query.extend(last.map(|id| ("starting_after", id)));
        query.extend(created_after.as_deref().map(|at| ("created_at_after", at)));
        let question = Question::new("a page of users", &["users"], &query);
        let takes: &[StatusCode] = if last.is_some() { &LOST_CURSOR } else { &[] };
        self.ask(&question.taking(takes)).await
    }

    /// Which of these ids Clerk knows, a hundred at most.
    pub(super) async fn known(&mut self, ids: &[String]) -> Result<Vec<String>, BackfillError> {
        // Without a limit it would be ten.
        let mut query = vec![("limit", "100")];
        query.extend(ids.iter().map(|id| ("user_id", id.as_str())));
        let answer = self.ask(&Question::new("users by their ids", &["users"], &query)).await?;
        let known = page::ids(&answer.body).ok_or_else(no_list)?;
        if known.iter().any(|id| !ids.contains(id)) {
            return Err(unreadable("users who were not asked for"));
        }
        Ok(known)
    }

    /// Whether Clerk says of this user, and nobody else in its place, that there is no such user.
    pub(super) async fn is_gone(&mut self, id: &str) -> Result<bool, BackfillError> {
        let path = ["users", id];
        let question = Question::new("a user by the id", &path, &[]);
        let answer = self.ask(&question.taking(&[StatusCode::NOT_FOUND])).await?;
        if answer.status == StatusCode::OK {
            return Ok(false);
        }
        if error_code(&answer.body).as_deref() == Some("resource_not_found") {
            return Ok(true);
        }
        Err(unreadable("a 404 that is not Clerk's"))
    }

    async fn ask(&mut self, question: &Question<'_>) -> Result<ApiAnswer, BackfillError> {
        let mut tries = 1;
        loop {
            self.pace.turn().await;
            let trouble = match judge(self.api.client.get(question.path, question.query).await) {
                Verdict::Answer(answer) => return Ok(answer),
                Verdict::Refused(answer) if question.takes.contains(&answer.status) => {
                    return Ok(answer);
                }
                Verdict::Refused(answer) => return Err(refused(question, &answer)),
                Verdict::TooLong => return Err(too_long(question)),
                Verdict::Again(trouble) => trouble,
            };
            if tries >= question.tries {
                return Err(trouble.into_error(question));
            }
            let pause = self.pauses.after(tries, trouble.retry_after());
            event!(
                warn,
                asked_for = question.name,
                status = trouble.status(),
                tries,
                ?pause,
                "the Backend API did not answer; it is asked again"
            );
            sleep(pause).await;
            tries += 1;
        }
    }
}

/// A GET, and what else than 200 is an answer to it.
struct Question<'a> {
    name: &'static str,
    path: &'a [&'a str],
    query: &'a [(&'a str, &'a str)],
    takes: &'a [StatusCode],
    tries: u32,
}

impl<'a> Question<'a> {
    fn new(name: &'static str, path: &'a [&'a str], query: &'a [(&'a str, &'a str)]) -> Self {
        Self { name, path, query, takes: &[], tries: API_TRIES }
    }

    fn once(self) -> Self {
        Self { tries: 1, ..self }
    }

    fn taking(self, takes: &'a [StatusCode]) -> Self {
        Self { takes, ..self }
    }
}

enum Verdict {
    Answer(ApiAnswer),
    Refused(ApiAnswer),
    TooLong,
    Again(Trouble),
}

/// What passes, as a rule.
enum Trouble {
    Answer(ApiAnswer),
    Silence(ApiFailure),
}

impl Trouble {
    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Answer(answer) => answer.retry_after,
            Self::Silence(_) => None,
        }
    }

    #[cfg_attr(not(feature = "tracing"), expect(dead_code, reason = "for events"))]
    fn status(&self) -> Option<u16> {
        match self {
            Self::Answer(answer) => Some(answer.status.as_u16()),
            Self::Silence(_) => None,
        }
    }

    fn into_error(self, question: &Question<'_>) -> BackfillError {
        let Question { name, tries, .. } = question;
        let unavailable = |problem| BackfillError::new(BackfillErrorKind::Unavailable, problem);
        match self {
            Self::Answer(answer) if answer.status == StatusCode::TOO_MANY_REQUESTS => {
                unavailable(format!(
                    "the Backend API was asked for {name} {tries} times and says 429, too many \
                     requests: the application and other runs share its limit; set a longer \
                     `pace` and run again, it goes on where it stopped"
                ))
            }
            Self::Answer(answer) => unavailable(format!(
                "the Backend API was asked for {name} {tries} times and last said {}; run again \
                 when it is well, it goes on where it stopped",
                answer.status
            )),
            Self::Silence(failure) => {
                let error = unavailable(format!(
                    "the Backend API was asked for {name} {tries} times and did not answer; look \
                     at the network and at the API URL, then run again: it goes on where it stopped"
                ));
                match failure {
                    ApiFailure::Broken(source) => error.caused_by(source),
                    ApiFailure::TooLong => error,
                }
            }
        }
    }
}

/// The table of statuses.
fn judge(outcome: Result<ApiAnswer, ApiFailure>) -> Verdict {
    match outcome {
        Ok(answer) => match answer.status {
            StatusCode::OK => Verdict::Answer(answer),
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => {
                Verdict::Again(Trouble::Answer(answer))
            }
            status if status.is_server_error() => Verdict::Again(Trouble::Answer(answer)),
            _ => Verdict::Refused(answer),
        },
        Err(ApiFailure::TooLong) => Verdict::TooLong,
        Err(failure) => Verdict::Again(Trouble::Silence(failure)),
    }
}

fn refused(question: &Question<'_>, answer: &ApiAnswer) -> BackfillError {
    let (name, status) = (question.name, answer.status);
    let code = error_code(&answer.body).map(|code| format!(" ({code})")).unwrap_or_default();
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => BackfillError::new(
            BackfillErrorKind::KeyRefused,
            format!(
                "the Backend API refuses the secret key: it says {status}{code}; set the secret \
                 key that the Dashboard shows under API keys, and look whether the API URL is \
                 that instance's"
            ),
        ),
        _ => BackfillError::unexpected(format!(
            "the Backend API was asked for {name} and says {status}{code}; look at the API URL, \
             and at proxies on the way to it"
        )),
    }
}

fn too_long(question: &Question<'_>) -> BackfillError {
    BackfillError::unexpected(format!(
        "the Backend API was asked for {} and answers more than 64 MiB; set a smaller `page_size` \
         and run again, it goes on where it stopped",
        question.name
    ))
}

fn unreadable(what: &'static str) -> BackfillError {
    BackfillError::unexpected(format!(
        "what answers is not the Backend API as it is known here: {what}; look at the API URL, \
         and at proxies on the way to it"
    ))
}

pub(super) fn no_list() -> BackfillError {
    unreadable("no list of users")
}

/// The code in Clerk's error shape, if it is one that may be repeated.
fn error_code(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Errors {
        errors: Vec<One>,
    }
    #[derive(Deserialize)]
    struct One {
        code: String,
    }
    let Errors { errors } = serde_json::from_slice(body).ok()?;
    let One { code } = errors.into_iter().next()?;
    let is_word = |code: &str| code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    (code.len() <= 64 && is_word(&code)).then_some(code)
}

/// How Clerk may say that it does not know the user after whom a page is to begin.
const LOST_CURSOR: [StatusCode; 3] =
    [StatusCode::BAD_REQUEST, StatusCode::NOT_FOUND, StatusCode::UNPROCESSABLE_ENTITY];
