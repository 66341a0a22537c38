//! Keys that are slow, down or asked for by a thousand at once: who waits, and for how long.

use std::sync::Arc;
use std::time::Duration;

use ::axum::Router;
use ::axum::body::Body;
use ::axum::routing::get;
use http::{Request, StatusCode};
use tower::ServiceExt;
use tower_clerk::session::keys::RemoteKeys;
use tower_clerk::session::{AuthErrorKind, ClerkAuthLayer, Session};

use crate::keys::remote::{aging, outcome, remote, verifier};
use crate::support::servers::{Answer, JwksServer, at_once, eventually, issuer, within};

#[tokio::test]
async fn c1_without_keys_at_the_start_routes_answer_503_and_heal_by_themselves() {
    let issuer = issuer();
    let server = JwksServer::start(Answer::jwks(&issuer)).await;
    let (verifier, addr) = (remote(&server), server.addr());
    server.stop().await;
    let me = get(|session: Session| async move { session.user_id().to_owned() });
    let app = Router::new()
        .route("/me", me)
        .layer(ClerkAuthLayer::new(verifier))
        .route("/public", get(|| async { "hello" }));
    let token = issuer.token("user_1").mint();
    let ask = |path: &str| {
        let request = Request::get(path).header("authorization", format!("Bearer {token}"));
        app.clone().oneshot(request.body(Body::empty()).unwrap())
    };
    let refused = within(ask("/me")).await.unwrap();
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    let retry_after: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=2).contains(&retry_after), "{retry_after}");
    assert!(!refused.headers().contains_key("www-authenticate"));
    assert_eq!(within(ask("/public")).await.unwrap().status(), StatusCode::OK);

    let server = JwksServer::start_on(addr, Answer::jwks(&issuer)).await;
    // The source tries again of its own accord, without a request to ask for it.
    server.saw(1).await;
    eventually(async || within(ask("/me")).await.unwrap().status() == StatusCode::OK).await;
    assert_eq!(server.requests(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn c11_a_thundering_herd_causes_one_fetch() {
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
async fn c11_a_thundering_herd_causes_one_fetch_also_when_it_fails() {
    let answer = Answer::with_header("500 Oops", "retry-after: 12", "");
    let server = JwksServer::start(answer.held()).await;
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
        assert_eq!(error.retry_after().map(|pause| pause.as_secs_f64().ceil()), Some(12.0));
    }
    assert_eq!(server.requests(), 1);
    for _ in 0..100 {
        let error = at_once(verifier.verify(&token)).unwrap_err();
        assert_eq!(error.kind(), AuthErrorKind::KeysUnavailable);
    }
    assert_eq!(server.requests(), 1, "nor does each later request");
}

#[tokio::test]
async fn c2_keys_at_hand_go_on_working_while_the_server_is_down_and_not_for_ever() {
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
async fn c2_a_refresh_that_failed_is_repeated_in_the_background() {
    let issuer = issuer();
    let server = JwksServer::start(Answer::jwks(&issuer)).await;
    let (verifier, clock) = aging(&server);
    assert_eq!(outcome(&verifier, &issuer).await, Ok(()));
    server.answer(Answer::status("500 Oops", ""));
    clock.advance(Duration::from_secs(331));
    assert_eq!(outcome(&verifier, &issuer).await, Ok(()));
    // The failed one and the next, for which nobody has asked.
    server.saw(3).await;
    assert_eq!(outcome(&verifier, &issuer).await, Ok(()));
}

#[tokio::test]
async fn c3_an_answer_that_hangs_or_drips_is_given_up_after_5_s_for_all_who_wait() {
    let issuer = issuer();
    let endless_head = b"HTTP/1.1 200 OK\r\nx-filler: ".to_vec();
    let endless_body = b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n{\"keys\":[".to_vec();
    let started = tokio::time::Instant::now();
    let mut requests = Vec::new();
    let mut servers = Vec::new();
    for answer in [
        Answer::jwks(&issuer).held(),
        Answer::Drip(endless_head),
        Answer::Drip(endless_body),
        Answer::Drip(Vec::new()),
    ] {
        let server = JwksServer::start(answer).await;
        let verifier = remote(&server);
        for i in 0..100 {
            let (verifier, token) = (verifier.clone(), issuer.token(&format!("user_{i}")).mint());
            requests.push(tokio::spawn(async move { verifier.verify(&token).await }));
        }
        servers.push((server, verifier));
    }
    for request in requests {
        let error = within(request).await.unwrap().unwrap_err();
        assert_eq!(error.kind(), AuthErrorKind::KeysUnavailable);
    }
    let took = started.elapsed();
    assert!(took >= Duration::from_secs(4) && took < Duration::from_secs(12), "{took:?}");
    for (server, _verifier) in servers {
        server.was_left_by(1).await;
    }
}

#[tokio::test]
async fn c4_nobody_whose_key_is_at_hand_waits_for_a_refresh_that_hangs() {
    let issuer = issuer();
    let server = JwksServer::start(Answer::jwks(&issuer)).await;
    let keys = RemoteKeys::from_url(&server.url()).unwrap();
    let clock = Arc::new(tower_clerk::test_util::ManualClock::new());
    let verifier = verifier(&keys.clock(clock.clone()));
    assert_eq!(outcome(&verifier, &issuer).await, Ok(()));
    server.answer(Answer::jwks(&issuer).held());
    clock.advance(Duration::from_secs(331));
    for i in 0..500 {
        let token = issuer.token(&format!("user_{i}")).mint();
        assert!(at_once(verifier.verify(&token)).is_ok());
    }
    server.saw(2).await;
    let token = issuer.token("user_1").mint();
    assert!(at_once(verifier.verify(&token)).is_ok());
    assert_eq!(server.requests(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn c11_a_thundering_herd_causes_one_fetch_each_time_the_keys_have_expired() {
    let issuer = issuer();
    let server = JwksServer::start(Answer::jwks(&issuer)).await;
    let (verifier, clock) = aging(&server);
    let tokens: Vec<_> = (0..50).map(|i| issuer.token(&format!("user_{i}")).mint()).collect();
    for round in 1..=100 {
        let requests: Vec<_> = tokens
            .iter()
            .map(|token| {
                let (verifier, token) = (verifier.clone(), token.clone());
                tokio::spawn(async move { verifier.verify(&token).await })
            })
            .collect();
        for request in requests {
            assert!(within(request).await.unwrap().is_ok());
        }
        assert_eq!(server.requests(), round);
        clock.advance(Duration::from_secs(24 * 3600));
    }
}

#[tokio::test]
async fn c12_the_first_waiter_may_go_away_and_the_fetch_goes_on() {
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
