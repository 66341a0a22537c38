//! Turning enforcement on: at first everybody passes, while the log and `/metrics` say who would
//! have been refused, and why. Needs no account: without `CLERK_PUBLISHABLE_KEY` it stands in for
//! Clerk and prints a token.
//!
//! ```sh
//! cargo run --example report_only
//! ENFORCE=true cargo run --example report_only
//! ```
#![allow(clippy::print_stdout, reason = "a program speaks to who starts it")]

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::get;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;
use tower_clerk::config::ClerkConfig;
use tower_clerk::session::{AuthError, ClerkAuthLayer, PemKey, Session, Verifier};
use tower_clerk::test_util::Issuer;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().init();
    let metrics = PrometheusBuilder::new().install_recorder()?;
    let enforcement = match std::env::var("ENFORCE").as_deref() {
        Ok("true") => Enforcement::On,
        _ => Enforcement::ReportOnly,
    };
    let (verifier, token) = match std::env::var("CLERK_PUBLISHABLE_KEY") {
        Ok(_) => (ClerkConfig::from_env()?.verifier()?, TOKEN_OF_YOURS.to_owned()),
        Err(_) => stand_in()?,
    };
    let listener = TcpListener::bind("127.0.0.1:3001").await?;
    println!("{}", instructions(listener.local_addr()?, &token, enforcement));
    axum::serve(listener, app(verifier, enforcement, metrics)).await?;
    Ok(())
}

/// Whether a request without a good token is refused.
#[derive(Clone, Copy)]
pub(crate) enum Enforcement {
    /// It passes, and is reported.
    ReportOnly,
    /// It is refused.
    On,
}

/// Returns the whole service. The layer counts every request by outcome, for `/metrics`, which
/// in production is for the operator's network alone.
pub(crate) fn app(
    verifier: Verifier,
    enforcement: Enforcement,
    metrics: PrometheusHandle,
) -> Router {
    let layer = ClerkAuthLayer::new(verifier);
    let layer = match enforcement {
        Enforcement::ReportOnly => layer.report_only(),
        Enforcement::On => layer,
    };
    Router::new()
        .route("/orders", get(orders))
        .route_layer(from_fn(report))
        .route_layer(layer)
        .route("/metrics", get(async move || metrics.render()))
}

/// Works in both modes. Once enforcement stays on, the handler can take `Session`.
async fn orders(session: Option<Session>) -> String {
    let whose = session.as_ref().map_or("somebody", Session::user_id);
    format!("The orders of {whose}.\n")
}

/// Logs which client would have been refused, and why. The layer logs the reason too, but neither
/// the path nor the client.
async fn report(request: Request, next: Next) -> Response {
    if let Some(error) = request.extensions().get::<AuthError>() {
        let (path, agent) = (request.uri().path(), request.headers().get("user-agent"));
        tracing::warn!(reason = error.kind().as_str(), path, ?agent, "would be refused");
    }
    next.run(request).await
}

/// Stands in for Clerk: returns a verifier, and a token that it accepts.
pub(crate) fn stand_in() -> Result<(Verifier, String), Box<dyn std::error::Error>> {
    let issuer = Issuer::new("https://clerk.example.com", "ins_example");
    let verifier = Verifier::builder(issuer.iss(), PemKey::parse(&issuer.pem())?).build()?;
    Ok((verifier, issuer.token("user_1").expires_after(Duration::from_secs(3600)).mint()))
}

/// Returns what to type to try the server, each command after the status that it gets.
pub(crate) fn instructions(addr: SocketAddr, token: &str, enforcement: Enforcement) -> String {
    let (status, next) = match enforcement {
        Enforcement::ReportOnly => (
            "200, and the reason in the log here",
            "Once only requests remain that should be refused, start it again with ENFORCE=true.",
        ),
        Enforcement::On => ("401", "Without ENFORCE=true everybody passes, and is reported."),
    };
    format!(
        "In another terminal:

  TOKEN='{token}'

200 with a good token:
  curl -i -H \"Authorization: Bearer $TOKEN\" http://{addr}/orders

{status}, without a token:
  curl -i http://{addr}/orders

{status}, with a token that is not good:
  curl -i -H \"Authorization: Bearer x$TOKEN\" http://{addr}/orders

200, and how many requests passed and were refused, by reason:
  curl -i http://{addr}/metrics

{next}
"
    )
}

const TOKEN_OF_YOURS: &str = "<what `await Clerk.session.getToken()` gives in your front end>";
