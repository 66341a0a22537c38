//! Requests per second over loopback with and without the layer: two servers of the same axum
//! application, measured by wrk in turns.
#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a benchmark prints its results and stops on errors"
)]

mod support;

use std::net::SocketAddr;
use std::process::Command;

use axum::Router;
use axum::routing::get;
use tokio::net::TcpListener;
use tower_clerk::session::{ClerkAuthLayer, Session, StaticKeys, Verifier};
use tower_clerk::test_util::Issuer;

use support::turns::{Limit, Turns};

const ISS: &str = "https://clerk.example.com";
const BARE: &str = "without the layer";
const REMEMBERING: &str = "with it, remembered tokens";
const COLD: &str = "with it, no cache";
const USER: &str = "user_2g7np7Hrk0SN6kj5EDM00000000";

fn main() {
    if Command::new("wrk").arg("-v").output().is_err() {
        println!("wrk is not there; on Debian and Ubuntu: apt-get install wrk");
        return;
    }
    let issuer = Issuer::new(ISS, "ins_1");
    let keys = StaticKeys::from_jwks(&issuer.jwks().to_string()).expect("a usable set");
    let verifier = Verifier::builder(ISS, keys.clone()).build().expect("a verifier");
    let without_cache = Verifier::builder(ISS, keys).without_cache().build().expect("a verifier");
    let me = async |session: Session| session.user_id().to_owned();
    let layered =
        |verifier| Router::new().route("/me", get(me)).layer(ClerkAuthLayer::new(verifier));
    let servers = [
        // Like the other handlers, it allocates the text of its answer.
        (BARE, Router::new().route("/me", get(async || USER.to_owned()))),
        (REMEMBERING, layered(verifier)),
        (COLD, layered(without_cache)),
    ];
    let token = issuer
        .token(USER)
        .claim("azp", "https://app.example.com")
        .claim("sid", "sess_2g7np7Hrk0SN6kj5EDM00000000")
        .claim("exp", 4_000_000_000_u64)
        .mint();
    // The servers run on the runtime's threads; this thread waits for wrk.
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut turns = Turns::new("loopback").rounds(20, 1);
    for (name, router) in servers {
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
        let address = listener.local_addr().expect("an address");
        runtime.spawn(async { axum::serve(listener, router).await });
        let token = &token;
        turns.timed(name, move |_| 1e9 / requests_a_second(address, token));
    }
    let figures = turns.take();
    figures.rate(REMEMBERING, BARE, Limit::AtLeast(0.95));
    figures.rate(COLD, BARE, Limit::None);
}

/// Returns wrk's result after a second with one thread and 32 connections.
fn requests_a_second(address: SocketAddr, token: &str) -> f64 {
    let output = Command::new("wrk")
        .args(["--threads", "1", "--connections", "32", "--duration", "1"])
        .args(["--header", &format!("Authorization: Bearer {token}")])
        .arg(format!("http://{address}/me"))
        .output()
        .expect("wrk runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!text.contains("Non-2xx"), "{text}");
    let rate = text.lines().find_map(|line| line.trim().strip_prefix("Requests/sec:"));
    rate.and_then(|rate| rate.trim().parse().ok()).expect("a rate")
}
