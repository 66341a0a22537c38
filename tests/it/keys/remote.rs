//! Keys over the network: a real HTTP server that answers, fails, lies and dies. Time is set by
//! hand where it matters.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tower_clerk::session::keys::{MissingKey, RemoteKeys};
use tower_clerk::session::{AuthErrorKind, Verifier};
use tower_clerk::test_util::{Issuer, ManualClock};

use crate::support::servers::{Answer, ISS, JwksServer, eventually, issuer, within};

pub(crate) fn verifier(keys: &RemoteKeys) -> Verifier {
    Verifier::builder(ISS, keys.clone()).build().unwrap()
}

pub(crate) fn remote(server: &JwksServer) -> Verifier {
    verifier(&RemoteKeys::from_url(&server.url()).unwrap())
}

/// A verifier whose keys age by a clock that is set by hand.
pub(crate) fn aging(server: &JwksServer) -> (Verifier, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new());
    let keys = RemoteKeys::from_url(&server.url()).unwrap().clock(clock.clone());
    (verifier(&keys), clock)
}

pub(crate) async fn outcome(verifier: &Verifier, issuer: &Issuer) -> Result<(), AuthErrorKind> {
    let token = issuer.token("user_1").mint();
    within(verifier.verify(&token)).await.map(|_| ()).map_err(|error| error.kind())
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
            let keys = RemoteKeys::from_url(&url).unwrap().clock(clock.clone());
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

#[tokio::test]
async fn a_verifier_can_be_warmed_up_or_say_that_it_cannot() {
    let issuer = issuer();
    let server = JwksServer::start(Answer::jwks(&issuer)).await;
    let warm = remote(&server);
    within(warm.warm_up()).await.unwrap();
    assert_eq!(server.requests(), 1);
    server.answer(Answer::status("500 Oops", ""));
    let error = within(remote(&server).warm_up()).await.unwrap_err();
    assert_eq!(error.kind(), AuthErrorKind::KeysUnavailable);
}
