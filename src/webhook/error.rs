//! The errors of deliveries and sinks, and whether a retry helps. Knows no HTTP status.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// An error because of which a delivery was not applied.
///
/// The sender receives only a fixed text. [`WebhookService`](super::WebhookService) puts this error
/// into the extensions of its response, for the server's own logs and metrics.
#[derive(Clone, Debug)]
pub struct DeliveryError {
    kind: DeliveryErrorKind,
    problem: &'static str,
    delivery: Option<Arc<str>>,
    /// Whether the signature had been verified before the error.
    signed: bool,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl DeliveryError {
    pub(crate) fn new(kind: DeliveryErrorKind, problem: &'static str) -> Self {
        Self { kind, problem, delivery: None, signed: false, source: None }
    }

    pub(crate) fn about(self, delivery: &str) -> Self {
        Self { delivery: Some(delivery.into()), ..self }
    }

    pub(crate) fn after_signature(self) -> Self {
        Self { signed: true, ..self }
    }

    pub(crate) fn caused_by(self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { source: Some(source.into().into()), ..self }
    }

    /// Returns whether only a holder of a signing secret can have caused the error.
    pub(crate) fn needs_secret(&self) -> bool {
        self.signed
    }

    /// Returns the kind of error, for matching.
    #[must_use]
    pub fn kind(&self) -> DeliveryErrorKind {
        self.kind
    }

    /// Returns the delivery's id, if its headers were well formed. Unless the kind implies that the
    /// delivery was authentic, any client may have chosen it.
    #[must_use]
    pub fn delivery_id(&self) -> Option<&str> {
        self.delivery.as_deref()
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

    /// Returns whether a retry of the same event may succeed.
    #[must_use]
    pub fn retry_helps(&self) -> bool {
        match self.kind {
            DeliveryErrorKind::BodyTimeout
            | DeliveryErrorKind::BodyUnreadable
            | DeliveryErrorKind::DeadlinePassed
            | DeliveryErrorKind::SinkUnavailable
            | DeliveryErrorKind::TimestampOutOfTolerance => true,
            DeliveryErrorKind::BodyTooLarge
            | DeliveryErrorKind::InvalidEvent
            | DeliveryErrorKind::InvalidHeaders
            | DeliveryErrorKind::InvalidSignature
            | DeliveryErrorKind::MethodNotAllowed
            | DeliveryErrorKind::SinkRefused => false,
        }
    }
}

impl fmt::Display for DeliveryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.problem)
    }
}

impl Error for DeliveryError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl From<SinkError> for DeliveryError {
    fn from(error: SinkError) -> Self {
        let (kind, problem) = if error.retry_helps {
            (DeliveryErrorKind::SinkUnavailable, "the sink is unavailable")
        } else {
            (DeliveryErrorKind::SinkRefused, "the sink refused the event")
        };
        let source = Some(Arc::new(error) as Arc<_>);
        Self { kind, problem, delivery: None, signed: true, source }
    }
}

/// The kinds of [`DeliveryError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DeliveryErrorKind {
    /// The body did not arrive in time.
    BodyTimeout,
    /// The body is longer than the limit.
    BodyTooLarge,
    /// The connection broke while the body was read.
    BodyUnreadable,
    /// Body and sink together took longer than the deadline.
    DeadlinePassed,
    /// The delivery is authentic, but its event is unreadable.
    InvalidEvent,
    /// A signed header is missing, repeated or malformed.
    InvalidHeaders,
    /// No configured signing secret matches one of the signatures.
    InvalidSignature,
    /// The method is not POST.
    MethodNotAllowed,
    /// The sink failed permanently: a retry does not help.
    SinkRefused,
    /// The sink failed transiently: a retry may help.
    SinkUnavailable,
    /// The timestamp is too far in the past or in the future.
    TimestampOutOfTolerance,
}

impl DeliveryErrorKind {
    /// Returns a stable name of this kind, for labels of metrics: `invalid_signature`, for example.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BodyTimeout => "body_timeout",
            Self::BodyTooLarge => "body_too_large",
            Self::BodyUnreadable => "body_unreadable",
            Self::DeadlinePassed => "deadline_passed",
            Self::InvalidEvent => "invalid_event",
            Self::InvalidHeaders => "invalid_headers",
            Self::InvalidSignature => "invalid_signature",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::SinkRefused => "sink_refused",
            Self::SinkUnavailable => "sink_unavailable",
            Self::TimestampOutOfTolerance => "timestamp_out_of_tolerance",
        }
    }
}

/// An error because of which a sink did not take an event.
///
/// The texts of this error and of its sources are logged: keep personal data out of them.
#[derive(Clone, Debug)]
pub struct SinkError {
    retry_helps: bool,
    source: Arc<dyn Error + Send + Sync>,
}

impl SinkError {
    /// Creates an error for a transient failure: the database is unreachable, busy, or rolled back
    /// because of a conflict.
    #[must_use]
    pub fn transient(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { retry_helps: true, source: source.into().into() }
    }

    /// Creates an error for a permanent failure, which every retry of the event would meet again.
    #[must_use]
    pub fn permanent(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { retry_helps: false, source: source.into().into() }
    }

    /// Returns whether a retry of the same event may succeed.
    #[must_use]
    pub fn retry_helps(&self) -> bool {
        self.retry_helps
    }
}

impl fmt::Display for SinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.retry_helps { "a transient failure" } else { "a permanent failure" })
    }
}

impl Error for SinkError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}
