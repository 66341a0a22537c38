//! Clerk's webhooks: the crate's service, with a sink that says in the log what it did.

use axum::Router;
use axum::http::StatusCode;
use axum::routing::any;
use tower_clerk::ConfigError;
use tower_clerk::sea_orm::SeaOrmSink;
use tower_clerk::secret::SigningSecret;
use tower_clerk::webhook::{Delivery, Event, Outcome, Sink, SinkError, WebhookService};

use crate::error::answer;
use crate::state::AppState;
use crate::telemetry;

/// What takes the deliveries in.
pub(crate) type Webhook = WebhookService<LoggingSink>;

/// The service for these secrets; none without a secret.
///
/// # Errors
///
/// Whatever the crate finds wrong with the settings.
pub(crate) fn service(
    users: SeaOrmSink,
    secrets: &[SigningSecret],
) -> Result<Option<Webhook>, ConfigError> {
    if secrets.is_empty() {
        return Ok(None);
    }
    WebhookService::builder(secrets.to_vec(), LoggingSink { users }).build().map(Some)
}

/// The route: outside authentication, because Clerk signs instead.
pub(crate) fn route(webhook: Option<Webhook>) -> Router<AppState> {
    match webhook {
        Some(webhook) => Router::new().route_service(PATH, webhook),
        None => {
            let off = async || answer(StatusCode::NOT_FOUND, "Webhooks are not configured");
            Router::new().route(PATH, any(off))
        }
    }
}

/// The crate's sink, and a line in the log for what came and what became of it. The crate itself
/// never logs an e-mail address; this application may.
#[derive(Debug)]
pub(crate) struct LoggingSink {
    users: SeaOrmSink,
}

impl Sink for LoggingSink {
    async fn apply(&self, delivery: &Delivery) -> Result<Outcome, SinkError> {
        let event = delivery.event();
        tracing::info!("Received Clerk webhook: {}", printable(event.kind()));
        let leaving = self.email_of_leaving(event).await;
        let outcome = self.users.apply(delivery).await;
        telemetry::webhook(&outcome);
        let outcome = outcome?;
        match (outcome, event) {
            (Outcome::Applied, Event::UserCreated(user)) => {
                tracing::info!("Created user: {} ({})", user.id, shown(user.email.as_deref()));
            }
            (Outcome::Applied, Event::UserUpdated(user)) => {
                tracing::info!("Updated user: {} ({})", user.id, shown(user.email.as_deref()));
            }
            (Outcome::Applied, Event::UserDeleted(user)) => {
                let id = user.id.as_deref().unwrap_or_default();
                tracing::info!("Deleted user: {id} ({})", shown(leaving.as_deref()));
            }
            _ => tracing::debug!(?outcome, "the webhook changed nothing"),
        }
        Ok(outcome)
    }
}

impl LoggingSink {
    /// A deletion does not say whom it is about but by id; the row does, as long as it is there.
    async fn email_of_leaving(&self, event: &Event) -> Option<String> {
        let Event::UserDeleted(user) = event else { return None };
        // What keeps this from being read will keep the event from being applied, and be told then.
        self.users.find_user(user.id.as_deref()?).await.ok()??.email
    }
}

fn shown(email: Option<&str>) -> String {
    printable(email.unwrap_or("no e-mail address"))
}

/// Signed or not, text from outside gets no line breaks into the log, and no novels.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(LONGEST_IN_LOG).collect()
}

/// As long as an e-mail address can be.
const LONGEST_IN_LOG: usize = 254;

const PATH: &str = "/api/webhooks/clerk";
