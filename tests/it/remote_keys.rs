//! Keys over the network: a real HTTP server that answers, fails, lies and dies. Time is set by
//! hand where it matters.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tower_clerk::session::keys::{MissingKey, RemoteKeys};
use tower_clerk::session::{AuthErrorKind, Verifier};
use tower_clerk::test_util::{Issuer, ManualClock};

use crate::servers::{Answer, ISS, JwksServer, eventually, issuer, within};

fn verifier(keys: &RemoteKeys) -> Verifier {
    Verifier::builder(ISS, keys.clone()).build().unwrap()
}

fn remote(server: &JwksServer) -> Verifier {
    verifier(&RemoteKeys::from_url(&server.url()).unwrap())
}

/// A verifier whose keys age by a clock that is set by hand.
fn aging(server: &JwksServer) -> (Verifier, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new());
    let keys = RemoteKeys::from_url(&server.url()).unwrap().aging_by(clock.clone());
    (verifier(&keys), clock)
}

async fn outcome(verifier: &Verifier, issuer: &Issuer) -> Result<(), AuthErrorKind> {
    let token = issuer.token("user_1").mint();
    within(verifier.verify(&token)).await.map(|_| ()).map_err(|error| error.kind())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_first_requests_cause_one_fetch() {
    let issuer = issuer();
    let server = JwksServer::start(Answer::jwks(&issuer).held()).await;
    let verifier = remote(&server);
    let requests: Vec<_> = (0..1000)
        .map(|i| {
            let (verifier, token) = (verifier.clone(), issuer.token(&format!("user_{i}")).mint());
            tokio::spawn(
                async move { verifier.verify(&token).await.map(|s| s.user_id().to_owned()) },
            )
        })
        .collect();
    server.saw(1).await;
    server.release();
    for (i, request) in requests.into_iter().enumerate() {
        assert_eq!(within(request).await.unwrap().unwrap(), format!("user_{i}"));
    }
    assert_eq!(server.requests(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_first_requests_of_a_failing_fetch_cause_one_fetch() {
    let server = JwksServer::start(Answer::status("500 Oops", "").held()).await;
    let verifier = remote(&server);
    let token = issuer().token("user_1").mint();
    let requests: Vec<_> = (0..1000)
        .map(|_| {
            let (verifier, token) = (verifier.clone(), token.clone());
            tokio::spawn(async move { verifier.verify(&token).await })
        })
        .collect();
    server.saw(1).await;
    server.release();
    for request in requests {
        let error = within(request).await.unwrap().unwrap_err();
        assert_eq!(error.kind(), AuthErrorKind::KeysUnavailable);
        assert!(error.retry_after().unwrap() >= Duration::from_secs(1));
    }
    assert_eq!(server.requests(), 1);
}

#[tokio::test]
async fn the_first_waiter_may_go_away_and_the_fetch_goes_on() {
    let issuer = issuer();
    let server = JwksServer::start(Answer::jwks(&issuer).held()).await;
    let verifier = remote(&server);
    let token = issuer.token("user_1").mint();
    let waiter = |token: String| {
        let verifier = verifier.clone();
        tokio::spawn(async move { verifier.verify(&token).await })
    };
    let first = waiter(token.clone());
    server.saw(1).await;
    let second = waiter(token);
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    server.release();
    assert!(within(second).await.unwrap().is_ok());
    assert_eq!(server.requests(), 1);
}

#[tokio::test]
async fn keys_at_hand_go_on_working_while_the_server_is_down_and_not_for_ever() {
    let issuer = issuer();
    let server = JwksServer::start(Answer::jwks(&issuer)).await;
    let (verifier, clock) = aging(&server);
    assert_eq!(outcome(&verifier, &issuer).await, Ok(()));
    server.stop().await;
    for _ in 0..23 {
        clock.advance(Duration::from_secs(3600));
        assert_eq!(outcome(&verifier, &issuer).await, Ok(()));
    }
    clock.advance(Duration::from_secs(3600));
    assert_eq!(outcome(&verifier, &issuer).await, Err(AuthErrorKind::KeysUnavailable));
}

#[tokio::test]
async fn missing_keys_are_our_fault_and_come_back_by_themselves() {
    let issuer = issuer();
    let server = JwksServer::start(Answer::jwks(&issuer)).await;
    let (verifier, addr) = (remote(&server), server.addr());
    server.stop().await;
    assert_eq!(outcome(&verifier, &issuer).await, Err(AuthErrorKind::KeysUnavailable));
    let server = JwksServer::start_on(addr, Answer::jwks(&issuer)).await;
    // The source tries again of its own accord, without a request to ask for it.
    server.saw(1).await;
    eventually(async || outcome(&verifier, &issuer).await.is_ok()).await;
}

#[tokio::test]
async fn a_failure_is_not_repeated_for_each_request() {
    let server = JwksServer::start(Answer::status("503 Busy", "")).await;
    let (verifier, _stands_still) = aging(&server);
    let issuer = issuer();
    for _ in 0..100 {
        assert_eq!(outcome(&verifier, &issuer).await, Err(AuthErrorKind::KeysUnavailable));
    }
    assert_eq!(server.requests(), 1);
}

#[tokio::test]
async fn a_new_key_is_accepted_at_its_first_token() {
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
async fn a_flood_of_unknown_kids_costs_one_fetch_per_cool_down() {
    let issuer = issuer();
    let server = JwksServer::start(Answer::jwks(&issuer)).await;
    let (verifier, clock) = aging(&server);
    assert_eq!(outcome(&verifier, &issuer).await, Ok(()));
    for round in 1..=3 {
        for i in 0..200 {
            let token = issuer.token("user_1").header("kid", format!("made_up_{i}")).mint();
            let error = within(verifier.verify(&token)).await.unwrap_err();
            assert_eq!(error.kind(), AuthErrorKind::UnknownKey);
        }
        assert_eq!(server.requests(), 1 + round);
        assert_eq!(outcome(&verifier, &issuer).await, Ok(()));
        clock.advance(Duration::from_secs(30));
    }
}

#[tokio::test]
async fn an_unknown_kid_is_our_fault_while_the_keys_cannot_be_asked_for() {
    let issuer = issuer();
    let server = JwksServer::start(Answer::jwks(&issuer)).await;
    let (verifier, _stands_still) = aging(&server);
    assert_eq!(outcome(&verifier, &issuer).await, Ok(()));
    server.answer(Answer::status("500 Oops", ""));
    let new = issuer.rotated("ins_2");
    for _ in 0..3 {
        assert_eq!(outcome(&verifier, &new).await, Err(AuthErrorKind::KeysUnavailable));
    }
    assert_eq!(server.requests(), 2);
}

#[tokio::test]
async fn a_key_that_is_no_longer_published_stops_working() {
    let (old, new) = (issuer(), Issuer::new(ISS, "ins_2"));
    let both = json!({ "keys": [old.jwk(), new.jwk()] }).to_string();
    let server = JwksServer::start(Answer::json(&both)).await;
    let (verifier, clock) = aging(&server);
    assert_eq!(outcome(&verifier, &old).await, Ok(()));
    server.answer(Answer::jwks(&new));
    clock.advance(Duration::from_secs(331));
    // The request that finds the keys due does not wait for them; a later one sees the change.
    eventually(async || outcome(&verifier, &old).await == Err(AuthErrorKind::UnknownKey)).await;
    assert_eq!(outcome(&verifier, &new).await, Ok(()));
}

#[tokio::test]
async fn an_answer_that_is_no_usable_set_is_a_failure_and_changes_nothing() {
    let (good, evil) = (issuer(), issuer());
    let elsewhere = JwksServer::start(Answer::jwks(&evil)).await;
    let long = format!(r#"{{"keys":[{}],"x":"{}"}}"#, evil.jwk(), "x".repeat(300 * 1024));
    let mut small = evil.jwk();
    small["n"] = json!("AQAB");
    for answer in [
        Answer::status("404 Not Found", &evil.jwks().to_string()),
        Answer::status("204 No Content", ""),
        Answer::status("206 Partial Content", &evil.jwks().to_string()),
        Answer::redirect(&elsewhere.url()),
        Answer::json(&long),
        Answer::json("<html>log in</html>"),
        Answer::json("{}"),
        Answer::json("null"),
        Answer::json("[]"),
        Answer::json(r#"{"keys":null}"#),
        Answer::json(r#"{"keys":[]}"#),
        Answer::json(&json!({ "keys": [small] }).to_string()),
        Answer::json(&format!("{}x", evil.jwks())),
        Answer::Bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{\"keys\":[".to_vec()),
        Answer::Bytes(b"not HTTP at all\r\n\r\n".to_vec()),
        Answer::Bytes(Vec::new()),
    ] {
        let server = JwksServer::start(answer.clone()).await;
        let cold = aging(&server).0;
        assert_eq!(outcome(&cold, &evil).await, Err(AuthErrorKind::KeysUnavailable));

        server.answer(Answer::jwks(&good));
        let (warm, _stands_still) = aging(&server);
        assert_eq!(outcome(&warm, &good).await, Ok(()));
        server.answer(answer);
        let unknown = good.rotated("ins_2");
        assert_eq!(outcome(&warm, &unknown).await, Err(AuthErrorKind::KeysUnavailable));
        assert_eq!(outcome(&warm, &good).await, Ok(()));
    }
    assert_eq!(elsewhere.requests(), 0, "a redirect is not followed");
}

#[tokio::test]
async fn a_token_that_can_never_pass_causes_no_fetch() {
    let issuer = issuer();
    let server = JwksServer::start(Answer::jwks(&issuer)).await;
    let verifier = remote(&server);
    for token in [
        "garbage".into(),
        "a.b.c".into(),
        issuer.token("user_1").header("alg", "none").mint(),
        issuer.token("user_1").header("crit", json!(["exp"])).mint(),
        issuer.token("user_1").header("cat", "cl_B7d4PD333AAA").mint(),
        issuer.token("user_1").without_header("kid").mint(),
        issuer.token("user_1").mint() + "=",
        "x".repeat(10_000),
    ] {
        assert!(within(verifier.verify(&token)).await.is_err());
    }
    assert_eq!(server.requests(), 0);
}

#[tokio::test]
async fn warming_up_fetches_once_or_says_that_it_cannot() {
    let issuer = issuer();
    let server = JwksServer::start(Answer::jwks(&issuer)).await;
    let keys = RemoteKeys::from_url(&server.url()).unwrap();
    within(keys.warm_up()).await.unwrap();
    within(keys.warm_up()).await.unwrap();
    assert_eq!(outcome(&verifier(&keys), &issuer).await, Ok(()));
    assert_eq!(server.requests(), 1);

    server.answer(Answer::status("500 Oops", ""));
    let keys = RemoteKeys::from_url(&server.url()).unwrap();
    let missing = within(keys.warm_up()).await.unwrap_err();
    assert!(matches!(missing, MissingKey::Unavailable { .. }));
}

#[test]
fn keys_outlive_the_runtime_that_fetched_them_and_are_fetched_again_on_another() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let issuer = issuer();
    let servers = runtime();
    let server = servers.block_on(JwksServer::start(Answer::jwks(&issuer)));
    let served = std::thread::spawn({
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let url = server.url();
        let issuer = issuer.clone();
        move || {
            let clock = Arc::new(ManualClock::new());
            let keys = RemoteKeys::from_url(&url).unwrap().aging_by(clock.clone());
            let verifier = verifier(&keys);
            let first = runtime();
            assert_eq!(first.block_on(outcome(&verifier, &issuer)), Ok(()));
            drop(first);
            let second = runtime();
            assert_eq!(second.block_on(outcome(&verifier, &issuer)), Ok(()));
            clock.advance(Duration::from_secs(24 * 3600));
            assert_eq!(second.block_on(outcome(&verifier, &issuer)), Ok(()));
            drop(stopped);
            drop(stop);
        }
    });
    servers.block_on(eventually(async || served.is_finished()));
    served.join().unwrap();
    assert!(server.requests() >= 2);
}

#[tokio::test]
async fn a_kid_that_is_known_to_be_absent_does_not_use_up_the_attempt_for_a_new_one() {
    let old = issuer();
    let server = JwksServer::start(Answer::jwks(&old)).await;
    let (verifier, clock) = aging(&server);
    assert_eq!(outcome(&verifier, &old).await, Ok(()));
    let (stray, new) = (old.rotated("ins_stray"), old.rotated("ins_new"));
    assert_eq!(outcome(&verifier, &stray).await, Err(AuthErrorKind::UnknownKey));
    assert_eq!(server.requests(), 2);
    clock.advance(Duration::from_secs(30));
    for _ in 0..10 {
        assert_eq!(outcome(&verifier, &stray).await, Err(AuthErrorKind::UnknownKey));
    }
    assert_eq!(server.requests(), 2, "nothing new is to be learnt about it");
    server.answer(Answer::jwks(&new));
    assert_eq!(outcome(&verifier, &new).await, Ok(()));
    assert_eq!(server.requests(), 3);
}

#[tokio::test]
async fn a_kid_with_a_new_key_works_after_one_refused_token() {
    let old = issuer();
    let server = JwksServer::start(Answer::jwks(&old)).await;
    let (verifier, _stands_still) = aging(&server);
    assert_eq!(outcome(&verifier, &old).await, Ok(()));
    let new = old.rotated(old.kid());
    server.answer(Answer::jwks(&new));
    assert_eq!(outcome(&verifier, &new).await, Err(AuthErrorKind::BadSignature));
    eventually(async || outcome(&verifier, &new).await.is_ok()).await;
    assert_eq!(outcome(&verifier, &old).await, Err(AuthErrorKind::BadSignature));
    for _ in 0..50 {
        assert_eq!(outcome(&verifier, &old).await, Err(AuthErrorKind::BadSignature));
    }
    assert_eq!(server.requests(), 2, "forged signatures cost one fetch per cool-down");
}

#[tokio::test]
async fn a_refresh_that_brings_the_same_key_keeps_what_it_verified() {
    let issuer = issuer();
    let server = JwksServer::start(Answer::jwks(&issuer)).await;
    let (verifier, clock) = aging(&server);
    let token = issuer.token("user_1").mint();
    let before = within(verifier.verify(&token)).await.unwrap();
    clock.advance(Duration::from_secs(331));
    let _starts_the_refresh = within(verifier.verify(&token)).await.unwrap();
    server.saw(2).await;
    // The next fetch for an unknown kid has to wait for the one under way, so it comes after it.
    let stray = issuer.rotated("ins_stray");
    assert_eq!(outcome(&verifier, &stray).await, Err(AuthErrorKind::UnknownKey));
    let after = within(verifier.verify(&token)).await.unwrap();
    assert!(std::ptr::eq(before.claims(), after.claims()));
}

#[tokio::test]
async fn the_backend_api_is_asked_with_the_secret_key_and_the_frontend_api_without() {
    let issuer = issuer();
    let server = JwksServer::start(Answer::jwks(&issuer)).await;
    let secret = tower_clerk::secret::SecretKey::parse("sk_test_canary").unwrap();
    let base = format!("http://{}/", server.addr());
    let keys = RemoteKeys::from_backend_api(&base, &secret).unwrap();
    assert_eq!(outcome(&verifier(&keys), &issuer).await, Ok(()));
    let head = server.last_head();
    assert!(head.starts_with("GET /v1/jwks HTTP/1.1"), "{head}");
    assert!(head.contains("authorization: Bearer sk_test_canary"), "{head}");
    assert!(!format!("{keys:?}").contains("canary"));

    assert_eq!(outcome(&remote(&server), &issuer).await, Ok(()));
    let head = server.last_head();
    assert!(head.starts_with("GET /.well-known/jwks.json HTTP/1.1"), "{head}");
    assert!(!head.contains("authorization"), "{head}");
}
