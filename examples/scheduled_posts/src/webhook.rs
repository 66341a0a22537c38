//! Clerk's webhooks: the crate's service, with a sink that logs what it did.

use axum::Extension;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use tower::ServiceExt as _;
use tower_clerk::ConfigError;
use tower_clerk::sea_orm::SeaOrmSink;
use tower_clerk::secret::SigningSecret;
use tower_clerk::webhook::{
    Delivery, Event, Outcome, OwnInstance, Sink, SinkError, UnreadableDelivery, WebhookService,
};
use utoipa::ToSchema;

use crate::error::{Error, answer};
use crate::openapi::EveryAnswer;
use crate::telemetry;

/// The service that receives deliveries.
pub(crate) type Webhook = WebhookService<LoggingSink>;

/// Returns the service for these secrets; `None` without a secret. It ignores the deliveries of other
/// instances than `own`, once that is known.
///
/// # Errors
///
/// Returns the crate's error about the settings.
pub(crate) fn service(
    users: SeaOrmSink,
    secrets: &[SigningSecret],
    own: OwnInstance,
) -> Result<Option<Webhook>, ConfigError> {
    if secrets.is_empty() {
        return Ok(None);
    }
    let service = WebhookService::builder(secrets.to_vec(), LoggingSink { users });
    service.own_instance(own).build().map(Some)
}

/// Receive an event from Clerk
///
/// `user.created`, `user.updated` and `user.deleted` are applied, and so are `organization.*` and
/// `organizationMembership.*`; `session.ended`, `session.removed` and `session.revoked` end the session's
/// tokens. Other events are acknowledged and ignored. One that could never be applied
/// is acknowledged and kept for an operator. The body is the event as it was signed; the answer is sent
/// after the commit. The headers may also be called `webhook-id`, `webhook-timestamp` and
/// `webhook-signature`.
#[utoipa::path(
    post, path = PATH, operation_id = "webhook", tag = "Webhooks", security(),
    params(
        ("svix-id" = String, Header, description = "The delivery's id, the same at every attempt."),
        ("svix-timestamp" = i64, Header, description = "Seconds since 1970; 5 minutes off at most."),
        (
            "svix-signature" = String, Header,
            description = "`v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`; several are \
                           separated by spaces."
        ),
    ),
    request_body = ClerkEvent,
    responses(
        (status = 204, description = "Accepted, now or before."),
        (status = 400, description = "The signature is invalid, or the body cannot be read.", body = Error),
        (status = 404, description = "No signing secret is configured.", body = Error),
        (status = 413, description = "The body is too large.", body = Error),
        (
            status = 503, description = "Not committed; send it again.", body = Error,
            headers(("Retry-After" = u16, description = "Seconds."))
        ),
        EveryAnswer
    )
)]
pub(crate) async fn receive(
    Extension(webhook): Extension<Option<Webhook>>,
    request: Request,
) -> Response {
    // Outside authentication, because Clerk signs instead.
    match webhook {
        Some(webhook) => match webhook.oneshot(request).await {
            Ok(answer) => answer.into_response(),
            Err(never) => match never {},
        },
        None => answer(StatusCode::NOT_FOUND, "Webhooks are not configured"),
    }
}

/// An event from Clerk.
#[derive(ToSchema)]
#[expect(dead_code, reason = "says what comes; the crate reads it")]
pub(crate) struct ClerkEvent {
    /// For example `user.created`.
    r#type: String,
    /// The subject, for example the user as in Clerk's Backend API. Not read for ignored events.
    data: Option<serde_json::Value>,
}

/// The crate's sink, with log lines for each delivery and its outcome. The crate itself never logs
/// an e-mail address; this application may.
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
            (Outcome::Applied(_), Event::UserCreated(user)) => {
                tracing::info!("Created user: {} ({})", user.id, shown(user.email.as_deref()));
            }
            (Outcome::Applied(_), Event::UserUpdated(user)) => {
                tracing::info!("Updated user: {} ({})", user.id, shown(user.email.as_deref()));
            }
            (Outcome::Applied(_), Event::UserDeleted(user)) => {
                let id = user.id.as_deref().unwrap_or_default();
                tracing::info!("Deleted user: {id} ({})", shown(leaving.as_deref()));
            }
            _ => tracing::debug!(?outcome, "the webhook changed nothing"),
        }
        Ok(outcome)
    }

    fn acts_on(&self, kind: &str) -> bool {
        self.users.acts_on(kind)
    }

    async fn park(&self, delivery: &UnreadableDelivery) -> Result<Option<Outcome>, SinkError> {
        tracing::info!("Received Clerk webhook: {}", printable(delivery.kind()));
        let parked = self.users.park(delivery).await;
        // What nobody keeps is refused, and counted as that.
        if let Some(outcome) = parked.clone().transpose() {
            telemetry::webhook(&outcome);
        }
        parked
    }
}

impl LoggingSink {
    /// Returns the e-mail address of a user who is about to be deleted, from the row: the event has
    /// only the id.
    async fn email_of_leaving(&self, event: &Event) -> Option<String> {
        let Event::UserDeleted(user) = event else { return None };
        // An error here also prevents the event from being applied, and is reported there.
        self.users.find_user(user.id.as_deref()?).await.ok()??.email
    }
}

fn shown(email: Option<&str>) -> String {
    printable(email.unwrap_or("no e-mail address"))
}

/// Removes control characters from text from outside and shortens it, for the log.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(LONGEST_IN_LOG).collect()
}

/// The events that the server acts on, to which the endpoint in Clerk's Dashboard must subscribe.
pub(crate) const EVENTS: &[&str] = &[
    "user.created",
    "user.updated",
    "user.deleted",
    "organization.created",
    "organization.updated",
    "organization.deleted",
    "organizationMembership.created",
    "organizationMembership.updated",
    "organizationMembership.deleted",
    "session.ended",
    "session.removed",
    "session.revoked",
];
/// The path at which the server receives deliveries.
pub(crate) const PATH: &str = "/api/webhooks/clerk";
/// The longest text in the log, in characters: as long as an e-mail address can be.
const LONGEST_IN_LOG: usize = 254;
