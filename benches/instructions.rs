//! Calls of the layer with one fixed token, whose instructions `scripts/instructions` counts:
//! `instructions hit 10000`, `lockouts` for a hit with lock-outs on, `instructions cold 100`, `bare` for the service alone, and `rsa` for
//! the check of the signature alone.
//!
//! One thread, no network, and a clock that stands still. The key and the token are in
//! `instructions.json`, so that only the seeds of hash tables are random.
#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a benchmark prints its results and stops on errors"
)]

mod support;

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use tower::Layer;
use tower_clerk::lockout::{Lockout, LockoutError, LockoutStore, Lockouts};
use tower_clerk::session::{ClerkAuthLayer, StaticKeys, Verifier, VerifierBuilder};
use tower_clerk::test_util::{Issuer, ManualClock};

use support::service::{Bare, bearer, call, request};

const ISS: &str = "https://clerk.example.com";
const PARTY: &str = "https://app.example.com";

/// A store in which there is nothing.
struct NoLockouts;

impl LockoutStore for NoLockouts {
    async fn within(&self, _: Duration) -> Result<Vec<Lockout>, LockoutError> {
        Ok(Vec::new())
    }
}

fn main() {
    // `cargo bench` adds --bench.
    let given: Vec<String> = std::env::args().skip(1).filter(|given| given != "--bench").collect();
    match given.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["mint"] => println!("{:#}", mint()),
        [case, calls] => run(case, calls.parse().expect("a number of calls")),
        _ => {
            ["bare", "hit", "lockouts", "cold", "rsa"].iter().for_each(|case| run(case, 10));
            println!("nothing is measured here: run scripts/instructions");
        }
    }
}

fn run(case: &str, calls: u64) {
    let fixed: Value = serde_json::from_str(include_str!("instructions.json")).expect("JSON");
    let token = fixed["token"].as_str().expect("a token");
    let header = bearer(token);
    let layer = |verifier: VerifierBuilder| {
        let verifier = verifier.authorized_parties([PARTY]).clock(stopped());
        ClerkAuthLayer::new(verifier.build().expect("a verifier")).layer(Bare)
    };
    let keys = StaticKeys::from_jwks(&fixed["jwks"].to_string()).expect("a usable set");
    let verifier = Verifier::builder(ISS, keys);
    match case {
        "bare" => (0..calls).for_each(|_| call(&mut Bare, request(&header), true)),
        "hit" => {
            let mut service = layer(verifier);
            (0..=calls).for_each(|_| call(&mut service, request(&header), true));
        }
        "lockouts" => {
            let lockouts = Lockouts::new(NoLockouts);
            let verifier = verifier.authorized_parties([PARTY]).clock(stopped());
            let verifier = verifier.lockouts(&lockouts).build().expect("a verifier");
            // The first request starts the looks; they stand still while the calls are counted.
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.expect("a runtime");
            runtime.block_on(verifier.verify(token)).expect("a session");
            let mut service = ClerkAuthLayer::new(verifier).layer(Bare);
            (0..=calls).for_each(|_| call(&mut service, request(&header), true));
        }
        "cold" => {
            let mut service = layer(verifier.without_cache());
            (0..calls).for_each(|_| call(&mut service, request(&header), true));
        }
        "rsa" => {
            let key = support::parsed_key(&fixed["jwks"]["keys"][0]);
            let (signed, signature) = support::signed_parts(token);
            (0..calls).for_each(|_| {
                key.verify_sig(black_box(signed), black_box(&signature)).expect("a good signature");
            });
        }
        _ => panic!("bare, hit, lockouts, cold or rsa"),
    }
}

/// Makes a new `instructions.json`, with a private key that is not stored.
fn mint() -> Value {
    let issuer = Issuer::new(ISS, "ins_2g7np7Hrk0SN6kj5EDM00000000");
    let token = issuer
        .token("user_2g7np7Hrk0SN6kj5EDM00000000")
        .issued_at(minted())
        .claim("azp", PARTY)
        .claim("sid", "sess_2g7np7Hrk0SN6kj5EDM00000000");
    json!({ "jwks": issuer.jwks(), "token": token.mint() })
}

fn stopped() -> Arc<ManualClock> {
    let clock = ManualClock::new();
    clock.set_wall(minted());
    Arc::new(clock)
}

fn minted() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}
