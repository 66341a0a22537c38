//! Telling the server what happened to users: signed deliveries, retried, in order for each user.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::task::JoinHandle;
use tower_clerk::clock::{Clock as _, SystemClock};
use tower_clerk::secret::SigningSecret;
use tower_clerk::test_util::SignedDelivery;

use crate::dev_clerk::random;

/// Sends deliveries in the background. What is still under way when the process ends is lost.
pub(super) struct Outbox {
    sender: Arc<Sender>,
    /// The last delivery to each user; the next one waits for it.
    last: Mutex<HashMap<String, JoinHandle<()>>>,
}

struct Sender {
    client: reqwest::Client,
    url: String,
    secret: SigningSecret,
}

impl Outbox {
    pub(super) fn new(client: reqwest::Client, url: String, secret: SigningSecret) -> Self {
        Self { sender: Arc::new(Sender { client, url, secret }), last: Mutex::default() }
    }

    /// Hands over one event. Call in the order of the events.
    pub(super) fn send(&self, kind: &'static str, user_id: &str, envelope: &Value) {
        let delivery = Delivery {
            id: format!("msg_{}", random::alphanumeric(27)),
            kind,
            body: envelope.to_string(),
        };
        let sender = Arc::clone(&self.sender);
        let mut last = self.last.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        last.retain(|_, delivery| !delivery.is_finished());
        let before = last.remove(user_id);
        let task = tokio::spawn(async move {
            if let Some(before) = before {
                // However it ended, it is over.
                let _ = before.await;
            }
            sender.deliver(&delivery).await;
        });
        last.insert(user_id.to_owned(), task);
    }
}

struct Delivery {
    id: String,
    kind: &'static str,
    body: String,
}

impl Sender {
    async fn deliver(&self, delivery: &Delivery) {
        let Delivery { id, kind, .. } = delivery;
        for pause in PAUSES {
            tokio::time::sleep(pause).await;
            match self.try_once(delivery).await {
                Ok(()) => return,
                Err(problem) => tracing::info!("webhook {kind} {id}: {problem}; trying again"),
            }
        }
        let tries = PAUSES.len();
        tracing::warn!("webhook {kind} {id} was given up after {tries} tries to {}", self.url);
    }

    /// One try: the same id and body each time, the time and the signature of now.
    async fn try_once(&self, delivery: &Delivery) -> Result<(), String> {
        let now = SystemClock::new().now();
        let signed = SignedDelivery::new(&self.secret, &delivery.id, now, delivery.body.clone());
        let request = self.client.post(&self.url).headers(signed.headers().clone());
        let request = request
            .header("user-agent", "Svix-Webhooks/dev-clerk")
            .timeout(PATIENCE)
            .body(signed.body().clone());
        match request.send().await {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => Err(format!("the server answered {}", answer.status())),
            Err(error) if error.is_timeout() => Err("the server did not answer in time".into()),
            Err(_) => Err("the server cannot be reached".into()),
        }
    }
}

/// As long as Svix waits for an answer.
const PATIENCE: Duration = Duration::from_secs(15);
/// Before each try.
const PAUSES: [Duration; 5] = [
    Duration::ZERO,
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_secs(120),
];
