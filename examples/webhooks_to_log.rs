//! Clerk's webhooks as lines in a log, without a database.
//!
//! It needs no account: without `CLERK_WEBHOOK_SIGNING_SECRET` it uses a published secret and
//! prints deliveries signed with it.
//!
//! ```sh
//! cargo run --example webhooks_to_log
//! ```
#![allow(clippy::print_stdout, reason = "a program prints for its user")]

use std::net::SocketAddr;

use axum::Router;
use tokio::net::TcpListener;
use tower_clerk::ConfigError;
use tower_clerk::clock::{Clock, SystemClock};
use tower_clerk::secret::SigningSecret;
use tower_clerk::test_util::{SignedDelivery, user_created, user_deleted};
use tower_clerk::webhook::{Delivery, Effect, Event, Outcome, WebhookService, sink_fn};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().init();
    let listener = TcpListener::bind("127.0.0.1:3001").await?;
    let addr = listener.local_addr()?;
    let secrets = match std::env::var("CLERK_WEBHOOK_SIGNING_SECRET") {
        Ok(text) => {
            let secrets = SigningSecret::parse_list(&text)?;
            println!("deliveries are accepted at http://{addr}{PATH}");
            secrets
        }
        Err(_) => {
            let secret = SigningSecret::parse(PUBLISHED_SECRET)?;
            println!("{}", instructions(addr, &secret));
            vec![secret]
        }
    };
    axum::serve(listener, app(secrets)?).await?;
    Ok(())
}

/// Returns the whole service, which logs one line for each authentic delivery.
///
/// A line holds ids and nothing else of the delivery: no name, no address, no text of an e-mail.
/// The same `delivery` on two lines is a delivery that was sent twice.
pub(crate) fn app(secrets: Vec<SigningSecret>) -> Result<Router, ConfigError> {
    let log = sink_fn(async |delivery: Delivery| {
        let (event, about) = (delivery.event(), subject(delivery.event()));
        tracing::info!(delivery = delivery.id(), event = event.kind(), about, "from Clerk");
        Ok(Outcome::Applied(Effect::Other))
    });
    let webhooks = WebhookService::builder(secrets, log).build()?;
    Ok(Router::new().route_service(PATH, webhooks))
}

/// Returns the id of the user or organization that an event is about.
fn subject(event: &Event) -> Option<&str> {
    match event {
        Event::OrganizationCreated(it) | Event::OrganizationUpdated(it) => Some(&it.id),
        Event::UserCreated(user) | Event::UserUpdated(user) => Some(&user.id),
        Event::UserDeleted(user) => user.id.as_deref(),
        _ => None,
    }
}

/// Returns the commands that try the server, each below the status that it gets.
pub(crate) fn instructions(addr: SocketAddr, secret: &SigningSecret) -> String {
    let now = SystemClock::new().now();
    let created = user_created("user_1", Some("ann@example.com"), 1_716_883_200_000).to_string();
    let deleted = user_deleted("user_1").to_string();
    let created = SignedDelivery::new(secret, "msg_1", now, created);
    let deleted = SignedDelivery::new(secret, "msg_2", now, deleted);
    format!(
        "In another terminal, within five minutes, because Clerk's signatures expire after that:

204, and a line here with the ids of the delivery and of the user, without the address:
  {}

204, and a line about the deletion of the user:
  {}

400, and a warning instead of such a line, for a delivery without a signature:
  curl -i -d '{{}}' http://{addr}{PATH}
",
        curl(&created, addr),
        curl(&deleted, addr),
    )
}

/// Returns the command that sends a delivery.
fn curl(delivery: &SignedDelivery, addr: SocketAddr) -> String {
    let header = |(name, value): (_, &http::HeaderValue)| {
        format!(" -H '{name}: {}'", String::from_utf8_lossy(value.as_bytes()))
    };
    let headers: String = delivery.headers().iter().map(header).collect();
    let body = String::from_utf8_lossy(delivery.body());
    format!("curl -i{headers} -d '{body}' http://{addr}{PATH}")
}

const PATH: &str = "/api/webhooks/clerk";

/// A secret from Svix's documentation. It is public: anyone can sign with it, so use it for tests.
pub(crate) const PUBLISHED_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
