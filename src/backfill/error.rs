//! The errors that end a backfill, and what to do about them.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::webhook::SinkError;

/// An error that ended a backfill.
///
/// The message says what happened and what to do. It never contains the secret key or a user's id.
#[derive(Clone, Debug)]
pub struct BackfillError {
    kind: BackfillErrorKind,
    problem: Cow<'static, str>,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl BackfillError {
    pub(super) fn new(kind: BackfillErrorKind, problem: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, problem: problem.into(), source: None }
    }

    pub(super) fn unexpected(problem: impl Into<Cow<'static, str>>) -> Self {
        Self::new(BackfillErrorKind::UnexpectedAnswer, problem)
    }

    pub(super) fn caused_by(self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { source: Some(source.into().into()), ..self }
    }

    /// Returns the kind of error, for matching.
    #[must_use]
    pub fn kind(&self) -> BackfillErrorKind {
        self.kind
    }

    /// Returns this error and its causes in one line.
    #[must_use]
    pub fn report(&self) -> impl fmt::Display {
        let mut line = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            line = format!("{line}: {error}");
            cause = error.source();
        }
        line
    }
}

impl fmt::Display for BackfillError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem)
    }
}

impl Error for BackfillError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl From<SinkError> for BackfillError {
    fn from(error: SinkError) -> Self {
        let problem = if error.retry_helps() {
            "the target failed several times in a row; run the backfill again when the target has \
             recovered: it resumes where it stopped"
        } else {
            "the target failed, and a retry would fail too; fix the cause, then run the backfill \
             again: it resumes where it stopped"
        };
        Self::new(BackfillErrorKind::TargetFailed, problem).caused_by(error)
    }
}

/// The kinds of [`BackfillError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BackfillErrorKind {
    /// This machine's clock is more than a minute ahead of Clerk's, or behind it.
    ClockWrong,
    /// The Backend API does not tell which instance the secret key belongs to, so no user may be
    /// removed.
    InstanceUnknown,
    /// The Backend API refused the secret key.
    KeyRefused,
    /// The target was not filled completely from this instance, so no user may be removed.
    NotFilled,
    /// The target has users of another Clerk instance.
    OtherInstance,
    /// The target failed.
    TargetFailed,
    /// More users would be removed than allowed.
    TooManyGone,
    /// The Backend API did not answer successfully in any try.
    Unavailable,
    /// The answer of the Backend API, or of a proxy in its place, was not a valid one.
    UnexpectedAnswer,
}
