//! Requests a second over loopback with and without the layer: the same axum server twice, wrk in
//! front of each in turn.
#![expect(clippy::expect_used, clippy::print_stdout, reason = "its result goes there, or it stops")]

use std::net::SocketAddr;
use std::process::Command;

use axum::Router;
use axum::routing::get;
use tokio::net::TcpListener;
use tower_clerk::session::{ClerkAuthLayer, Session, StaticKeys, Verifier};
use tower_clerk::test_util::Issuer;

const ISS: &str = "https://clerk.example.com";
const USER: &str = "user_2g7np7Hrk0SN6kj5EDM00000000";
const ROUNDS: usize = 7;

#[tokio::main]
async fn main() {
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
        ("without the layer", Router::new().route("/me", get(async || USER))),
        ("with it, cached tokens", layered(verifier)),
        ("with it, no cache", layered(without_cache)),
    ];
    let token = issuer
        .token(USER)
        .claim("azp", "https://app.example.com")
        .claim("sid", "sess_2g7np7Hrk0SN6kj5EDM00000000")
        .claim("exp", 4_000_000_000_u64)
        .mint();
    let mut places = Vec::new();
    for (name, router) in servers {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        places.push((name, listener.local_addr().expect("an address"), Vec::new()));
        tokio::spawn(async { axum::serve(listener, router).await });
    }
    // In turn, so that all see the same machine; the first round warms up.
    for round in 0..=ROUNDS {
        for (_, address, rates) in &mut places {
            let rate = requests_a_second(*address, token.clone()).await;
            if round > 0 {
                rates.push(rate);
            }
        }
    }
    println!("\n| loopback, wrk | requests a second, median of {ROUNDS} | ratio |\n|---|---|---|");
    let mut bare = None;
    for (name, _, rates) in &mut places {
        rates.sort_by(f64::total_cmp);
        let rate = rates[ROUNDS / 2];
        let bare = *bare.get_or_insert(rate);
        println!("| {name} | {rate:.0} | {:.3} |", rate / bare);
    }
}

/// What wrk says after three seconds with one thread and 32 connections.
async fn requests_a_second(address: SocketAddr, token: String) -> f64 {
    let run = tokio::task::spawn_blocking(move || {
        Command::new("wrk")
            .args(["--threads", "1", "--connections", "32", "--duration", "3"])
            .args(["--header", &format!("Authorization: Bearer {token}")])
            .arg(format!("http://{address}/me"))
            .output()
    });
    let output = run.await.expect("no panic").expect("wrk runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!text.contains("Non-2xx"), "{text}");
    let rate = text.lines().find_map(|line| line.trim().strip_prefix("Requests/sec:"));
    rate.and_then(|rate| rate.trim().parse().ok()).expect("a rate")
}
