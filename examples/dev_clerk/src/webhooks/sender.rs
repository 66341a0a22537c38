//! One copy of a delivery on its way: signed, posted, tried again. Knows no order.

use std::sync::Arc;
use std::time::Duration;

use tower_clerk::clock::{Clock as _, SystemClock};
use tower_clerk::secret::SigningSecret;
use tower_clerk::test_util::SignedDelivery;

use crate::time;
use crate::webhooks::log::Log;
use crate::webhooks::{Attempt, Delivery, Faults, Outcome};

/// Posts to one endpoint, and writes down what came of it.
pub(super) struct Sender {
    client: reqwest::Client,
    url: String,
    secret: SigningSecret,
    log: Arc<Log>,
}

impl Sender {
    pub(super) fn new(
        client: reqwest::Client,
        url: String,
        secret: SigningSecret,
        log: Arc<Log>,
    ) -> Self {
        Self { client, url, secret, log }
    }

    /// Writes down that all copies of a delivery will come.
    pub(super) fn announce(&self, delivery: &Delivery, faults: &Faults) {
        self.log.begin(&delivery.id, faults.copies);
    }

    /// Sends one copy until the server takes it or it is given up.
    pub(super) async fn deliver(self: Arc<Self>, delivery: Arc<Delivery>, faults: Faults) {
        let Delivery { id, kind, .. } = &*delivery;
        tokio::time::sleep(faults.delay()).await;
        for pause in PAUSES {
            tokio::time::sleep(pause).await;
            let at = time::now();
            let outcome = match self.try_once(&delivery).await {
                Outcome::Accepted(status) if faults.drops_the_answer() => {
                    Outcome::AnswerLost(status)
                }
                outcome => outcome,
            };
            self.log.tried(id, Attempt { at, outcome });
            let problem = match outcome {
                Outcome::Accepted(_) => return self.log.end(id),
                Outcome::AnswerLost(status) => format!("the answer {status} was lost on purpose"),
                Outcome::Refused(status) => format!("the server answered {status}"),
                Outcome::TimedOut => "the server did not answer in time".to_owned(),
                Outcome::Unreachable => "the server cannot be reached".to_owned(),
            };
            tracing::info!("webhook {kind} {id}: {problem}; trying again");
        }
        self.log.end(id);
        let tries = PAUSES.len();
        tracing::warn!("webhook {kind} {id} was given up after {tries} tries to {}", self.url);
    }

    /// One try: the same id and body each time, the time and the signature of now.
    async fn try_once(&self, delivery: &Delivery) -> Outcome {
        let now = SystemClock::new().now();
        let signed = SignedDelivery::new(&self.secret, &delivery.id, now, delivery.body.clone());
        let request = self.client.post(&self.url).headers(signed.headers().clone());
        let request = request
            .header("user-agent", "Svix-Webhooks/dev-clerk")
            .timeout(PATIENCE)
            .body(signed.body().clone());
        match request.send().await {
            Ok(answer) if answer.status().is_success() => {
                Outcome::Accepted(answer.status().as_u16())
            }
            Ok(answer) => Outcome::Refused(answer.status().as_u16()),
            Err(error) if error.is_timeout() => Outcome::TimedOut,
            Err(_) => Outcome::Unreachable,
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
