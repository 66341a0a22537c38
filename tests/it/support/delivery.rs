//! Deliveries: a sink that remembers them, and the means to send them.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use serde_json::Value;
use tower::ServiceExt;
use tower_clerk::clock::SystemClock;
use tower_clerk::secret::SigningSecret;
use tower_clerk::test_util::{ManualClock, SignedDelivery};
use tower_clerk::webhook::{
    Delivery, DeliveryError, DeliveryErrorKind, Effect, Outcome, Sink, SinkError, WebhookService,
    WebhookServiceBuilder,
};

pub(crate) const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
pub(crate) const OTHER_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// When Svix's published example was signed.
pub(crate) const NOW: u64 = 1_649_367_553;

/// Remembers what it was given.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    deliveries: Mutex<Vec<Delivery>>,
}

impl Recorder {
    pub(crate) fn deliveries(&self) -> Vec<Delivery> {
        self.deliveries.lock().unwrap().clone()
    }

    /// The one delivery it was given.
    pub(crate) fn only(&self) -> Delivery {
        let deliveries = self.deliveries();
        assert_eq!(deliveries.len(), 1);
        deliveries[0].clone()
    }
}

impl Sink for Recorder {
    async fn apply(&self, delivery: &Delivery) -> Result<Outcome, SinkError> {
        self.deliveries.lock().unwrap().push(delivery.clone());
        Ok(Outcome::Applied(Effect::Other))
    }
}

pub(crate) fn secret() -> SigningSecret {
    SigningSecret::parse(SECRET).unwrap()
}

pub(crate) fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

/// A clock that stands at [`NOW`].
pub(crate) fn clock() -> Arc<ManualClock> {
    let clock = ManualClock::new();
    clock.set_wall(at(NOW));
    Arc::new(clock)
}

pub(crate) fn builder<S: Sink>(sink: S) -> WebhookServiceBuilder<S> {
    WebhookService::builder([secret()], sink).clock(clock())
}

/// A delivery signed at [`NOW`].
pub(crate) fn signed(id: &str, body: &Value) -> SignedDelivery {
    SignedDelivery::new(&secret(), id, at(NOW), body.to_string())
}

/// A delivery signed at this moment, for a service with the system's clock.
pub(crate) fn signed_now(id: &str, body: &Value) -> SignedDelivery {
    use tower_clerk::clock::Clock;
    SignedDelivery::new(&secret(), id, SystemClock::new().now(), body.to_string())
}

pub(crate) async fn send<S, B>(service: &WebhookService<S>, request: Request<B>) -> Answer
where
    S: Sink,
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let response: Response<Full<Bytes>> = service.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Answer { parts, body }
}

/// A response, read to its end.
pub(crate) struct Answer {
    pub(crate) parts: http::response::Parts,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn status(&self) -> u16 {
        self.parts.status.as_u16()
    }

    /// The refusal's kind; panics when it is none, or is not shaped as one.
    pub(crate) fn refusal(&self) -> DeliveryErrorKind {
        assert!(self.parts.status.as_u16() >= 400);
        assert_eq!(self.parts.headers["content-type"], "application/json");
        let body: Value = serde_json::from_slice(&self.body).unwrap();
        assert_eq!(body.as_object().unwrap().len(), 1);
        assert!(body["detail"].is_string());
        self.parts.extensions.get::<DeliveryError>().unwrap().kind()
    }

    pub(crate) fn detail(&self) -> String {
        let body: Value = serde_json::from_slice(&self.body).unwrap();
        body["detail"].as_str().unwrap().to_owned()
    }
}
