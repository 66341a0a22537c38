//! An axum server whose users sign in with Clerk.
//!
//! It needs no account: without `CLERK_PUBLISHABLE_KEY` it stands in for Clerk and prints a token.
//!
//! ```sh
//! cargo run --example axum
//! ```
#![allow(clippy::print_stdout, reason = "a program prints for its user")]

use std::net::SocketAddr;
use std::time::Duration;

use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tower_clerk::config::ClerkConfig;
use tower_clerk::session::{ClerkAuthLayer, PemKey, Session, Verifier};
use tower_clerk::test_util::Issuer;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (verifier, token) = match std::env::var("CLERK_PUBLISHABLE_KEY") {
        Ok(_) => (ClerkConfig::from_env()?.verifier()?, TOKEN_OF_YOURS.to_owned()),
        Err(_) => stand_in()?,
    };
    let listener = TcpListener::bind("127.0.0.1:3001").await?;
    println!("{}", instructions(listener.local_addr()?, &token));
    axum::serve(listener, app(verifier)).await?;
    Ok(())
}

/// Returns the whole service.
///
/// `route_layer` protects the routes above it. A path that does not exist is 404, signed in or not.
pub(crate) fn app(verifier: Verifier) -> Router {
    Router::new().route("/me", get(me)).route_layer(ClerkAuthLayer::new(verifier))
}

async fn me(session: Session) -> Json<Value> {
    Json(json!({ "user_id": session.user_id(), "session_id": session.session_id() }))
}

/// Stands in for Clerk: returns a verifier and a token that it accepts.
pub(crate) fn stand_in() -> Result<(Verifier, String), Box<dyn std::error::Error>> {
    let issuer = Issuer::new("https://clerk.example.com", "ins_example");
    let verifier = Verifier::builder(issuer.iss(), PemKey::parse(&issuer.pem())?).build()?;
    Ok((verifier, issuer.token("user_1").expires_after(Duration::from_secs(3600)).mint()))
}

/// Returns the commands that try the server, each below the status that it gets.
pub(crate) fn instructions(addr: SocketAddr, token: &str) -> String {
    format!(
        "In another terminal:

  TOKEN='{token}'

200, and the token's user and session:
  curl -i -H \"Authorization: Bearer $TOKEN\" http://{addr}/me

401 without a token:
  curl -i http://{addr}/me

404 for a path that does not exist:
  curl -i http://{addr}/favicon.ico
"
    )
}

const TOKEN_OF_YOURS: &str = "<what `await Clerk.session.getToken()` returns in your front end>";
