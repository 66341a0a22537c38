//! The sending of one copy of a delivery: signed, posted, retried. Knows no order.

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

/// A sender that posts to one endpoint, if there is one, and logs the outcomes.
pub(super) struct Sender {
    endpoint: Option<Endpoint>,
    secret: SigningSecret,
    log: Arc<Log>,
}

/// The endpoint of deliveries.
pub(crate) struct Endpoint {
    client: reqwest::Client,
    url: Url,
    /// The URL for display.
    shown: String,
}

impl Endpoint {
    /// Returns the endpoint at `url`.
    ///
    /// # Errors
    ///
    /// Returns [`StartError::WebhookUrl`] or [`StartError::HttpClient`].
    pub(crate) fn new(url: &str) -> Result<Self, StartError> {
        let url = Url::parse(url).ok().filter(is_postable).ok_or(StartError::WebhookUrl)?;
        // A server's certificate names the server, and never an address of this machine.
        let is_address = url.domain().is_none_or(|name| name == "localhost");
        // A proxy from the environment is not used.
        let client = reqwest::Client::builder();
        let client = client.no_proxy().tls_danger_accept_invalid_certs(is_address);
        // Root certificates are needed, and loaded, for `https:` only.
        let client = match url.scheme() {
            "http" if !is_address => client.tls_certs_only([]),
            _ => client,
        };
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

/// Returns whether webhooks can be posted to `url`. A user name and a password are refused, because
/// the log would show them.
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

    /// Records that all copies of a delivery are about to be sent.
    pub(super) fn announce(&self, delivery: &Delivery, faults: &Faults) {
        if self.endpoint.is_some() {
            self.log.begin(&delivery.id, faults.copies);
        }
    }

    /// Sends one copy until the server accepts it or the attempts are used up.
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
            tracing::info!("webhook {kind} {id}: {problem}");
        }
        self.log.end(id);
        let tries = PAUSES.len();
        let url = endpoint.shown();
        tracing::warn!("webhook {kind} {id} was given up after {tries} tries to {url}");
    }

    /// Posts the delivery once: with the same id and body each time, and with the current time and
    /// a new signature.
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

/// The time that Svix waits for an answer.
const PATIENCE: Duration = Duration::from_secs(15);
/// The pauses before each attempt.
const PAUSES: [Duration; 5] = [
    Duration::ZERO,
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_secs(120),
];
