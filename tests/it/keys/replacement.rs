//! An instance replaces its key: under the same `kid`, as Clerk does, or under a new one. A real
//! HTTP server publishes the keys.

use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response, StatusCode};
use serde_json::json;
use tower::limit::ConcurrencyLimit;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_clerk::session::keys::{FetchTimes, KeySource, Lookup, MissingKey, RemoteKeys};
use tower_clerk::session::{AuthErrorKind, ClerkAuthLayer, Verifier};
use tower_clerk::test_util::{Issuer, ManualClock};

use super::remote::{aging, outcome, verifier};
use crate::support::servers::{Answer, JwksServer, issuer, within};

const SECOND: Duration = Duration::from_secs(1);

fn document(keys: &[&Issuer]) -> Answer {
    let keys: Vec<_> = keys.iter().map(|issuer| issuer.jwk()).collect();
    Answer::json(&json!({ "keys": keys }).to_string())
}

/// A verifier that knows the key of `old`, before anything else happens.
async fn knowing(old: &Issuer) -> (JwksServer, Verifier, Arc<ManualClock>) {
    knowing_within(old, FetchTimes::default().timeout).await
}

/// The same, with the time that a fetch may take.
async fn knowing_within(
    old: &Issuer,
    timeout: Duration,
) -> (JwksServer, Verifier, Arc<ManualClock>) {
    let mut times = FetchTimes::default();
    times.timeout = timeout;
    let server = JwksServer::start(document(&[old])).await;
    let clock = Arc::new(ManualClock::new());
    let keys = RemoteKeys::from_url(&server.url()).unwrap().times(times).unwrap();
    let verifier = verifier(&keys.clock(clock.clone()));
    assert_eq!(outcome(&verifier, old).await, Ok(()));
    (server, verifier, clock)
}

#[tokio::test]
async fn fault_k1_the_first_token_under_a_replaced_key_is_accepted() {
    let old = issuer();
    let new = old.rotated(old.kid());
    let (server, verifier, _stands_still) = knowing(&old).await;
    server.answer(document(&[&new]));
    assert_eq!(outcome(&verifier, &new).await, Ok(()));
    assert_eq!(outcome(&verifier, &old).await, Err(AuthErrorKind::BadSignature));
    assert_eq!(server.requests(), 2);
}

#[tokio::test]
async fn fault_k1_sixty_at_once_under_a_replaced_key_cost_one_fetch_and_are_accepted() {
    let old = issuer();
    let new = old.rotated(old.kid());
    let (server, verifier, _stands_still) = knowing(&old).await;
    server.answer(document(&[&new]).held());
    let herd: Vec<_> = (0..60)
        .map(|i| {
            let (verifier, token) = (verifier.clone(), new.token(&format!("user_{i}")).mint());
            tokio::spawn(async move { verifier.verify(&token).await.map(|_| ()) })
        })
        .collect();
    server.saw(2).await;
    server.release();
    for request in herd {
        assert_eq!(within(request).await.unwrap(), Ok(()));
    }
    assert_eq!(server.requests(), 2);
}

#[tokio::test]
async fn fault_k1_while_the_endpoint_fails_or_hangs_it_is_503_and_the_old_key_goes_on() {
    let old = issuer();
    let new = old.rotated(old.kid());
    for answer in [Answer::status("500 Oops", ""), document(&[&new]).held()] {
        let (server, verifier, clock) = knowing_within(&old, SECOND).await;
        let waits = matches!(answer, Answer::Held(_));
        server.answer(answer);
        let pending = tokio::spawn({
            let (verifier, token) = (verifier.clone(), new.token("user_1").mint());
            async move { verifier.verify(&token).await }
        });
        server.saw(2).await;
        assert_eq!(outcome(&verifier, &old).await, Ok(()), "nobody else waits");
        let error = within(pending).await.unwrap().unwrap_err();
        assert_eq!(error.kind(), AuthErrorKind::KeysUnavailable, "hangs: {waits}");
        assert!(error.retry_after().is_some());
        // Nobody can tell a forged token from a genuine one meanwhile.
        let forged = old.rotated(old.kid());
        assert_eq!(outcome(&verifier, &forged).await, Err(AuthErrorKind::KeysUnavailable));
        assert_eq!(outcome(&verifier, &old).await, Ok(()));

        server.answer(document(&[&new]));
        clock.advance(2 * SECOND);
        assert_eq!(outcome(&verifier, &new).await, Ok(()), "and works as soon as it is published");
    }
}

#[tokio::test]
async fn fault_k1_amid_forgeries_the_new_key_works_within_ten_seconds_and_three_fetches() {
    let old = issuer();
    let (new, forger) = (old.rotated(old.kid()), old.rotated(old.kid()));
    let (server, verifier, clock) = knowing(&old).await;
    let before = server.requests();
    let mut worked_after = None;
    for step in 0..=200_u32 {
        // The key is replaced a second after the flood began: it has used up the first fetch.
        if step == 20 {
            server.answer(document(&[&new]));
        }
        assert_eq!(outcome(&verifier, &forger).await, Err(AuthErrorKind::BadSignature));
        if step >= 20 && worked_after.is_none() && outcome(&verifier, &new).await.is_ok() {
            worked_after = Some((step - 20) * Duration::from_millis(50));
        }
        clock.advance(Duration::from_millis(50));
    }
    assert!(worked_after.is_some_and(|after| after <= 10 * SECOND), "{worked_after:?}");
    assert!(server.requests() - before <= 3, "{}", server.requests() - before);
}

#[tokio::test]
async fn fault_k1_a_bad_signature_and_an_unknown_kid_share_one_fetch_every_five_seconds() {
    let old = issuer();
    let (forger, stray) = (old.rotated(old.kid()), old.rotated("ins_stray"));
    let (server, verifier, clock) = knowing(&old).await;
    for round in 1..=3 {
        for _ in 0..10 {
            assert_eq!(outcome(&verifier, &forger).await, Err(AuthErrorKind::BadSignature));
            assert_eq!(outcome(&verifier, &stray).await, Err(AuthErrorKind::UnknownKey));
        }
        assert_eq!(server.requests(), 1 + round);
        clock.advance(5 * SECOND);
    }
}

#[tokio::test]
async fn fault_k2_two_keys_under_one_kid_both_verify_in_either_order_and_a_third_does_not() {
    let one = issuer();
    let (two, third) = (one.rotated(one.kid()), one.rotated(one.kid()));
    for keys in [[&one, &two], [&two, &one]] {
        let server = JwksServer::start(document(&keys)).await;
        let (verifier, _stands_still) = aging(&server);
        for _ in 0..2 {
            assert_eq!(outcome(&verifier, &one).await, Ok(()));
            assert_eq!(outcome(&verifier, &two).await, Ok(()));
            assert_eq!(outcome(&verifier, &third).await, Err(AuthErrorKind::BadSignature));
        }
    }
}

#[tokio::test]
async fn fault_k2_a_second_key_keeps_what_the_first_verified_and_its_end_forgets_it() {
    let old = issuer();
    let new = old.rotated(old.kid());
    let (server, verifier, clock) = knowing(&old).await;
    let token = old.token("user_1").mint();
    let before = within(verifier.verify(&token)).await.unwrap();
    server.answer(document(&[&new, &old]));
    assert_eq!(outcome(&verifier, &new).await, Ok(()));
    let after = within(verifier.verify(&token)).await.unwrap();
    assert!(std::ptr::eq(before.claims(), after.claims()), "still remembered");

    server.answer(document(&[&new]));
    clock.advance(5 * SECOND);
    let forger = old.rotated(old.kid());
    assert_eq!(outcome(&verifier, &forger).await, Err(AuthErrorKind::BadSignature));
    let error = within(verifier.verify(&token)).await.unwrap_err();
    assert_eq!(error.kind(), AuthErrorKind::BadSignature, "its key was withdrawn");
}

#[tokio::test]
async fn fault_k2_more_than_four_keys_under_one_kid_are_a_failed_fetch() {
    let old = issuer();
    let more: Vec<Issuer> = (0..5).map(|_| old.rotated(old.kid())).collect();
    let (server, verifier, clock) = knowing(&old).await;
    let refs: Vec<&Issuer> = more.iter().collect();
    server.answer(document(&refs));
    assert_eq!(outcome(&verifier, &more[0]).await, Err(AuthErrorKind::KeysUnavailable));
    assert_eq!(outcome(&verifier, &old).await, Ok(()), "the keys from before stay");
    server.answer(document(&refs[..4]));
    clock.advance(2 * SECOND);
    for issuer in &more[..4] {
        assert_eq!(outcome(&verifier, issuer).await, Ok(()));
    }
}

#[tokio::test]
async fn fault_k5_a_key_that_is_published_while_a_fetch_is_under_way_is_found_by_the_next() {
    let old = issuer();
    for kid in ["ins_2", old.kid()] {
        let new = old.rotated(kid);
        let (server, verifier, clock) = knowing(&old).await;
        // A refresh begins before the token comes and brings the old document.
        server.answer(document(&[&old]).held());
        clock.advance(331 * SECOND);
        assert_eq!(outcome(&verifier, &old).await, Ok(()));
        server.saw(2).await;
        server.answer(document(&[&old, &new]));
        let waiting = tokio::spawn({
            let (verifier, token) = (verifier.clone(), new.token("user_1").mint());
            async move { verifier.verify(&token).await.map(|_| ()) }
        });
        tokio::task::yield_now().await;
        server.release();
        assert_eq!(within(waiting).await.unwrap(), Ok(()), "{kid}");
        assert_eq!(server.requests(), 3);
    }
}

#[tokio::test]
async fn fault_k6_at_most_1024_wait_while_keys_are_at_hand() {
    let old = issuer();
    let server = JwksServer::start(document(&[&old])).await;
    let keys = RemoteKeys::from_url(&server.url()).unwrap().clock(Arc::new(ManualClock::new()));
    within(keys.warm_up()).await.unwrap();
    server.answer(document(&[&old]).held());
    let mut waiting: Vec<_> = (0..1024)
        .map(|i| match keys.lookup(Some(&format!("stray_{i}"))) {
            Lookup::Pending(pending) => pending,
            other => panic!("{i} does not wait: {other:?}"),
        })
        .collect();
    let turned_away = |lookup: Lookup| match lookup {
        Lookup::Missing(MissingKey::Unavailable { retry_after }) => retry_after == SECOND,
        _ => false,
    };
    assert!(turned_away(keys.lookup(Some("one_more"))));
    assert!(matches!(keys.lookup(Some(old.kid())), Lookup::Known(_)), "the others pass");
    // Who goes away makes room.
    drop(waiting.pop());
    let Lookup::Pending(last) = keys.lookup(Some("one_more")) else { panic!("there is room") };
    assert!(turned_away(keys.lookup(Some("one_too_many"))));
    server.saw(2).await;
    server.release();
    assert_eq!(within(last).await.err(), Some(MissingKey::Unknown));
}

#[tokio::test]
async fn fault_k6_a_request_that_waits_for_a_key_takes_no_permit_of_the_inner_service() {
    let old = issuer();
    let server = JwksServer::start(document(&[&old])).await;
    let keys = RemoteKeys::from_url(&server.url()).unwrap();
    within(keys.warm_up()).await.unwrap();
    server.answer(document(&[&old]).held());
    let inner = service_fn(async |_request: Request<()>| {
        Ok::<_, std::convert::Infallible>(Response::new(String::new()))
    });
    let limited = ConcurrencyLimit::new(inner, 1);
    let mut service = ClerkAuthLayer::new(verifier(&keys)).layer(limited);
    let request = |token: String| {
        Request::builder().header("authorization", format!("Bearer {token}")).body(()).unwrap()
    };
    // More forged tokens than there are permits, all of them waiting.
    let mut forged = Vec::new();
    for i in 0..10 {
        let token = old.rotated(&format!("stray_{i}")).token("user_1").mint();
        forged.push(within(service.ready()).await.unwrap().call(request(token)));
    }
    server.saw(2).await;
    let genuine = request(old.token("user_1").mint());
    let response = within(within(service.ready()).await.unwrap().call(genuine)).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    server.release();
    for waiting in forged {
        assert_eq!(within(waiting).await.unwrap().status(), StatusCode::UNAUTHORIZED);
    }
}
