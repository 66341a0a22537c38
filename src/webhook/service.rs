//! The Tower service that takes a delivery through all steps in order, and its builder.

use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body::Body;
use http_body_util::Full;
use tower_service::Service;

use super::body::{self, BodyLimits};
use super::error::{DeliveryError, DeliveryErrorKind};
use super::future::ResponseFuture;
use super::headers::SignedHeaders;
use super::instance::{Addressee, OwnInstance};
use super::refusals::Refusals;
use super::respond;
use super::sink::Sink;
use super::taken;
use super::verify::{Delivery, DeliveryVerifier, Opened, UnreadableDelivery};
use crate::ConfigError;
use crate::clock::{Clock, SystemClock};
use crate::secret::SigningSecret;
use crate::trace;

/// A Tower service that receives Clerk's webhooks and hands them to a [`Sink`].
///
/// Mount it where it receives the original body: the signature covers the bytes as they were sent,
/// so no layer may decompress or parse them first. No session is needed: the signature proves that
/// a delivery is Clerk's.
///
/// | status | when |
/// |---|---|
/// | 204 | the sink has the delivery or has parked it, or it is another instance's, or an example |
/// | 400 | the delivery is not authentic, too old, or unreadable |
/// | 405 | the method is not POST |
/// | 408, 413 | the body took too long, or is too long |
/// | 500 | the sink refused the event permanently |
/// | 503 with `Retry-After` | the sink is unavailable, or the deadline passed |
///
/// The body of every refusal is `application/json` with one string member, `detail`. The
/// [`DeliveryError`] is in the response's extensions.
///
/// Polling the future outside a Tokio runtime with timers panics.
pub struct WebhookService<S> {
    receiver: Arc<Receiver<S>>,
}

struct Receiver<S> {
    verifier: DeliveryVerifier,
    body_limits: BodyLimits,
    deadline: Duration,
    refusals: Refusals,
    addressee: Addressee,
    clock: Arc<dyn Clock>,
    sink: S,
}

impl<S> WebhookService<S> {
    /// Starts building a service that accepts deliveries signed with any of these secrets. During a
    /// rotation, pass the old and the new secret.
    pub fn builder(
        secrets: impl IntoIterator<Item = SigningSecret>,
        sink: S,
    ) -> WebhookServiceBuilder<S> {
        WebhookServiceBuilder {
            secrets: secrets.into_iter().collect(),
            sink,
            clock: Arc::new(SystemClock::new()),
            instance: OwnInstance::new(),
            instance_id: None,
            body_limits: BodyLimits { bytes: BODY_LIMIT, time: BODY_TIMEOUT },
            deadline: DEADLINE,
            tolerance: TOLERANCE,
        }
    }

    /// Returns the sink.
    #[must_use]
    pub fn sink(&self) -> &S {
        &self.receiver.sink
    }
}

impl<S> Clone for WebhookService<S> {
    fn clone(&self) -> Self {
        Self { receiver: Arc::clone(&self.receiver) }
    }
}

impl<S> fmt::Debug for WebhookService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookService")
            .field("body_limits", &self.receiver.body_limits)
            .field("deadline", &self.receiver.deadline)
            .finish_non_exhaustive()
    }
}

impl<S, B> Service<Request<B>> for WebhookService<S>
where
    S: Sink,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> ResponseFuture {
        let receiver = Arc::clone(&self.receiver);
        ResponseFuture::new(async move {
            let signed = OnceLock::new();
            let received = receiver.receive(request, &signed);
            let received = tokio::time::timeout(receiver.deadline, received).await;
            let received = received.unwrap_or_else(|_| Err(deadline_passed(signed.into_inner())));
            match received {
                Ok(()) => respond::accepted(),
                Err(error) => {
                    receiver.refusals.record(&error);
                    respond::refused(error)
                }
            }
        })
    }
}

impl<S: Sink> Receiver<S> {
    /// Runs all steps; sets `signed` to the delivery's id as soon as its signature is verified.
    async fn receive<B>(
        &self,
        request: Request<B>,
        signed: &OnceLock<String>,
    ) -> Result<(), DeliveryError>
    where
        B: Body,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let (request, body) = request.into_parts();
        if request.method != Method::POST {
            return Err(DeliveryError::new(
                DeliveryErrorKind::MethodNotAllowed,
                "the request's method is not POST",
            ));
        }
        let headers = SignedHeaders::read(&request.headers)?;
        let id = headers.id().to_owned();
        let result = async {
            let headers = self.verifier.judge_time(headers)?;
            let body = body::read(&request.headers, body, self.body_limits).await?;
            let opened = self.verifier.open(headers, body)?;
            // This is the only place that sets it, once per request.
            let _ = signed.set(id.clone());
            match opened {
                Opened::Delivery(delivery) => {
                    if self.addressee.is_of(delivery.id(), delivery.instance_id()) {
                        self.hand_over(&delivery).await?;
                    }
                }
                Opened::Unreadable(delivery) if !self.sink.acts_on(delivery.kind()) => {
                    trace::event!(
                        debug,
                        kind = delivery.kind(),
                        "an event that the sink does not act on cannot be read: {}",
                        delivery.problem()
                    )
                }
                Opened::Unreadable(delivery) => {
                    if self.addressee.is_of(delivery.id(), delivery.instance_id()) {
                        self.park(&delivery).await?;
                    }
                }
            }
            Ok(())
        };
        result.await.map_err(|error: DeliveryError| error.about(&id))
    }

    /// Has a delivery parked that the sink would act on if it could be read.
    async fn park(&self, delivery: &UnreadableDelivery) -> Result<(), DeliveryError> {
        let parked = self.sink.park(delivery).await;
        taken::record_unreadable(delivery, &parked, self.clock.now());
        let Some(outcome) = parked? else { return Err(delivery.error()) };
        trace::event!(
            debug,
            delivery = delivery.id(),
            kind = delivery.kind(),
            ?outcome,
            "unreadable webhook delivery received: {}",
            delivery.problem()
        );
        let _ = outcome;
        Ok(())
    }

    async fn hand_over(&self, delivery: &Delivery) -> Result<(), DeliveryError> {
        let applied = self.sink.apply(delivery).await;
        taken::record(delivery, &applied, self.clock.now());
        let outcome = applied?;
        trace::event!(
            debug,
            delivery = delivery.id(),
            kind = delivery.event().kind(),
            ?outcome,
            "webhook delivery received"
        );
        let _ = outcome;
        Ok(())
    }
}

/// Returns the error for a delivery that took too long, with its id if it was authentic.
fn deadline_passed(signed: Option<String>) -> DeliveryError {
    let error = DeliveryError::new(
        DeliveryErrorKind::DeadlinePassed,
        "body and sink together took longer than the webhook deadline; Svix sends the delivery \
         again",
    );
    match signed {
        Some(id) => error.after_signature().about(&id),
        None => error,
    }
}

/// A builder for [`WebhookService`].
#[must_use = "a builder does nothing until it is built"]
pub struct WebhookServiceBuilder<S> {
    secrets: Vec<SigningSecret>,
    sink: S,
    clock: Arc<dyn Clock>,
    instance: OwnInstance,
    instance_id: Option<String>,
    body_limits: BodyLimits,
    deadline: Duration,
    tolerance: Duration,
}

impl<S> WebhookServiceBuilder<S> {
    /// Sets the longest body that is read, in bytes; default: 1 MiB.
    pub fn body_limit(mut self, bytes: usize) -> Self {
        self.body_limits.bytes = bytes;
        self
    }

    /// Sets how long reading a body may take, to its last byte; default: 10 s.
    pub fn body_timeout(mut self, timeout: Duration) -> Self {
        self.body_limits.time = timeout;
        self
    }

    /// Sets the clock; default: the operating system's.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Sets how long body and sink may take together; default: 14 s, since Svix waits 15 s for a
    /// response and then tries again.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Sets the only Clerk instance whose deliveries the sink is given, `ins_…`; default: any instance
    /// that signs with one of the secrets.
    ///
    /// A delivery that names another instance is acknowledged and changes nothing, with a warning and
    /// the metric `clerk_webhook_ignored_total`; one that names none is taken. This guards against using
    /// the secret of one environment in another.
    ///
    /// An example that the Dashboard sends ("Send Example") is signed, but names the instance `ins_123`
    /// and a user who does not exist. It is always acknowledged and never given to the sink.
    pub fn instance_id(mut self, id: impl Into<String>) -> Self {
        self.instance_id = Some(id.into());
        self
    }

    /// Sets an instance that becomes known while the server runs, to which
    /// [`instance_id`](Self::instance_id) applies from then on.
    pub fn own_instance(mut self, instance: OwnInstance) -> Self {
        self.instance = instance;
        self
    }

    /// Sets how far a delivery's timestamp may be from the current time, in both directions;
    /// default: 300 s, as in Clerk's own SDKs.
    pub fn tolerance(mut self, tolerance: Duration) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Builds the service.
    ///
    /// # Errors
    ///
    /// Fails without a secret, with an invalid instance id, or with a body limit, body timeout or
    /// deadline of zero, which would refuse every delivery.
    pub fn build(self) -> Result<WebhookService<S>, ConfigError> {
        let zero = |setting| ConfigError::new(setting, "must be more than zero");
        if self.body_limits.bytes == 0 {
            return Err(zero("webhook body limit"));
        }
        if self.body_limits.time.is_zero() {
            return Err(zero("webhook body timeout"));
        }
        if self.deadline.is_zero() {
            return Err(zero("webhook deadline"));
        }
        if let Some(id) = self.instance_id {
            self.instance.set(&id).map_err(|_| {
                let text = "must be `ins_` and letters, digits or underscores, 255 bytes at most, as in \
                            a delivery's `instance_id`";
                ConfigError::new("webhook instance id", text)
            })?;
        }
        let refusals = Refusals::new(Arc::clone(&self.clock));
        let addressee = Addressee::new(self.instance, Arc::clone(&self.clock));
        let clock = Arc::clone(&self.clock);
        let verifier = DeliveryVerifier::new(&self.secrets, self.tolerance, self.clock)?;
        Ok(WebhookService {
            receiver: Arc::new(Receiver {
                verifier,
                body_limits: self.body_limits,
                deadline: self.deadline,
                refusals,
                addressee,
                clock,
                sink: self.sink,
            }),
        })
    }
}

impl<S> fmt::Debug for WebhookServiceBuilder<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookServiceBuilder")
            .field("body_limits", &self.body_limits)
            .field("clock", &self.clock)
            .field("deadline", &self.deadline)
            .field("instance_id", &self.instance_id)
            .field("secrets", &self.secrets)
            .field("tolerance", &self.tolerance)
            .finish_non_exhaustive()
    }
}

const BODY_LIMIT: usize = 1024 * 1024;
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
const DEADLINE: Duration = Duration::from_secs(14);
const TOLERANCE: Duration = Duration::from_secs(300);
