//! The cache of verified tokens: it changes how fast a verdict comes, never which.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_clerk::clock::Clock;
use tower_clerk::session::{
    AudiencePolicy, AuthErrorKind, Claims, ClerkAuthLayer, KeySource, Session, Verifier,
};
use tower_clerk::test_util::{Issuer, ManualClock, ScriptedKeys};

use crate::keys::remote::aging;
use crate::support::servers::{Answer, ISS, JwksServer, eventually, issuer, within};

fn verifier(keys: impl KeySource, clock: &Arc<ManualClock>) -> Verifier {
    Verifier::builder(ISS, keys).clock(clock.clone()).build().unwrap()
}

async fn outcome(verifier: &Verifier, token: &str) -> Result<String, AuthErrorKind> {
    let session = within(verifier.verify(token)).await.map_err(|error| error.kind())?;
    Ok(session.user_id().to_owned())
}

/// Whether the token is judged without its signature being looked at again.
async fn is_remembered(verifier: &Verifier, token: &str) -> bool {
    let (first, second) = (verifier.verify(token).await, verifier.verify(token).await);
    std::ptr::eq(first.unwrap().claims(), second.unwrap().claims())
}

#[tokio::test]
async fn d1_a_remembered_token_expires_at_the_very_moment_a_fresh_one_would() {
    let (issuer, clock) = (issuer(), Arc::new(ManualClock::new()));
    let warm = verifier(ScriptedKeys::of(&issuer), &clock);
    let token = issuer.token("user_1").issued_at(clock.now()).mint();
    let expiry = warm.verify(&token).await.unwrap().claims().expires_at() + Duration::from_secs(5);
    let before = expiry - Duration::from_millis(1);
    for (at, expected) in [
        (before, Ok("user_1".to_owned())),
        (expiry, Err(AuthErrorKind::Expired)),
        (before, Ok("user_1".to_owned())),
        (SystemTime::UNIX_EPOCH, Err(AuthErrorKind::NotYetValid)),
        (before, Ok("user_1".to_owned())),
        (expiry + Duration::from_secs(400 * 86_400), Err(AuthErrorKind::Expired)),
    ] {
        // Only the wall clock is set: no time passes by which the cache could let go.
        clock.set_wall(at);
        let cold = Verifier::builder(ISS, ScriptedKeys::of(&issuer)).clock(clock.clone());
        let cold = cold.without_cache().build().unwrap();
        assert_eq!(outcome(&warm, &token).await, expected);
        assert_eq!(outcome(&cold, &token).await, expected);
    }
}

#[tokio::test]
async fn d2_a_token_that_came_too_early_is_accepted_when_its_time_has_come() {
    let (issuer, clock) = (issuer(), Arc::new(ManualClock::new()));
    let verifier = verifier(ScriptedKeys::of(&issuer), &clock);
    let later = issuer.token("user_1").issued_at(clock.now() + Duration::from_secs(60));
    for (token, early) in [
        (later.clone().without_claim("iat").mint(), AuthErrorKind::NotYetValid),
        (later.without_claim("nbf").mint(), AuthErrorKind::IssuedInFuture),
    ] {
        for _ in 0..3 {
            assert_eq!(outcome(&verifier, &token).await, Err(early));
        }
        clock.advance(Duration::from_secs(60));
        assert_eq!(outcome(&verifier, &token).await, Ok("user_1".into()));
        clock.set_wall(clock.now() - Duration::from_secs(60));
        assert_eq!(outcome(&verifier, &token).await, Err(early), "nor is it kept as good");
    }
}

#[tokio::test]
async fn d3_a_remembered_token_dies_with_its_key() {
    let (issuer, clock) = (issuer(), Arc::new(ManualClock::new()));
    let keys = ScriptedKeys::of(&issuer);
    let verifier = verifier(keys.clone(), &clock);
    let token = issuer.token("user_1").issued_at(clock.now()).mint();
    assert_eq!(outcome(&verifier, &token).await, Ok("user_1".into()));
    keys.withdraw(issuer.kid());
    assert_eq!(outcome(&verifier, &token).await, Err(AuthErrorKind::UnknownKey));
    keys.publish(&Issuer::new(ISS, issuer.kid()));
    assert_eq!(outcome(&verifier, &token).await, Err(AuthErrorKind::BadSignature));
    keys.publish(&issuer);
    assert_eq!(outcome(&verifier, &token).await, Ok("user_1".into()));
    // From one key to the other, without a moment in which there is none.
    keys.publish(&Issuer::new(ISS, issuer.kid()));
    assert_eq!(outcome(&verifier, &token).await, Err(AuthErrorKind::BadSignature));
}

#[tokio::test]
async fn d3_a_remembered_token_dies_at_the_refresh_that_drops_its_key() {
    let issuer = issuer();
    let server = JwksServer::start(Answer::jwks(&issuer)).await;
    let (verifier, clock) = aging(&server);
    let token = issuer.token("user_1").mint();
    assert!(is_remembered(&verifier, &token).await);
    server.answer(Answer::jwks(&issuer.rotated("ins_2")));
    clock.advance(Duration::from_secs(331));
    eventually(async || outcome(&verifier, &token).await == Err(AuthErrorKind::UnknownKey)).await;
    assert!(server.requests() <= 3, "the refresh, and one because the kid might be a new one");
}

#[tokio::test]
async fn d4_a_refusal_is_not_remembered() {
    let (issuer, clock) = (issuer(), Arc::new(ManualClock::new()));
    let keys = ScriptedKeys::new();
    let verifier = verifier(keys.clone(), &clock);
    let token = issuer.token("user_1").issued_at(clock.now()).mint();
    for _ in 0..3 {
        assert_eq!(outcome(&verifier, &token).await, Err(AuthErrorKind::UnknownKey));
    }
    keys.unavailable(Duration::from_secs(1));
    assert_eq!(outcome(&verifier, &token).await, Err(AuthErrorKind::KeysUnavailable));
    keys.available();
    keys.publish(&issuer.rotated(issuer.kid()));
    assert_eq!(outcome(&verifier, &token).await, Err(AuthErrorKind::BadSignature));
    keys.publish(&issuer);
    assert_eq!(outcome(&verifier, &token).await, Ok("user_1".into()));
}

#[tokio::test]
async fn d5_verifiers_of_other_rules_share_no_verdict() {
    let (issuer, clock) = (issuer(), Arc::new(ManualClock::new()));
    let keys = ScriptedKeys::of(&issuer);
    let builder = |iss: &str| Verifier::builder(iss, keys.clone()).clock(clock.clone());
    let open = builder(ISS).skew(Duration::from_secs(300)).build().unwrap();
    let parties = builder(ISS).authorized_parties(["https://app.example.com"]).build().unwrap();
    let audience = AudiencePolicy::Required(vec!["api".into()]);
    let audience = builder(ISS).audience(audience).build().unwrap();
    let elsewhere = builder("https://other.example.com").build().unwrap();
    let exact = builder(ISS).skew(Duration::ZERO).build().unwrap();
    let token = issuer.token("user_1").issued_at(clock.now()).mint();
    clock.advance(Duration::from_secs(62));
    for _ in 0..2 {
        assert_eq!(outcome(&open, &token).await, Ok("user_1".into()));
        for (other, expected) in [
            (&parties, AuthErrorKind::AuthorizedPartyMissing),
            (&audience, AuthErrorKind::AudienceMissing),
            (&elsewhere, AuthErrorKind::IssuerMismatch),
            (&exact, AuthErrorKind::Expired),
        ] {
            assert_eq!(outcome(other, &token).await, Err(expected));
        }
    }
}

#[tokio::test]
async fn d6_clones_of_a_layer_and_its_services_share_one_cache() {
    let issuer = issuer();
    let keys = ScriptedKeys::of(&issuer);
    let layer = ClerkAuthLayer::new(Verifier::builder(ISS, keys).build().unwrap());
    let inner = service_fn(|request: http::Request<()>| async move {
        let session = request.extensions().get::<Session>().cloned();
        Ok::<_, std::convert::Infallible>(bring_back(session))
    });
    let token = issuer.token("user_1").mint();
    let mut sessions = Vec::new();
    for _connection in 0..4 {
        let mut service = layer.clone().layer(inner);
        for _request in 0..2 {
            let request =
                http::Request::get("/").header("authorization", format!("bearer {token}"));
            let ready = ServiceExt::<http::Request<()>>::ready(&mut service).await.unwrap();
            let response = ready.call(request.body(()).unwrap()).await.unwrap();
            sessions.push(response.extensions().get::<Session>().unwrap().clone());
        }
    }
    for session in &sessions {
        assert!(std::ptr::eq(session.claims(), sessions[0].claims()), "verified once");
    }
}

/// An answer that brings back the session that its handler was given.
fn bring_back(session: Option<Session>) -> http::Response<String> {
    let mut response = http::Response::new(String::new());
    response.extensions_mut().insert(session.expect("the layer put it there"));
    response
}

#[tokio::test]
async fn d7_tokens_that_share_kid_jti_sub_signature_or_payload_are_told_apart() {
    let (issuer, clock) = (issuer(), Arc::new(ManualClock::new()));
    let verifier = verifier(ScriptedKeys::of(&issuer), &clock);
    let token = |user: &str, email: &str| {
        let token = issuer.token(user).issued_at(clock.now());
        token.claim("jti", "one").claim("sid", "sess_1").claim("email", email).mint()
    };
    let (a, b) = (token("user_1", "a@example.com"), token("user_1", "b@example.com"));
    let c = token("user_2", "a@example.com");
    for _ in 0..2 {
        for (token, user, email) in
            [(&a, "user_1", "a@"), (&b, "user_1", "b@"), (&c, "user_2", "a@")]
        {
            let session = verifier.verify(token).await.unwrap();
            let claims: &Value = session.claims().custom().unwrap();
            assert_eq!(session.user_id(), user);
            assert!(claims["email"].as_str().unwrap().starts_with(email));
        }
    }
    let parts = |token: &str| token.split('.').map(str::to_owned).collect::<Vec<_>>();
    let (a, b) = (parts(&a), parts(&b));
    let swapped = [format!("{}.{}.{}", a[0], b[1], a[2]), format!("{}.{}.{}", a[0], a[1], b[2])];
    for crossed in swapped {
        assert_eq!(outcome(&verifier, &crossed).await, Err(AuthErrorKind::BadSignature));
    }
}

#[tokio::test]
async fn d8_a_bent_copy_of_a_remembered_token_is_refused_and_leaves_it_alone() {
    let (issuer, clock) = (issuer(), Arc::new(ManualClock::new()));
    let verifier = verifier(ScriptedKeys::of(&issuer), &clock);
    let token = issuer.token("user_1").issued_at(clock.now()).mint();
    let remembered = verifier.verify(&token).await.unwrap();
    let mut bent = vec![
        format!("{token}="),
        format!("{token}A"),
        format!("{token}."),
        format!(" {token}"),
        format!("{token}\n"),
        token[..token.len() - 1].to_owned(),
        token.to_lowercase(),
        token.replace('-', "+").replace('_', "/") + "=",
    ];
    // One bit of each part, and the bits of the last character that no byte has.
    let bytes = token.as_bytes();
    for at in [5, token.find('.').unwrap() + 9, token.rfind('.').unwrap() + 9, token.len() - 1] {
        for bit in [1, 2, 4] {
            let mut other = bytes.to_vec();
            other[at] ^= bit;
            bent.extend(String::from_utf8(other).ok().filter(|text| *text != token));
        }
    }
    let (head, last) = token.split_at(token.len() - 1);
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let place = ALPHABET.iter().position(|c| *c == last.as_bytes()[0]).unwrap();
    let same_bytes = format!("{head}{}", char::from(ALPHABET[place ^ 1]));
    assert!(URL_SAFE_NO_PAD.decode(same_bytes.rsplit('.').next().unwrap()).is_err());
    bent.push(same_bytes);
    for bent in bent {
        assert!(outcome(&verifier, &bent).await.is_err(), "{bent}");
        let again = verifier.verify(&token).await.unwrap();
        assert!(std::ptr::eq(remembered.claims(), again.claims()), "{bent}");
    }
}

#[tokio::test]
async fn d12_a_far_expiry_is_remembered_for_a_bounded_time_and_overflows_nothing() {
    let (issuer, clock) = (issuer(), Arc::new(ManualClock::new()));
    let verifier = verifier(ScriptedKeys::of(&issuer), &clock);
    for exp in [
        json!(4_000_000_000_u64),
        json!(253_402_300_800_u64),
        json!(i64::MAX),
        json!(u64::MAX),
        json!(9e15),
        json!(1e300),
    ] {
        let token = issuer.token("user_1").issued_at(clock.now()).claim("exp", exp.clone()).mint();
        // Accepted or not, it is so each time, and no sum overflows on the way.
        let first = outcome(&verifier, &token).await;
        for _ in 0..3 {
            assert_eq!(outcome(&verifier, &token).await, first, "{exp}");
        }
    }
    let token = issuer.token("user_1").issued_at(clock.now()).claim("exp", 4_000_000_000_u64);
    assert!(is_remembered(&verifier, &token.mint()).await);
}

#[tokio::test]
async fn d17_a_session_that_is_revoked_at_clerk_ends_with_its_token_and_the_docs_say_so() {
    let docs = include_str!("../../../src/session/verify/mod.rs");
    assert!(docs.contains("revoked"), "the documentation of `Verifier`");
    let (issuer, clock) = (issuer(), Arc::new(ManualClock::new()));
    let verifier = verifier(ScriptedKeys::of(&issuer), &clock);
    let token = issuer.token("user_1").issued_at(clock.now()).mint();
    assert!(is_remembered(&verifier, &token).await);
    clock.advance(Duration::from_secs(65));
    assert_eq!(outcome(&verifier, &token).await, Err(AuthErrorKind::Expired));
}

#[tokio::test]
async fn d19_what_a_handler_does_to_its_session_does_not_reach_the_next_request() {
    fn is_frozen<T: Send + Sync + std::panic::RefUnwindSafe>() {}
    // No cell, no lock: with interior mutability it would not be `RefUnwindSafe`.
    is_frozen::<Claims>();
    is_frozen::<Session>();
    let issuer = issuer();
    let keys = ScriptedKeys::of(&issuer);
    let layer = ClerkAuthLayer::new(Verifier::builder(ISS, keys).build().unwrap());
    let other = Verifier::builder(ISS, ScriptedKeys::of(&issuer)).build().unwrap();
    let other = other.verify(&issuer.token("user_2").mint()).await.unwrap();
    let service = layer.layer(service_fn(move |mut request: http::Request<()>| {
        let found = request.extensions_mut().insert(other.clone());
        async move { Ok::<_, std::convert::Infallible>(bring_back(found)) }
    }));
    let token = issuer.token("user_1").mint();
    for _ in 0..3 {
        let request = http::Request::get("/").header("authorization", format!("Bearer {token}"));
        let response = service.clone().oneshot(request.body(()).unwrap()).await.unwrap();
        assert_eq!(response.extensions().get::<Session>().unwrap().user_id(), "user_1");
    }
}

#[test]
fn d20_jsonwebtoken_is_past_its_advisories() {
    let lock = include_str!("../../../Cargo.lock");
    let versions: Vec<(u32, u32)> = lock
        .split("[[package]]")
        .filter(|package| package.contains("name = \"jsonwebtoken\""))
        .map(|package| {
            let version = package.split("version = \"").nth(1).unwrap();
            let mut numbers = version.split(['.', '"']).map(|n| n.parse().unwrap());
            (numbers.next().unwrap(), numbers.next().unwrap())
        })
        .collect();
    assert!(!versions.is_empty());
    assert!(versions.iter().all(|version| *version >= (10, 3)), "{versions:?}: CVE-2026-25537");
    // The others are compared with the advisory database by `cargo deny`.
    assert!(include_str!("../../../deny.toml").contains("[advisories]"));
}
