//! Why a delivery was not applied, and whether sending it again helps. Knows no HTTP status.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// Why a delivery was not applied.
///
/// The sender is told no more than a fixed text. [`WebhookService`](super::WebhookService) puts
/// this error into the extensions of its response, for logging and metrics on this side.
#[derive(Clone, Debug)]
pub struct DeliveryError {
    kind: DeliveryErrorKind,
    problem: &'static str,
    delivery: Option<Arc<str>>,
    /// Whether the signature was found good before it happened.
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

    /// Returns whether only a holder of a signing secret can have caused it.
    pub(crate) fn needs_secret(&self) -> bool {
        self.signed
    }

    /// What went wrong, to be matched on.
    #[must_use]
    pub fn kind(&self) -> DeliveryErrorKind {
        self.kind
    }

    /// The delivery's id, if its headers were well formed. Unless the kind says that the delivery
    /// was authentic, anybody may have written it.
    #[must_use]
    pub fn delivery_id(&self) -> Option<&str> {
        self.delivery.as_deref()
    }

    /// This error and its causes in one line.
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

    /// Whether the same event, sent again, may be applied.
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
            | DeliveryErrorKind::OtherInstance
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
        Self { kind, problem, delivery: None, signed: true, source: Some(Arc::new(error)) }
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
    /// Body and sink together took longer than the sender waits.
    DeadlinePassed,
    /// The delivery is authentic, and yet not an event that can be read.
    InvalidEvent,
    /// A signed header is missing, repeated or malformed.
    InvalidHeaders,
    /// No configured secret made one of the signatures.
    InvalidSignature,
    /// A webhook is a POST.
    MethodNotAllowed,
    /// The delivery is authentic, and not of the instance that this service is for.
    OtherInstance,
    /// The sink failed in a way that the next try will not mend.
    SinkRefused,
    /// The sink failed in a way that the next try may mend.
    SinkUnavailable,
    /// The delivery is too old, or from the future.
    TimestampOutOfTolerance,
}

impl DeliveryErrorKind {
    /// Returns a stable word for this kind, as a label of metrics: `invalid_signature` and the like.
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
            Self::OtherInstance => "other_instance",
            Self::SinkRefused => "sink_refused",
            Self::SinkUnavailable => "sink_unavailable",
            Self::TimestampOutOfTolerance => "timestamp_out_of_tolerance",
        }
    }
}

/// Why a sink did not take an event.
///
/// The texts of this error and of its sources are logged: leave personal data out of them.
#[derive(Clone, Debug)]
pub struct SinkError {
    retry_helps: bool,
    source: Arc<dyn Error + Send + Sync>,
}

impl SinkError {
    /// A failure that may pass: the database is away, busy, or rolled back a conflict.
    #[must_use]
    pub fn transient(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { retry_helps: true, source: source.into().into() }
    }

    /// A failure that will come again with the same event.
    #[must_use]
    pub fn permanent(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { retry_helps: false, source: source.into().into() }
    }

    /// Whether the same event, sent again, may be applied.
    #[must_use]
    pub fn retry_helps(&self) -> bool {
        self.retry_helps
    }
}

impl fmt::Display for SinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.retry_helps { "a passing failure" } else { "a lasting failure" })
    }
}

impl Error for SinkError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}
