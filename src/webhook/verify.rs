//! The verification of deliveries: the timestamp, then the signature, then the event. Only this
//! file creates a [`Delivery`] or an [`UnreadableDelivery`] and names the signature crate.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use svix::webhooks::Webhook;

use super::error::{DeliveryError, DeliveryErrorKind};
use super::event::{self, Envelope, Event, Json, Undecodable, UnreadableEvent};
use super::headers::SignedHeaders;
use crate::ConfigError;
use crate::clock::Clock;
#[cfg(feature = "sea-orm")]
use crate::ids::UserId;
use crate::secret::SigningSecret;

/// An authentic event. Clones share it.
///
/// A value of this type exists only after its signature was verified, so a [`Sink`](super::Sink)
/// can trust it. Svix does not say how many times it has tried the event; the difference between
/// [`sent_at`](Self::sent_at) and [`occurred_at`](Self::occurred_at) is the best estimate.
#[derive(Clone, Debug)]
pub struct Delivery {
    contents: Arc<Contents>,
}

#[derive(Debug)]
struct Contents {
    id: String,
    sent_at: SystemTime,
    envelope: Envelope,
    body: Raw,
}

/// The bytes of a body. The `Debug` form omits them, since they hold personal data.
#[derive(Clone)]
struct Raw(Bytes);

impl fmt::Debug for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Raw(..)")
    }
}

impl Delivery {
    /// Returns the event's id, `svix-id`. It is the same in every try, so it identifies duplicates.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.contents.id
    }

    /// Returns the time at which this try was sent, to the second. A later try has another time.
    #[must_use]
    pub fn sent_at(&self) -> SystemTime {
        self.contents.sent_at
    }

    /// Returns the time of the event, if its envelope has one.
    #[must_use]
    pub fn occurred_at(&self) -> Option<SystemTime> {
        self.contents.envelope.occurred_at
    }

    /// Returns the id of the event's Clerk instance, `ins_…`, if its envelope has one.
    #[must_use]
    pub fn instance_id(&self) -> Option<&str> {
        self.contents.envelope.instance_id.as_deref()
    }

    /// Returns the event.
    #[must_use]
    pub fn event(&self) -> &Event {
        &self.contents.envelope.event
    }

    /// Returns the body as it was signed.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.contents.body.0
    }

    /// Returns the envelope's `data`, unchanged; null if it has none.
    #[must_use]
    pub fn data(&self) -> &Json {
        &self.contents.envelope.data
    }

    /// Returns the envelope's `event_attributes`: the origin of the event, for example the address
    /// and the browser of a request.
    #[must_use]
    pub fn attributes(&self) -> Option<&Json> {
        self.contents.envelope.attributes.as_ref()
    }

    /// Returns the id of the user whom the event is about, if it has a usable one.
    #[cfg(feature = "sea-orm")]
    pub(crate) fn user_id(&self) -> Option<UserId> {
        event::user_of(self.event().kind(), self.data().as_str())
    }

    /// Decodes the body of a delivery again that was authentic when it was received, at `received_at`.
    /// Fails with the problem.
    #[cfg(feature = "sea-orm")]
    pub(crate) fn again(
        id: String,
        received_at: SystemTime,
        body: Bytes,
    ) -> Result<Self, &'static str> {
        let millis = |time: SystemTime| {
            let since_1970 = time.duration_since(UNIX_EPOCH).unwrap_or_default();
            i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX)
        };
        let latest = millis(received_at.checked_add(LATER).unwrap_or(received_at));
        let envelope =
            event::decode(&body, millis(received_at), latest).map_err(|error| match error {
                Undecodable::Body(problem) => problem,
                Undecodable::Data(event) => event.problem,
            })?;
        let contents = Contents { id, sent_at: received_at, envelope, body: Raw(body) };
        Ok(Self { contents: Arc::new(contents) })
    }
}

/// An authentic delivery whose event cannot be given to a sink, because its data lacks what a record of
/// its kind needs, such as a usable id.
#[derive(Clone, Debug)]
pub struct UnreadableDelivery {
    id: String,
    sent_at: SystemTime,
    event: UnreadableEvent,
    body: Raw,
}

impl UnreadableDelivery {
    /// Returns the event's id, `svix-id`. It is the same in every try.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the event's type, for example `user.updated`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.event.kind
    }

    /// Returns what the event lacks, in words that hold none of its data.
    #[must_use]
    pub fn problem(&self) -> &'static str {
        self.event.problem
    }

    /// Returns the time at which this try was sent, to the second.
    #[must_use]
    pub fn sent_at(&self) -> SystemTime {
        self.sent_at
    }

    /// Returns the time of the event, if its envelope has one.
    #[must_use]
    pub fn occurred_at(&self) -> Option<SystemTime> {
        self.event.occurred_at
    }

    /// Returns the id of the event's Clerk instance, `ins_…`, if its envelope has one.
    #[must_use]
    pub fn instance_id(&self) -> Option<&str> {
        self.event.instance_id.as_deref()
    }

    /// Returns the id of the user whom the event is about, if it has a usable one.
    #[must_use]
    pub fn user_id(&self) -> Option<&str> {
        self.event.user_id.as_deref()
    }

    /// Returns the body as it was signed. It holds personal data.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body.0
    }

    /// Returns the error for a sink that does not keep it.
    pub(crate) fn error(&self) -> DeliveryError {
        DeliveryError::new(DeliveryErrorKind::InvalidEvent, self.event.problem).after_signature()
    }
}

/// An authentic delivery.
#[derive(Debug)]
pub(crate) enum Opened {
    Delivery(Delivery),
    Unreadable(UnreadableDelivery),
}

/// Headers whose timestamp is within the tolerance.
#[derive(Debug)]
pub(crate) struct TimelyHeaders {
    headers: SignedHeaders,
    sent_at: SystemTime,
    /// The latest plausible time, in milliseconds since 1970: the time at which the timestamp was
    /// checked, plus the tolerance.
    latest: i64,
}

/// A verifier of deliveries. Its methods are the steps, in their order.
#[derive(Debug)]
pub(crate) struct DeliveryVerifier {
    webhooks: Vec<Webhook>,
    tolerance: Duration,
    clock: Arc<dyn Clock>,
}

impl DeliveryVerifier {
    pub(crate) fn new(
        secrets: &[SigningSecret],
        tolerance: Duration,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ConfigError> {
        let problem = |text| ConfigError::new("webhook signing secret", text);
        if secrets.is_empty() {
            return Err(problem(
                "is missing, so that every delivery would be refused; copy it from the endpoint's \
                 page in the Dashboard, for `ClerkConfig` into CLERK_WEBHOOK_SIGNING_SECRET",
            ));
        }
        let webhooks = secrets
            .iter()
            .map(|secret| Webhook::from_bytes(secret.key().to_vec()))
            .collect::<Result<_, _>>()
            .map_err(|_| problem("is empty"))?;
        Ok(Self { webhooks, tolerance, clock })
    }

    /// Checks the timestamp against the tolerance: in whole seconds, both ends included, as Svix
    /// does.
    pub(crate) fn judge_time(
        &self,
        headers: SignedHeaders,
    ) -> Result<TimelyHeaders, DeliveryError> {
        let out = || {
            DeliveryError::new(
                DeliveryErrorKind::TimestampOutOfTolerance,
                "the delivery's timestamp is outside the webhook tolerance: the delivery is old, \
                 or this server's clock is wrong",
            )
        };
        let since_1970 = self.clock.now().duration_since(UNIX_EPOCH).map_err(|_| out())?;
        let distance = since_1970.as_secs().abs_diff(headers.timestamp());
        if Duration::from_secs(distance) > self.tolerance {
            return Err(out());
        }
        let sent_at = headers.sent_at().ok_or_else(out)?;
        let latest = since_1970.saturating_add(self.tolerance).as_millis();
        Ok(TimelyHeaders { headers, sent_at, latest: i64::try_from(latest).unwrap_or(i64::MAX) })
    }

    /// Verifies the signature and decodes the event.
    pub(crate) fn open(&self, timely: TimelyHeaders, body: Bytes) -> Result<Opened, DeliveryError> {
        let TimelyHeaders { headers, sent_at, latest } = timely;
        let signed = self
            .webhooks
            .iter()
            .any(|webhook| webhook.verify_ignoring_timestamp(&body, headers.filtered()).is_ok());
        if !signed {
            return Err(DeliveryError::new(
                DeliveryErrorKind::InvalidSignature,
                "no configured signing secret matches the delivery's signatures: the delivery is \
                 forged, or the secret is not that of this endpoint; the Clerk Dashboard shows it \
                 on the endpoint's page",
            ));
        }
        let sent = i64::try_from(headers.timestamp()).unwrap_or(i64::MAX).saturating_mul(1000);
        let decoded = event::decode(&body, sent, latest);
        let (id, body) = (headers.id().to_owned(), Raw(body));
        match decoded {
            Ok(envelope) => {
                let contents = Contents { id, sent_at, envelope, body };
                Ok(Opened::Delivery(Delivery { contents: Arc::new(contents) }))
            }
            Err(Undecodable::Data(event)) => {
                Ok(Opened::Unreadable(UnreadableDelivery { id, sent_at, event, body }))
            }
            Err(Undecodable::Body(problem)) => {
                let error = DeliveryError::new(DeliveryErrorKind::InvalidEvent, problem);
                Err(error.after_signature())
            }
        }
    }
}

/// How far a time in a body that is decoded again may be after its receipt: the usual tolerance.
#[cfg(feature = "sea-orm")]
const LATER: Duration = Duration::from_secs(300);
