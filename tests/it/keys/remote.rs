//! Keys over the network: a real HTTP server that answers, fails, lies and dies. Time is set by
//! hand where it matters.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tower_clerk::session::keys::{FetchTimes, MissingKey, RemoteKeys};
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

/// All that an error says, down to its first cause.
fn whole(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    text
}

#[tokio::test]
async fn fault_a4_a_key_outage_says_its_cause() {
    let issuer = issuer();
    let server = JwksServer::start(Answer::status("500 Oops", "")).await;
    let verifier = remote(&server);
    let token = issuer.token("user_1").mint();
    let (warm_up, of_token) = (
        within(verifier.warm_up()).await.unwrap_err(),
        within(verifier.verify(&token)).await.unwrap_err(),
    );
    for error in [warm_up, of_token] {
        let text = whole(&error);
        assert!(text.contains(&format!("{} answers 500", server.url())), "{text}");
    }
    let addr = server.addr();
    server.stop().await;
    let keys = RemoteKeys::from_url(&format!("http://{addr}/jwks?secret=canary")).unwrap();
    let text = whole(&within(self::verifier(&keys).warm_up()).await.unwrap_err());
    assert!(text.contains(&format!("http://{addr}/jwks does not answer")), "{text}");
    assert!(!text.contains("canary"), "{text}");
}

#[tokio::test]
async fn fault_k16_all_instances_are_tried_at_once_and_the_error_names_those_that_failed() {
    let (fails, other) = (issuer(), Issuer::new("https://other.example.com", "ins_2"));
    let broken = JwksServer::start(Answer::status("500 Oops", "").held()).await;
    let healthy = JwksServer::start(Answer::jwks(&other)).await;
    let of = |issuer: &Issuer, server: &JwksServer| {
        let keys = RemoteKeys::from_url(&server.url()).unwrap();
        Verifier::builder(issuer.iss(), keys).build().unwrap()
    };
    let both = Verifier::any_of([of(&fails, &broken), of(&other, &healthy)]).unwrap();
    let warming = tokio::spawn({
        let both = both.clone();
        async move { both.warm_up().await }
    });
    broken.saw(1).await;
    healthy.saw(1).await;
    broken.release();
    let error = within(warming).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), AuthErrorKind::KeysUnavailable);
    let text = whole(&error);
    assert!(text.contains("the keys of https://clerk.example.com could not be fetched"), "{text}");
    assert!(text.contains("answers 500") && !text.contains("other.example.com"), "{text}");
    assert_eq!(outcome(&both, &other).await, Ok(()));
    assert_eq!(healthy.requests(), 1, "it was warm");
}

/// The runtime of an attempt may stand still for ever, for example that of a start-up phase.
#[tokio::test]
async fn a_request_that_joined_an_attempt_of_a_stalled_runtime_starts_another() {
    let issuer = issuer();
    let server = JwksServer::start(Answer::jwks(&issuer)).await;
    let mut times = FetchTimes::default();
    times.timeout = Duration::from_secs(1);
    let keys = RemoteKeys::from_url(&server.url()).unwrap().times(times).unwrap();
    let (verifier, clone) = (verifier(&keys), keys.clone());
    let (begun, has_begun) = std::sync::mpsc::channel();
    let (release, released) = std::sync::mpsc::channel::<()>();
    let stalled = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            // Polled once: the attempt has begun, and nothing drives it from here on.
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            let warm_up = std::pin::pin!(clone.warm_up());
            assert!(warm_up.poll(&mut context).is_pending());
        });
        begun.send(()).unwrap();
        let _ended = released.recv();
    });
    has_begun.recv().unwrap();
    assert_eq!(outcome(&verifier, &issuer).await, Ok(()));
    drop(release);
    stalled.join().unwrap();
}
