//! Keys that come and go, and floods of made-up ones meanwhile.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use tower_clerk::clock::Clock;
use tower_clerk::session::keys::RemoteKeys;
use tower_clerk::session::{AuthErrorKind, Verifier};
use tower_clerk::test_util::{Issuer, ManualClock};

use crate::keys::remote::{aging, outcome, verifier};
use crate::support::servers::{Answer, ISS, JwksServer, at_once, eventually, issuer, within};

/// A token under this `kid` that nobody has signed.
fn made_up(kid: &str) -> String {
    let header = json!({ "alg": "RS256", "typ": "JWT", "kid": kid }).to_string();
    format!("{}.e30.{}", URL_SAFE_NO_PAD.encode(header), "A".repeat(342))
}

async fn kind(verifier: &Verifier, token: &str) -> AuthErrorKind {
    within(verifier.verify(token)).await.unwrap_err().kind()
}

#[tokio::test]
async fn c13_a_flood_of_ten_thousand_unknown_kids_costs_one_fetch_and_delays_nobody() {
    let issuer = issuer();
    let server = JwksServer::start(Answer::jwks(&issuer)).await;
    let (verifier, clock) = aging(&server);
    let token = issuer.token("user_1").mint();
    let remembered = within(verifier.verify(&token)).await.unwrap();
    for i in 0..10_000 {
        assert_eq!(
            kind(&verifier, &made_up(&format!("flood_{i}"))).await,
            AuthErrorKind::UnknownKey
        );
        let again = at_once(verifier.verify(&token)).unwrap();
        assert!(std::ptr::eq(remembered.claims(), again.claims()), "still remembered");
    }
    assert_eq!(server.requests(), 2);
    for round in 1..=3 {
        clock.advance(Duration::from_secs(5));
        for i in 0..50 {
            let token = made_up(&format!("flood_{i}"));
            assert_eq!(kind(&verifier, &token).await, AuthErrorKind::UnknownKey);
        }
        assert_eq!(server.requests(), 2 + round);
    }
}

#[tokio::test]
async fn c13_a_flood_while_the_server_fails_costs_what_the_schedule_says() {
    let issuer = issuer();
    let server = JwksServer::start(Answer::jwks(&issuer)).await;
    let (verifier, _stands_still) = aging(&server);
    assert_eq!(outcome(&verifier, &issuer).await, Ok(()));
    server.answer(Answer::with_header("500 Oops", "retry-after: 60", ""));
    for i in 0..1000 {
        let kind = kind(&verifier, &made_up(&format!("flood_{i}"))).await;
        assert_eq!(kind, AuthErrorKind::KeysUnavailable, "it may be a new one");
    }
    assert_eq!(outcome(&verifier, &issuer).await, Ok(()));
    assert_eq!(server.requests(), 2);
}

#[tokio::test]
async fn c15_a_new_key_is_locked_out_for_no_longer_than_one_cool_down_of_a_flood() {
    let old = issuer();
    let server = JwksServer::start(Answer::jwks(&old)).await;
    let (verifier, clock) = aging(&server);
    assert_eq!(outcome(&verifier, &old).await, Ok(()));
    assert_eq!(kind(&verifier, &made_up("flood_0")).await, AuthErrorKind::UnknownKey);
    let new = old.rotated("ins_2");
    server.answer(Answer::json(&json!({ "keys": [old.jwk(), new.jwk()] }).to_string()));
    for i in 0..5 {
        assert_eq!(
            kind(&verifier, &made_up(&format!("flood_{i}"))).await,
            AuthErrorKind::UnknownKey
        );
        assert_eq!(outcome(&verifier, &new).await, Err(AuthErrorKind::UnknownKey));
        clock.advance(Duration::from_secs(1));
    }
    // Also when it is the flood that gets the attempt.
    assert_eq!(kind(&verifier, &made_up("flood")).await, AuthErrorKind::UnknownKey);
    assert_eq!(outcome(&verifier, &new).await, Ok(()));
    assert_eq!(outcome(&verifier, &old).await, Ok(()));
    assert_eq!(server.requests(), 3);
}

#[tokio::test]
async fn c15_a_key_that_is_published_after_its_first_token_is_not_locked_out_until_the_refresh() {
    let old = issuer();
    let server = JwksServer::start(Answer::jwks(&old)).await;
    let (verifier, clock) = aging(&server);
    assert_eq!(outcome(&verifier, &old).await, Ok(()));
    let new = old.rotated("ins_2");
    assert_eq!(outcome(&verifier, &new).await, Err(AuthErrorKind::UnknownKey));
    server.answer(Answer::jwks(&new));
    clock.advance(Duration::from_secs(4));
    assert_eq!(outcome(&verifier, &new).await, Err(AuthErrorKind::UnknownKey));
    assert_eq!(server.requests(), 2, "it is not asked for again in the cool-down");
    clock.advance(Duration::from_secs(1));
    assert_eq!(outcome(&verifier, &new).await, Ok(()));
}

#[tokio::test]
async fn c16_a_key_that_is_no_longer_published_stops_working_however_much_it_is_used() {
    let (old, new) = (issuer(), Issuer::new(ISS, "ins_2"));
    let both = json!({ "keys": [old.jwk(), new.jwk()] }).to_string();
    let server = JwksServer::start(Answer::json(&both)).await;
    let (verifier, clock) = aging(&server);
    assert_eq!(outcome(&verifier, &old).await, Ok(()));
    server.answer(Answer::jwks(&new));
    // Five minutes less a tenth are the shortest interval, five and a tenth the longest.
    for _ in 0..26 {
        clock.advance(Duration::from_secs(10));
        assert_eq!(outcome(&verifier, &old).await, Ok(()));
    }
    clock.advance(Duration::from_secs(70));
    // The request that finds the keys due does not wait for them; a later one sees the change.
    eventually(async || outcome(&verifier, &old).await == Err(AuthErrorKind::UnknownKey)).await;
    assert_eq!(outcome(&verifier, &new).await, Ok(()));
    assert!(server.requests() <= 3, "the refresh, and one because the old kid might be a new one");
}

#[tokio::test]
async fn c16_a_server_says_within_bounds_how_long_its_keys_are_fresh() {
    let issuer = issuer();
    for (line, least, most) in [
        ("cache-control: no-store", 54, 66),
        ("cache-control: max-age=0", 54, 66),
        ("cache-control: max-age=120", 108, 132),
        ("cache-control: max-age=31536000", 810, 990),
    ] {
        let answer = Answer::with_header("200 OK", line, &issuer.jwks().to_string());
        let server = JwksServer::start(answer).await;
        let (verifier, clock) = aging(&server);
        assert_eq!(outcome(&verifier, &issuer).await, Ok(()));
        clock.advance(Duration::from_secs(least - 1));
        assert_eq!(outcome(&verifier, &issuer).await, Ok(()));
        assert_eq!(server.requests(), 1, "{line}");
        clock.advance(Duration::from_secs(most - least + 1));
        assert_eq!(outcome(&verifier, &issuer).await, Ok(()));
        server.saw(2).await;
    }
}

#[tokio::test]
async fn c14_a_new_key_is_accepted_at_its_first_token() {
    let old = issuer();
    let server = JwksServer::start(Answer::jwks(&old)).await;
    let (verifier, _stands_still) = aging(&server);
    assert_eq!(outcome(&verifier, &old).await, Ok(()));
    let new = old.rotated("ins_2");
    server.answer(Answer::json(&json!({ "keys": [old.jwk(), new.jwk()] }).to_string()));
    assert_eq!(outcome(&verifier, &new).await, Ok(()));
    assert_eq!(outcome(&verifier, &old).await, Ok(()));
    assert_eq!(server.requests(), 2);
}

#[tokio::test]
async fn c17_a_kid_with_a_new_key_works_at_its_first_token() {
    let old = issuer();
    let server = JwksServer::start(Answer::jwks(&old)).await;
    let (verifier, _stands_still) = aging(&server);
    assert_eq!(outcome(&verifier, &old).await, Ok(()));
    let new = old.rotated(old.kid());
    server.answer(Answer::jwks(&new));
    assert_eq!(outcome(&verifier, &new).await, Ok(()));
    assert_eq!(outcome(&verifier, &old).await, Err(AuthErrorKind::BadSignature));
    for _ in 0..50 {
        assert_eq!(outcome(&verifier, &old).await, Err(AuthErrorKind::BadSignature));
    }
    assert_eq!(server.requests(), 2, "forged signatures cost one fetch per cool-down");
}

#[tokio::test]
async fn c28_a_wall_clock_that_jumps_moves_no_schedule() {
    let issuer = issuer();
    let server = JwksServer::start(Answer::jwks(&issuer)).await;
    let clock = Arc::new(ManualClock::new());
    let verifier = verifier(&RemoteKeys::from_url(&server.url()).unwrap().clock(clock.clone()));
    assert_eq!(outcome(&verifier, &issuer).await, Ok(()));
    let (day, wall) = (Duration::from_secs(86_400), clock.now());
    for jumped in [wall + day, wall - day, wall + 400 * day, std::time::UNIX_EPOCH] {
        clock.set_wall(jumped);
        for _ in 0..20 {
            assert_eq!(outcome(&verifier, &issuer).await, Ok(()), "no key is too old");
        }
    }
    assert_eq!(server.requests(), 1, "no storm");
    clock.advance(Duration::from_secs(331));
    assert_eq!(outcome(&verifier, &issuer).await, Ok(()));
    server.saw(2).await;
}
