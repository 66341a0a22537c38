//! From signed bytes to a [`Delivery`]: the clock first, then the signature, then the event.
//! Nothing else makes a `Delivery`, and nothing else names the signature crate.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use svix::webhooks::Webhook;

use super::error::{DeliveryError, DeliveryErrorKind};
use super::event::{self, Envelope, Event, Json};
use super::headers::SignedHeaders;
use crate::ConfigError;
use crate::clock::Clock;
use crate::ids::InstanceId;
use crate::secret::SigningSecret;

/// An authentic event. Clones share it.
///
/// Only a checked signature makes one, so a [`Sink`](super::Sink) need not doubt it. Which
/// try of an event it is, Svix does not say: [`sent_at`](Self::sent_at) minus
/// [`occurred_at`](Self::occurred_at) comes closest.
#[derive(Clone, Debug)]
pub struct Delivery {
    contents: Arc<Contents>,
}

#[derive(Debug)]
struct Contents {
    id: String,
    sent_at: SystemTime,
    envelope: Envelope,
}

impl Delivery {
    /// The event's id, `svix-id`: the same in every try, so it tells a repetition.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.contents.id
    }

    /// When this try was sent, to the second. A later try has another time.
    #[must_use]
    pub fn sent_at(&self) -> SystemTime {
        self.contents.sent_at
    }

    /// When the event happened, if its envelope says so.
    #[must_use]
    pub fn occurred_at(&self) -> Option<SystemTime> {
        self.contents.envelope.occurred_at
    }

    /// The instance that the event comes from, `ins_…`, if its envelope says so.
    #[must_use]
    pub fn instance_id(&self) -> Option<&str> {
        self.contents.envelope.instance_id.as_deref()
    }

    /// What happened.
    #[must_use]
    pub fn event(&self) -> &Event {
        &self.contents.envelope.event
    }

    /// What happened, as it came: the envelope's `data`, null when it has none.
    #[must_use]
    pub fn data(&self) -> &Json {
        &self.contents.envelope.data
    }

    /// What made it happen: the envelope's `event_attributes`, for example the address and the
    /// browser of a request.
    #[must_use]
    pub fn attributes(&self) -> Option<&Json> {
        self.contents.envelope.attributes.as_ref()
    }
}

/// Headers whose timestamp is within the tolerance.
#[derive(Debug)]
pub(crate) struct TimelyHeaders {
    headers: SignedHeaders,
    sent_at: SystemTime,
    /// The latest time that is believed, judged at the same moment; milliseconds since 1970.
    latest: i64,
}

/// The steps of verification, in their order.
#[derive(Debug)]
pub(crate) struct DeliveryVerifier {
    webhooks: Vec<Webhook>,
    instance_id: Option<InstanceId>,
    tolerance: Duration,
    clock: Arc<dyn Clock>,
}

impl DeliveryVerifier {
    pub(crate) fn new(
        secrets: &[SigningSecret],
        instance_id: Option<String>,
        tolerance: Duration,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ConfigError> {
        let problem = |text| ConfigError::new("webhook signing secret", text);
        if secrets.is_empty() {
            return Err(problem("is missing; every delivery would be refused"));
        }
        let webhooks = secrets
            .iter()
            .map(|secret| Webhook::from_bytes(secret.key().to_vec()))
            .collect::<Result<_, _>>()
            .map_err(|_| problem("is empty"))?;
        let instance_id = match instance_id {
            None => None,
            Some(id) => Some(InstanceId::parse(id).ok_or_else(|| {
                let text =
                    "must be `ins_` and letters or digits, as a delivery has it in `instance_id`";
                ConfigError::new("webhook instance id", text)
            })?),
        };
        Ok(Self { webhooks, instance_id, tolerance, clock })
    }

    /// Is the delivery of our time? Whole seconds, both ends included, as Svix counts.
    pub(crate) fn judge_time(
        &self,
        headers: SignedHeaders,
    ) -> Result<TimelyHeaders, DeliveryError> {
        let out = || {
            DeliveryError::new(
                DeliveryErrorKind::TimestampOutOfTolerance,
                "the delivery is too old or from the future",
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

    /// Did one of our secrets sign these bytes, what do they say, and is it our instance's?
    pub(crate) fn open(
        &self,
        timely: TimelyHeaders,
        body: &[u8],
    ) -> Result<Delivery, DeliveryError> {
        let TimelyHeaders { headers, sent_at, latest } = timely;
        let signed = self
            .webhooks
            .iter()
            .any(|webhook| webhook.verify_ignoring_timestamp(body, headers.filtered()).is_ok());
        if !signed {
            return Err(DeliveryError::new(
                DeliveryErrorKind::InvalidSignature,
                "no configured secret made a signature of this delivery",
            ));
        }
        let sent = i64::try_from(headers.timestamp()).unwrap_or(i64::MAX).saturating_mul(1000);
        let envelope = event::decode(body, sent, latest).map_err(DeliveryError::after_signature)?;
        if let Some(own) = &self.instance_id
            && envelope.instance_id.as_deref() != Some(own)
        {
            return Err(DeliveryError::new(
                DeliveryErrorKind::OtherInstance,
                "the event is not of the instance that this service is for",
            )
            .after_signature());
        }
        let id = headers.id().to_owned();
        Ok(Delivery { contents: Arc::new(Contents { id, sent_at, envelope }) })
    }
}
