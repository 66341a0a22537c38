//! An axum server whose users sign in with Clerk. Needs no account: without
//! `CLERK_PUBLISHABLE_KEY` it plays the issuer itself and prints a token.
//!
//! ```sh
//! cargo run --example axum
//! ```
#![allow(clippy::print_stdout, reason = "a program speaks to who starts it")]

use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use tower_clerk::PublishableKey;
use tower_clerk::session::{ClerkAuthLayer, PemKey, Session, Verifier};
use tower_clerk::test_util::Issuer;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let verifier = match std::env::var("CLERK_PUBLISHABLE_KEY") {
        Ok(key) => Verifier::for_instance(&PublishableKey::parse(&key)?)?.build()?,
        Err(_) => stand_in()?,
    };
    let app = Router::new().route("/me", get(me)).layer(ClerkAuthLayer::new(verifier));

    let listener = tokio::net::TcpListener::bind("127.0.0.1:3001").await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}

async fn me(session: Session) -> Json<Value> {
    Json(json!({ "user_id": session.user_id(), "session_id": session.session_id() }))
}

/// A verifier for an issuer that is made on the spot.
fn stand_in() -> Result<Verifier, Box<dyn std::error::Error>> {
    let issuer = Issuer::new("https://clerk.example.com", "ins_example");
    let token = issuer.token("user_1").expires_after(std::time::Duration::from_secs(3600)).mint();
    println!("curl -H 'Authorization: Bearer {token}' http://127.0.0.1:3001/me");
    Ok(Verifier::builder(issuer.iss(), PemKey::parse(&issuer.pem())?).build()?)
}
