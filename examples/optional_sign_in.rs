//! A public page that greets signed-in users by their id.
//!
//! It needs no account: without `CLERK_PUBLISHABLE_KEY` it stands in for Clerk and prints a token.
//!
//! ```sh
//! cargo run --example optional_sign_in
//! ```
#![allow(clippy::print_stdout, reason = "a program prints for its user")]

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
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
/// `optional` admits requests without a token. A handler that takes `Session` instead of
/// `Option<Session>` still refuses them.
pub(crate) fn app(verifier: Verifier) -> Router {
    Router::new()
        .route("/", get(greeting))
        .route("/account", get(account))
        .route_layer(ClerkAuthLayer::new(verifier).optional())
}

async fn greeting(session: Option<Session>) -> String {
    match session {
        Some(session) => format!("Welcome back, {}.\n", session.user_id()),
        None => "Welcome. Sign in to see your account.\n".to_owned(),
    }
}

async fn account(session: Session) -> String {
    format!("The account of {}.\n", session.user_id())
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

200, and a greeting with the user id:
  curl -i -H \"Authorization: Bearer $TOKEN\" http://{addr}/

200, and a greeting for visitors who are not signed in:
  curl -i http://{addr}/

401 from a handler that needs a session:
  curl -i http://{addr}/account

401 for an invalid token, which is not the same as no token:
  curl -i -H \"Authorization: Bearer x$TOKEN\" http://{addr}/
"
    )
}

const TOKEN_OF_YOURS: &str = "<what `await Clerk.session.getToken()` returns in your front end>";
