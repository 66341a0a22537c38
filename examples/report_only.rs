//! Enforcement in two steps: at first every request passes, while the log and `/metrics` show which
//! requests would have been refused, and why.
//!
//! It needs no account: without `CLERK_PUBLISHABLE_KEY` it stands in for Clerk and prints a token.
//!
//! ```sh
//! cargo run --example report_only
//! ENFORCE=true cargo run --example report_only
//! ```
#![allow(clippy::print_stdout, reason = "a program prints for its user")]

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

/// The treatment of a request without a valid token.
#[derive(Clone, Copy)]
pub(crate) enum Enforcement {
    /// The request passes and is reported.
    ReportOnly,
    /// The request is refused.
    On,
}

/// Returns the whole service.
///
/// The layer counts every request by outcome, for `/metrics`. In production, only the operator's
/// network should reach that path.
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

/// Lists orders in both modes. Once enforcement stays on, the handler can take `Session`.
async fn orders(session: Option<Session>) -> String {
    let whose = session.as_ref().map_or("somebody", Session::user_id);
    format!("The orders of {whose}.\n")
}

/// Logs the client whose request would have been refused, and why. The layer logs the reason too,
/// but neither the path nor the client.
async fn report(request: Request, next: Next) -> Response {
    if let Some(error) = request.extensions().get::<AuthError>() {
        let (path, agent) = (request.uri().path(), request.headers().get("user-agent"));
        tracing::warn!(reason = error.kind().as_str(), path, ?agent, "would be refused");
    }
    next.run(request).await
}

/// Stands in for Clerk: returns a verifier and a token that it accepts.
pub(crate) fn stand_in() -> Result<(Verifier, String), Box<dyn std::error::Error>> {
    let issuer = Issuer::new("https://clerk.example.com", "ins_example");
    let verifier = Verifier::builder(issuer.iss(), PemKey::parse(&issuer.pem())?).build()?;
    Ok((verifier, issuer.token("user_1").expires_after(Duration::from_secs(3600)).mint()))
}

/// Returns the commands that try the server, each below the status that it gets.
pub(crate) fn instructions(addr: SocketAddr, token: &str, enforcement: Enforcement) -> String {
    let (status, next) = match enforcement {
        Enforcement::ReportOnly => (
            "200, and the reason in this log",
            "When only requests are reported that should be refused, restart with ENFORCE=true.",
        ),
        Enforcement::On => ("401", "Without ENFORCE=true these requests pass and are reported."),
    };
    format!(
        "In another terminal:

  TOKEN='{token}'

200 with a valid token:
  curl -i -H \"Authorization: Bearer $TOKEN\" http://{addr}/orders

{status}, without a token:
  curl -i http://{addr}/orders

{status}, with an invalid token:
  curl -i -H \"Authorization: Bearer x$TOKEN\" http://{addr}/orders

200, and the numbers of passed and refused requests, by reason:
  curl -i http://{addr}/metrics

{next}
"
    )
}

const TOKEN_OF_YOURS: &str = "<what `await Clerk.session.getToken()` returns in your front end>";
