//! The requests to the Backend API, and the meaning of each status. Reads no users.

use std::time::{Duration, SystemTime};

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

/// A client for an instance's Backend API. Clones share the connections.
#[derive(Clone, Debug)]
pub struct BackendApi {
    client: ApiClient,
    is_live: bool,
}

impl BackendApi {
    /// Creates a client for the API at this URL, `https://api.clerk.com` for Clerk's own, with an
    /// instance's secret key.
    ///
    /// # Errors
    ///
    /// Fails if the URL is neither `https:` nor on a loopback address, if it has a user name, a
    /// password, a query or a fragment, or if the system has no root certificates.
    pub fn new(api_url: &str, secret_key: &SecretKey) -> Result<Self, ConfigError> {
        let client = ApiClient::new(api_url, secret_key)?;
        Ok(Self { client, is_live: secret_key.is_live() })
    }

    /// Sets how long a request may take, from the connection to the end of the response; default:
    /// 30 s.
    #[must_use]
    pub fn request_timeout(self, timeout: Duration) -> Self {
        Self { client: self.client.with_timeout(timeout), ..self }
    }

    /// Asks, once, which instance the secret key belongs to, `ins_…`. Returns `None` if this Backend
    /// API does not tell, as emulators and older proxies do not.
    ///
    /// For [`OwnInstance`](crate::webhook::OwnInstance), whose deliveries a server takes: ask when
    /// the server starts, and again after a while as long as it fails.
    ///
    /// # Errors
    ///
    /// The secret key is refused, the Backend API does not answer, or the answer is not one of its own.
    pub async fn instance_id(&self) -> Result<Option<String>, BackfillError> {
        let mut requests = Requests::new(self, Duration::ZERO, Pauses { first: Duration::ZERO });
        let (instance, _) = requests.instance_of(Question::instance().once()).await?;
        Ok(instance.map(String::from))
    }

    /// Returns the default pace: half of the instance's rate limit, which is 1000 requests in 10 s
    /// with a live key, and 100 with a test key.
    ///
    /// Source: <https://clerk.com/docs/guides/how-clerk-works/system-limits>.
    pub(super) fn usual_pace(&self) -> Duration {
        Duration::from_millis(if self.is_live { 20 } else { 200 })
    }
}

/// One operation's access to the API: requests in sequence, at a pace, with retries.
#[derive(Debug)]
pub(super) struct Requests<'a> {
    api: &'a BackendApi,
    pace: Pace,
    pauses: Pauses,
}

impl<'a> Requests<'a> {
    pub(super) fn new(api: &'a BackendApi, pace: Duration, pauses: Pauses) -> Self {
        Self { api, pace: Pace::new(pace), pauses }
    }

    /// Returns the instance that the secret key belongs to; `None` if this Backend API does not
    /// tell, as emulators and older proxies do not. Also returns the time of the answer by Clerk's clock.
    pub(super) async fn instance(
        &mut self,
    ) -> Result<(Option<InstanceId>, Option<SystemTime>), BackfillError> {
        let (instance, answered_at) = self.instance_of(Question::instance()).await?;
        if instance.is_none() {
            event!(
                warn,
                "the Backend API does not tell which instance the secret key belongs to (404); \
                 whether the target has users of another one cannot be checked"
            );
        }
        Ok((instance, answered_at))
    }

    async fn instance_of(
        &mut self,
        question: Question<'_>,
    ) -> Result<(Option<InstanceId>, Option<SystemTime>), BackfillError> {
        #[derive(Deserialize)]
        struct InstanceJson {
            id: String,
        }
        let answer = self.ask(&question).await?;
        if answer.status == StatusCode::NOT_FOUND {
            return Ok((None, answer.answered_at));
        }
        let instance = serde_json::from_slice(&answer.body)
            .ok()
            .and_then(|InstanceJson { id }| InstanceId::parse(id).ok());
        let instance = instance.ok_or_else(|| unreadable("the instance has no usable id"))?;
        Ok((Some(instance), answer.answered_at))
    }

    /// Returns the number of users, if the first try succeeds.
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

    /// Returns the first page of the users created after this time, oldest first; without a time,
    /// of all users.
    pub(super) async fn page(
        &mut self,
        limit: u32,
        created_after: Option<i64>,
    ) -> Result<ApiAnswer, BackfillError> {
        self.ask_page(limit, None, created_after).await
    }

    /// Returns the page after this user; `None` if Clerk cannot continue from this user.
    pub(super) async fn page_after(
        &mut self,
        last: &str,
        limit: u32,
        created_after: Option<i64>,
    ) -> Result<Option<ApiAnswer>, BackfillError> {
        let answer = self.ask_page(limit, Some(last), created_after).await?;
        Ok((answer.status == StatusCode::OK).then_some(answer))
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

    /// Returns which of these ids, a hundred at most, Clerk knows.
    pub(super) async fn known(&mut self, ids: &[String]) -> Result<Vec<String>, BackfillError> {
        // The default limit is ten.
        let mut query = vec![("limit", "100")];
        query.extend(ids.iter().map(|id| ("user_id", id.as_str())));
        let answer = self.ask(&Question::new("users by id", &["users"], &query)).await?;
        known_of(ids, &answer)
    }

    /// Returns whether Clerk itself, and no proxy in its place, reports that this user does not
    /// exist.
    pub(super) async fn is_gone(&mut self, id: &str) -> Result<bool, BackfillError> {
        self.is_gone_at("a user by id", &["users", id]).await
    }

    /// Returns whether Clerk itself, and no proxy in its place, reports that there is nothing at this path.
    pub(super) async fn is_gone_at(
        &mut self,
        name: &'static str,
        path: &[&str],
    ) -> Result<bool, BackfillError> {
        let question = Question::new(name, path, &[]);
        let answer = self.ask(&question.taking(&[StatusCode::NOT_FOUND])).await?;
        if answer.status == StatusCode::OK {
            return Ok(false);
        }
        if says_not_found(&answer) {
            return Ok(true);
        }
        Err(unreadable("it is a 404 without Clerk's code `resource_not_found`"))
    }

    pub(super) async fn ask(
        &mut self,
        question: &Question<'_>,
    ) -> Result<ApiAnswer, BackfillError> {
        let mut tries = 1;
        loop {
            self.pace.turn().await;
            let trouble = match judge(self.api.client.get(question.path, question.query).await) {
                ApiOutcome::Answer(answer) => return Ok(answer),
                ApiOutcome::Refused(answer) if question.takes.contains(&answer.status) => {
                    return Ok(answer);
                }
                ApiOutcome::Refused(answer) => return Err(refused(question, &answer)),
                ApiOutcome::TooLong => return Err(too_long(question)),
                ApiOutcome::Again(trouble) => trouble,
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
                "a request to the Backend API failed and will be retried"
            );
            sleep(pause).await;
            tries += 1;
        }
    }
}

/// A GET request. `takes` has the statuses that are valid answers besides 200.
pub(super) struct Question<'a> {
    name: &'static str,
    path: &'a [&'a str],
    query: &'a [(&'a str, &'a str)],
    takes: &'a [StatusCode],
    tries: u32,
}

impl<'a> Question<'a> {
    pub(super) fn new(
        name: &'static str,
        path: &'a [&'a str],
        query: &'a [(&'a str, &'a str)],
    ) -> Self {
        Self { name, path, query, takes: &[], tries: API_TRIES }
    }

    fn instance() -> Self {
        Self::new("the instance", &["instance"], &[]).taking(&[StatusCode::NOT_FOUND])
    }

    fn once(self) -> Self {
        Self { tries: 1, ..self }
    }

    pub(super) fn taking(self, takes: &'a [StatusCode]) -> Self {
        Self { takes, ..self }
    }
}

enum ApiOutcome {
    Answer(ApiAnswer),
    Refused(ApiAnswer),
    TooLong,
    Again(Trouble),
}

/// A failure that is usually transient.
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
                    "the Backend API answered 429 (too many requests) after {tries} tries to get \
                     {name}: the application and other runs share its rate limit; set a longer \
                     `pace` and run again, it resumes where it stopped"
                ))
            }
            Self::Answer(answer) => unavailable(format!(
                "the Backend API answered {} after {tries} tries to get {name}; run again when it \
                 has recovered, it resumes where it stopped",
                answer.status
            )),
            Self::Silence(failure) => {
                let error = unavailable(format!(
                    "the Backend API did not answer in {tries} tries to get {name}; check the \
                     network and the API URL, then run again: it resumes where it stopped"
                ));
                match failure {
                    ApiFailure::Broken(source) => error.caused_by(source),
                    ApiFailure::TooLong => error,
                }
            }
        }
    }
}

/// Classifies the outcome of a request by its status.
fn judge(outcome: Result<ApiAnswer, ApiFailure>) -> ApiOutcome {
    match outcome {
        Ok(answer) => match answer.status {
            StatusCode::OK => ApiOutcome::Answer(answer),
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => {
                ApiOutcome::Again(Trouble::Answer(answer))
            }
            status if status.is_server_error() => ApiOutcome::Again(Trouble::Answer(answer)),
            _ => ApiOutcome::Refused(answer),
        },
        Err(ApiFailure::TooLong) => ApiOutcome::TooLong,
        Err(failure) => ApiOutcome::Again(Trouble::Silence(failure)),
    }
}

pub(super) fn refused(question: &Question<'_>, answer: &ApiAnswer) -> BackfillError {
    let (name, status) = (question.name, answer.status);
    let code = error_code(&answer.body).map(|code| format!(" ({code})")).unwrap_or_default();
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => BackfillError::new(
            BackfillErrorKind::KeyRefused,
            format!(
                "the Backend API refused the secret key with {status}{code}; set the secret key \
                 that the Clerk Dashboard shows under API keys, and check that the API URL is \
                 that instance's"
            ),
        ),
        _ => BackfillError::unexpected(format!(
            "the Backend API answered the request for {name} with {status}{code}; check the API \
             URL, and any proxy on the way to it"
        )),
    }
}

fn too_long(question: &Question<'_>) -> BackfillError {
    BackfillError::unexpected(format!(
        "the Backend API's answer to the request for {} is longer than 64 MiB; set a smaller \
         `page_size` and run again, it resumes where it stopped",
        question.name
    ))
}

/// Returns the error for an answer that the Backend API would not give.
pub(super) fn unreadable(what: &'static str) -> BackfillError {
    BackfillError::unexpected(format!(
        "the answer does not look like the Backend API's: {what}; check the API URL, and any \
         proxy on the way to it"
    ))
}

pub(super) fn no_list() -> BackfillError {
    unreadable("it is not a list of users")
}

/// Returns those of these ids that an answer lists.
pub(super) fn known_of(ids: &[String], answer: &ApiAnswer) -> Result<Vec<String>, BackfillError> {
    let known = page::ids(&answer.body).ok_or_else(no_list)?;
    if known.iter().any(|id| !ids.contains(id)) {
        return Err(unreadable("it lists records that were not asked for"));
    }
    Ok(known)
}

/// Returns whether an answer is Clerk's error for something that does not exist.
pub(super) fn says_not_found(answer: &ApiAnswer) -> bool {
    answer.status == StatusCode::NOT_FOUND
        && error_code(&answer.body).as_deref() == Some("resource_not_found")
}

/// Returns the error code of a body in Clerk's error format, if it is safe to repeat in a message.
pub(super) fn error_code(body: &[u8]) -> Option<String> {
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

/// The statuses with which Clerk may report that the user before the page does not exist.
const LOST_CURSOR: [StatusCode; 3] =
    [StatusCode::BAD_REQUEST, StatusCode::NOT_FOUND, StatusCode::UNPROCESSABLE_ENTITY];
