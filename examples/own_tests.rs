//! A server and its tests, to copy: the tests mint tokens, move the clock and sign deliveries, and
//! need neither an account nor a network.
//!
//! ```sh
//! cargo test --example own_tests
//! cargo run --example own_tests
//! ```
#![allow(clippy::print_stdout, reason = "a program prints for its user")]

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::{Router, extract::State, http::StatusCode, routing::get};
use tower_clerk::ConfigError;
use tower_clerk::clock::{Clock, SystemClock};
use tower_clerk::secret::SigningSecret;
use tower_clerk::session::{Authorization, ClerkAuthLayer, PemKey, Session, Verifier};
use tower_clerk::test_util::Issuer;
use tower_clerk::webhook::{Delivery, Effect, Event, Outcome, Sink, SinkError, WebhookService};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // In production: `ClerkConfig::from_env()?`, its `verifier()?` and `signing_secrets()`.
    let issuer = Issuer::new("https://clerk.example.com", "ins_example");
    let verifier = Verifier::builder(issuer.iss(), PemKey::parse(&issuer.pem())?).build()?;
    let secrets = vec![SigningSecret::parse(PUBLISHED_SECRET)?];
    let token = issuer.token("user_1").expires_after(Duration::from_secs(3600)).mint();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3001").await?;
    println!("{}", instructions(listener.local_addr()?, &token));
    axum::serve(listener, app(verifier, secrets, Arc::new(SystemClock::new()))?).await?;
    Ok(())
}

/// Returns the whole service. Tests pass other keys, secrets and clocks than `main` does;
/// everything else is what runs in production.
pub(crate) fn app(
    verifier: Verifier,
    secrets: Vec<SigningSecret>,
    clock: Arc<dyn Clock>,
) -> Result<Router, ConfigError> {
    let members = Members::default();
    let webhooks = WebhookService::builder(secrets, members.clone()).clock(clock).build()?;
    Ok(Router::new()
        .route("/me", get(async |session: Session| session.user_id().to_owned()))
        .route("/members", get(list))
        .route_layer(ClerkAuthLayer::new(verifier))
        .route_service("/api/webhooks/clerk", webhooks)
        .with_state(members))
}

async fn list(State(members): State<Members>, session: Session) -> Result<String, StatusCode> {
    if !session.has(&Authorization::role("org:admin")) {
        return Err(StatusCode::FORBIDDEN);
    }
    let members = members.0.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(members.iter().map(String::as_str).collect::<Vec<_>>().join(", "))
}

/// The ids of members: a set, because a delivery may come twice. In production, a database.
#[derive(Clone, Default)]
struct Members(Arc<Mutex<BTreeSet<String>>>);

impl Sink for Members {
    async fn apply(&self, delivery: &Delivery) -> Result<Outcome, SinkError> {
        let Event::UserCreated(user) = delivery.event() else { return Ok(Outcome::Ignored) };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(user.id.to_string());
        Ok(Outcome::Applied(Effect::Other))
    }
}

/// Returns the commands that try the server, each below the status that it gets.
pub(crate) fn instructions(addr: SocketAddr, token: &str) -> String {
    let bearer = "-H \"Authorization: Bearer $TOKEN\"";
    format!(
        "In another terminal:\n\n  TOKEN='{token}'\n
200, and the user's id:\n  curl -i {bearer} http://{addr}/me\n
403, because the token names no organization:\n  curl -i {bearer} http://{addr}/members\n"
    )
}

const PUBLISHED_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

#[cfg(test)]
mod tests {
    use axum::{body::Body, http::Request};
    use tower::ServiceExt;
    use tower_clerk::test_util::{ManualClock, SignedDelivery, user_created};

    use super::*;

    /// The service, the instance that signs its tokens, and its clock.
    fn start() -> (Router, Issuer, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::new());
        let issuer = Issuer::new("https://clerk.example.com", "ins_test");
        let issuer = issuer.with_clock(clock.clone());
        (app(issuer.verifier(), vec![secret()], clock.clone()).unwrap(), issuer, clock)
    }

    fn secret() -> SigningSecret {
        SigningSecret::parse("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD").unwrap()
    }

    /// Sends a request with a token and returns the status and the body.
    async fn get(app: &Router, path: &str, token: &str) -> (u16, String) {
        let request = Request::get(path).header("authorization", format!("Bearer {token}"));
        let answer = app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let status = answer.status().as_u16();
        let body = axum::body::to_bytes(answer.into_body(), 1024).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    /// Delivers `user.created`, signed with `secret` at the clock's time, and returns the status.
    async fn deliver(app: &Router, secret: &SigningSecret, clock: &ManualClock) -> u16 {
        let body = user_created("user_2", None, 1_716_883_200_000).to_string();
        let mut request = SignedDelivery::new(secret, "msg_1", clock.now(), body).into_request();
        *request.uri_mut() = "/api/webhooks/clerk".parse().unwrap();
        app.clone().oneshot(request.map(Body::new)).await.unwrap().status().as_u16()
    }

    #[tokio::test]
    async fn a_token_says_who_it_is_for_a_minute() {
        let (app, issuer, clock) = start();
        let token = issuer.token("user_1").mint();
        assert_eq!(get(&app, "/me", &token).await, (200, "user_1".to_owned()));
        clock.advance(Duration::from_secs(66)); // 60 s and more than the 5 s of clock skew
        let expired = r#"{"detail":"Token expired"}"#.to_owned();
        assert_eq!(get(&app, "/me", &token).await, (401, expired));
    }

    #[tokio::test]
    async fn a_signed_delivery_counts_once_and_only_admins_see_it() {
        let (app, issuer, clock) = start();
        assert_eq!(deliver(&app, &secret(), &clock).await, 204);
        assert_eq!(deliver(&app, &secret(), &clock).await, 204);
        let member = issuer.token("user_1").organization("org_1", "acme", "org:member", &[]);
        assert_eq!(get(&app, "/members", &member.mint()).await.0, 403);
        let admin = issuer.token("user_1").organization("org_1", "acme", "org:admin", &[]);
        assert_eq!(get(&app, "/members", &admin.mint()).await, (200, "user_2".to_owned()));
    }

    #[tokio::test]
    async fn a_delivery_that_somebody_else_signed_changes_nothing() {
        let (app, _, clock) = start();
        let other = SigningSecret::parse(PUBLISHED_SECRET).unwrap();
        assert_eq!(deliver(&app, &other, &clock).await, 400);
    }
}
