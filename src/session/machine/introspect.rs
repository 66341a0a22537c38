//! The trait for asking Clerk about opaque tokens: how a question is asked and what was answered. No rules.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;

use super::principal::MachineKind;

/// A way to ask Clerk's Backend API about opaque tokens. [`BackendApiIntrospect`](super::BackendApiIntrospect)
/// is one.
///
/// It sends a question and returns the answer as it came, whatever its status: what an answer means is
/// decided elsewhere. It remembers nothing and limits nothing.
pub trait Introspect: Send + Sync + 'static {
    /// Sends a question. After 5 s it is abandoned, by dropping the future.
    ///
    /// # Errors
    ///
    /// Fails if there is no answer.
    fn ask(
        &self,
        question: Question<'_>,
    ) -> impl Future<Output = Result<Answer, IntrospectError>> + Send;
}

/// A question about one token.
#[derive(Clone, Copy)]
pub struct Question<'t> {
    kind: MachineKind,
    token: &'t str,
}

impl<'t> Question<'t> {
    pub(super) fn new(kind: MachineKind, token: &'t str) -> Self {
        Self { kind, token }
    }

    /// Returns the kind that the token says it has.
    #[must_use]
    pub fn kind(&self) -> MachineKind {
        self.kind
    }

    /// Returns the path of the URL after that of the Backend API, without `/v1`, as in Clerk's own SDK.
    #[must_use]
    pub fn path(&self) -> &'static str {
        match self.kind {
            MachineKind::ApiKey => "api_keys/verify",
            MachineKind::M2m => "m2m_tokens/verify",
            MachineKind::OAuth => "oauth_applications/access_tokens/verify",
        }
    }

    /// Returns the body of the POST request, JSON. It contains the token, which is a secret.
    #[must_use]
    pub fn body(&self) -> Bytes {
        let member = match self.kind {
            MachineKind::ApiKey => "secret",
            MachineKind::M2m => "token",
            MachineKind::OAuth => "access_token",
        };
        Bytes::from(format!(r#"{{"{member}":{}}}"#, serde_json::Value::from(self.token)))
    }
}

/// Shows only the kind: the token is a secret.
impl fmt::Debug for Question<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Question").field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// An answer, undecoded.
#[derive(Clone)]
pub struct Answer {
    pub(super) status: u16,
    pub(super) body: Bytes,
    pub(super) retry_after: Option<Duration>,
    pub(super) answered_at: Option<SystemTime>,
}

impl Answer {
    /// Returns an answer with this status and body. A body of more than 1 MiB should not be read.
    pub fn new(status: u16, body: impl Into<Bytes>) -> Self {
        Self { status, body: body.into(), retry_after: None, answered_at: None }
    }

    /// Sets the time after which the server wants to be asked again (`Retry-After`); default: none.
    #[must_use]
    pub fn with_retry_after(self, retry_after: Duration) -> Self {
        Self { retry_after: Some(retry_after), ..self }
    }

    /// Sets the time of the answer by Clerk's clock (`Date`); default: unknown. Without it, a remembered
    /// answer about a user who was locked out since counts for nothing for as long as the lock-out is known.
    #[must_use]
    pub fn with_answered_at(self, answered_at: SystemTime) -> Self {
        Self { answered_at: Some(answered_at), ..self }
    }
}

/// Shows only the status and the size.
impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("status", &self.status)
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// The reason why a question has no usable answer. It is logged, so it must not contain a secret.
#[derive(Clone, Debug)]
pub struct IntrospectError {
    problem: Box<str>,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl IntrospectError {
    /// Returns an error with a message for the log.
    pub fn new(problem: impl Into<Box<str>>) -> Self {
        Self { problem: problem.into(), source: None }
    }

    /// Sets the cause; default: none.
    #[must_use]
    pub fn with_source(self, source: impl Error + Send + Sync + 'static) -> Self {
        Self { source: Some(Arc::new(source)), ..self }
    }
}

impl fmt::Display for IntrospectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem)
    }
}

impl Error for IntrospectError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// An [`Introspect`] whose future is boxed, so that all are of one type.
pub(super) trait Ask: Send + Sync {
    fn ask<'a>(&'a self, question: Question<'a>) -> Asking<'a>;
}

pub(super) type Asking<'a> =
    Pin<Box<dyn Future<Output = Result<Answer, IntrospectError>> + Send + 'a>>;

impl<I: Introspect> Ask for I {
    fn ask<'a>(&'a self, question: Question<'a>) -> Asking<'a> {
        Box::pin(Introspect::ask(self, question))
    }
}
