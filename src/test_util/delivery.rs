//! Webhook deliveries with valid signatures, and bodies like those that Clerk sends.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Method, Request};
use http_body_util::Full;
use serde_json::{Value, json};
use svix::webhooks::Webhook;

use super::clock::ManualClock;
use crate::secret::SigningSecret;
use crate::webhook::{Delivery, DeliveryError, DeliveryVerifier, Opened, SignedHeaders};

/// A signed delivery: headers and a body, which a test can send in any way.
///
/// ```
/// use std::time::SystemTime;
/// use tower_clerk::secret::SigningSecret;
/// use tower_clerk::test_util::{SignedDelivery, user_created};
///
/// let secret = SigningSecret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")?;
/// let body = user_created("user_1", Some("ann@example.com"), 1_716_883_200_000);
/// let delivery = SignedDelivery::new(&secret, "msg_1", SystemTime::now(), body.to_string());
/// assert_eq!(delivery.headers()["svix-id"], "msg_1");
/// # Ok::<(), tower_clerk::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct SignedDelivery {
    headers: HeaderMap,
    body: Bytes,
}

impl SignedDelivery {
    /// Signs a body as Svix does, with `sent_at` as its timestamp, in whole seconds; a time before
    /// 1970 counts as 1970.
    ///
    /// # Panics
    ///
    /// Panics if the body is not UTF-8, or if the id is not allowed in a header.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a test cannot go on without a delivery")]
    pub fn new(
        secret: &SigningSecret,
        id: &str,
        sent_at: SystemTime,
        body: impl Into<Bytes>,
    ) -> Self {
        let body = body.into();
        let since_1970 = sent_at.duration_since(UNIX_EPOCH).unwrap_or_default();
        let timestamp = i64::try_from(since_1970.as_secs()).unwrap_or(i64::MAX);
        let signature = Webhook::from_bytes(secret.key().to_vec())
            .and_then(|webhook| webhook.sign(id, timestamp, &body))
            .expect("a body in UTF-8");
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, value) in [
            ("svix-id", id),
            ("svix-timestamp", &timestamp.to_string()),
            ("svix-signature", &signature),
        ] {
            headers.insert(name, HeaderValue::from_str(value).expect("an id for a header"));
        }
        Self { headers, body }
    }

    /// Returns `content-type` and the three signed headers.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Returns the signed body.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Verifies the delivery as the webhook service does, at the time at which it was signed: for a test
    /// that gives it to a [`Sink`](crate::webhook::Sink) itself.
    ///
    /// ```
    /// use std::time::SystemTime;
    /// use tower_clerk::secret::SigningSecret;
    /// use tower_clerk::test_util::{SignedDelivery, user_deleted};
    ///
    /// let secret = SigningSecret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")?;
    /// let body = user_deleted("user_1").to_string();
    /// let signed = SignedDelivery::new(&secret, "msg_1", SystemTime::now(), body);
    /// assert_eq!(signed.open(&secret)?.event().kind(), "user.deleted");
    ///
    /// let other = SigningSecret::parse("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD")?;
    /// assert!(signed.open(&other).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Fails if it was signed with another secret, or if its event cannot be read.
    #[expect(clippy::expect_used, reason = "a secret that signs also verifies")]
    pub fn open(&self, secret: &SigningSecret) -> Result<Delivery, DeliveryError> {
        let headers = SignedHeaders::read(&self.headers)?;
        let clock = ManualClock::new();
        clock.set_wall(headers.sent_at().unwrap_or(UNIX_EPOCH));
        let secrets = std::slice::from_ref(secret);
        let verifier = DeliveryVerifier::new(secrets, Duration::from_secs(300), Arc::new(clock))
            .expect("a secret");
        match verifier.open(verifier.judge_time(headers)?, self.body.clone())? {
            Opened::Delivery(delivery) => Ok(delivery),
            Opened::Unreadable(delivery) => Err(delivery.error()),
        }
    }

    /// Returns the delivery as a POST request to `/`, ready for a service.
    #[must_use]
    pub fn into_request(self) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(self.body));
        *request.method_mut() = Method::POST;
        *request.headers_mut() = self.headers;
        request
    }
}

/// Returns a body of `user.created`. `updated_at` is in milliseconds since 1970, and is also the
/// user's `created_at`.
#[must_use]
pub fn user_created(id: &str, email: Option<&str>, updated_at: i64) -> Value {
    envelope("user.created", &user(id, email, updated_at))
}

/// Returns a body of `user.updated`. `updated_at` is in milliseconds since 1970, and is also the
/// user's `created_at`.
#[must_use]
pub fn user_updated(id: &str, email: Option<&str>, updated_at: i64) -> Value {
    envelope("user.updated", &user(id, email, updated_at))
}

/// Returns a body of `user.deleted`.
#[must_use]
pub fn user_deleted(id: &str) -> Value {
    envelope("user.deleted", &json!({ "object": "user", "id": id, "deleted": true }))
}

fn user(id: &str, email: Option<&str>, updated_at: i64) -> Value {
    let address =
        |email| json!({ "id": "idn_1", "object": "email_address", "email_address": email });
    json!({
        "object": "user", "id": id,
        "primary_email_address_id": email.map(|_| "idn_1"),
        "email_addresses": email.map(address).into_iter().collect::<Vec<_>>(),
        "first_name": null, "last_name": null, "username": null,
        "image_url": "https://img.clerk.com/x", "has_image": false,
        "public_metadata": {}, "private_metadata": null, "unsafe_metadata": {},
        "created_at": updated_at, "updated_at": updated_at,
    })
}

fn envelope(kind: &str, data: &Value) -> Value {
    json!({ "object": "event", "type": kind, "instance_id": "ins_1", "data": data })
}
