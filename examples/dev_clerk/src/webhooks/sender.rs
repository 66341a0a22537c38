//! One copy of a delivery on its way: signed, posted, tried again. Knows no order.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use tower_clerk::clock::{Clock as _, SystemClock};
use tower_clerk::secret::SigningSecret;
use tower_clerk::test_util::SignedDelivery;

use crate::start_error::StartError;
use crate::time;
use crate::webhooks::log::Log;
use crate::webhooks::{Attempt, Delivery, Faults, Outcome};

/// Posts to one endpoint, if there is one, and writes down what came of it.
pub(super) struct Sender {
    endpoint: Option<Endpoint>,
    secret: SigningSecret,
    log: Arc<Log>,
}

/// Where deliveries go.
pub(crate) struct Endpoint {
    client: reqwest::Client,
    url: Url,
    /// For people.
    shown: String,
}

impl Endpoint {
    /// Returns the endpoint at `url`.
    ///
    /// # Errors
    ///
    /// [`StartError::WebhookUrl`] and [`StartError::HttpClient`].
    pub(crate) fn new(url: &str) -> Result<Self, StartError> {
        let url = Url::parse(url).ok().filter(is_postable).ok_or(StartError::WebhookUrl)?;
        // Whatever certificate a server has is for its own name, not for an address of this machine.
        let is_address = url.domain().is_none_or(|name| name == "localhost");
        // Nor has a proxy from the environment any part in it.
        let client = reqwest::Client::builder();
        let client = client.no_proxy().tls_danger_accept_invalid_certs(is_address);
        let client = client.build().map_err(|error| StartError::HttpClient(error.into()))?;
        let mut shown = url.clone();
        shown.set_query(None);
        Ok(Self { client, url, shown: shown.into() })
    }

    /// Returns the URL without its query, which may hold a secret.
    pub(crate) fn shown(&self) -> &str {
        &self.shown
    }
}

/// Whether a URL can be posted to. One with a name and a password would show them in the log.
fn is_postable(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
}

impl Sender {
    pub(super) fn new(endpoint: Option<Endpoint>, secret: SigningSecret, log: Arc<Log>) -> Self {
        Self { endpoint, secret, log }
    }

    pub(super) fn endpoint(&self) -> Option<&Endpoint> {
        self.endpoint.as_ref()
    }

    /// Writes down that all copies of a delivery will come.
    pub(super) fn announce(&self, delivery: &Delivery, faults: &Faults) {
        if self.endpoint.is_some() {
            self.log.begin(&delivery.id, faults.copies);
        }
    }

    /// Sends one copy until the server takes it or it is given up.
    pub(super) async fn deliver(self: Arc<Self>, delivery: Arc<Delivery>, faults: Faults) {
        let Some(endpoint) = &self.endpoint else { return };
        let Delivery { id, kind, .. } = &*delivery;
        tokio::time::sleep(faults.delay()).await;
        for pause in PAUSES {
            tokio::time::sleep(pause).await;
            let at = time::now();
            let outcome = match self.try_once(endpoint, &delivery).await {
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
        let url = endpoint.shown();
        tracing::warn!("webhook {kind} {id} was given up after {tries} tries to {url}");
    }

    /// One try: the same id and body each time, the time and the signature of now.
    async fn try_once(&self, endpoint: &Endpoint, delivery: &Delivery) -> Outcome {
        let now = SystemClock::new().now();
        let signed = SignedDelivery::new(&self.secret, &delivery.id, now, delivery.body.clone());
        let request = endpoint.client.post(endpoint.url.clone()).headers(signed.headers().clone());
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
