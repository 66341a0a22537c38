//! Lock-outs before a verifier: when they are looked for, who waits, and what a store's failure does.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Request, Response, StatusCode};
use tokio::time::Instant;
use tower::{Layer, ServiceExt, service_fn};
use tower_clerk::clock::{Clock, SystemClock};
use tower_clerk::lockout::{Barred, Lockout, LockoutError, LockoutStore, Lockouts};
use tower_clerk::session::{AuthErrorKind, ClerkAuthLayer, StaticKeys, Verifier};
use tower_clerk::test_util::Issuer;

use crate::support::servers::{ISS, issuer};

/// A store in memory that counts the looks, hangs and fails.
#[derive(Clone, Default)]
struct Store(Arc<State>);

#[derive(Default)]
struct State {
    lockouts: Mutex<Vec<Lockout>>,
    looks: AtomicUsize,
    ages: Mutex<Vec<Duration>>,
    hangs: AtomicBool,
    fails: AtomicBool,
    panics: AtomicBool,
}

impl LockoutStore for Store {
    async fn within(&self, age: Duration) -> Result<Vec<Lockout>, LockoutError> {
        self.0.looks.fetch_add(1, Ordering::SeqCst);
        self.0.ages.lock().unwrap().push(age);
        if self.0.panics.load(Ordering::SeqCst) && self.looks() < 500 {
            panic!("on purpose");
        }
        if self.0.hangs.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        if self.0.fails.load(Ordering::SeqCst) {
            return Err(LockoutError::new("the database is away"));
        }
        Ok(self.0.lockouts.lock().unwrap().clone())
    }
}

impl Store {
    fn write(&self, barred: Barred) {
        self.0.lockouts.lock().unwrap().push(Lockout::new(barred, i64::MAX));
    }

    fn looks(&self) -> usize {
        self.0.looks.load(Ordering::SeqCst)
    }
}

fn session() -> Barred {
    Barred::Session("sess_1".to_owned())
}

fn verifier(issuer: &Issuer, lockouts: &Lockouts) -> Verifier {
    let keys = StaticKeys::from_jwks(&issuer.jwks().to_string()).unwrap();
    Verifier::builder(ISS, keys).lockouts(lockouts).build().unwrap()
}

fn token(issuer: &Issuer) -> String {
    issuer.token("user_1").claim("sid", "sess_1").mint()
}

async fn kind(verifier: &Verifier, token: &str) -> Option<AuthErrorKind> {
    verifier.verify(token).await.err().map(|error| error.kind())
}

#[tokio::test(start_paused = true)]
async fn a_session_that_was_ended_is_refused_within_two_seconds_also_on_a_hit() {
    let (store, issuer) = (Store::default(), issuer());
    let lockouts = Lockouts::new(store.clone());
    let (verifier, token) = (verifier(&issuer, &lockouts), token(&issuer));
    assert_eq!(kind(&verifier, &token).await, None);
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(kind(&verifier, &token).await, None);
    }
    store.write(session());
    let written = Instant::now();
    while kind(&verifier, &token).await.is_none() {
        assert!(written.elapsed() <= Duration::from_secs(2));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(kind(&verifier, &token).await, Some(AuthErrorKind::SessionEnded));
    let other = issuer.token("user_1").claim("sid", "sess_2").mint();
    assert_eq!(kind(&verifier, &other).await, None);
}

#[tokio::test(start_paused = true)]
async fn what_an_instance_was_told_itself_it_knows_at_once() {
    let issuer = issuer();
    let lockouts = Lockouts::new(Store::default());
    let (verifier, token) = (verifier(&issuer, &lockouts), token(&issuer));
    assert_eq!(kind(&verifier, &token).await, None);
    lockouts.add(Lockout::new(session(), 0));
    assert_eq!(kind(&verifier, &token).await, Some(AuthErrorKind::SessionEnded));
}

#[tokio::test(start_paused = true)]
async fn while_nothing_is_judged_nothing_is_looked_for_and_the_first_request_waits_for_a_look() {
    let (store, issuer) = (Store::default(), issuer());
    let lockouts = Lockouts::new(store.clone());
    let (verifier, token) = (verifier(&issuer, &lockouts), token(&issuer));
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(store.looks(), 0, "nobody has asked yet");
    assert_eq!(kind(&verifier, &token).await, None);
    assert_eq!(store.looks(), 1);
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert!(store.looks() <= 3, "{}", store.looks());
    let rested = store.looks();

    store.write(session());
    assert_eq!(kind(&verifier, &token).await, Some(AuthErrorKind::SessionEnded));
    assert_eq!(store.looks(), rested + 1);
    // The first look of a start reads all that may matter, later ones what may have come since the last.
    let ages = store.0.ages.lock().unwrap().clone();
    assert_eq!(ages[0], Duration::from_secs(65 * 60));
    assert!(ages[1..].iter().all(|age| *age >= Duration::from_secs(30)), "{ages:?}");
}

#[tokio::test(start_paused = true)]
async fn a_look_that_takes_long_lets_requests_pass_after_a_quarter_of_a_second() {
    let (store, issuer) = (Store::default(), issuer());
    store.0.hangs.store(true, Ordering::SeqCst);
    let lockouts = Lockouts::new(store.clone());
    let (verifier, token) = (verifier(&issuer, &lockouts), token(&issuer));
    let begin = Instant::now();
    let (one, other) = tokio::join!(kind(&verifier, &token), kind(&verifier, &token));
    assert_eq!((one, other), (None, None));
    assert_eq!(begin.elapsed(), Duration::from_millis(250));
    // Those after them do not wait any more.
    assert_eq!(kind(&verifier, &token).await, None);
    assert_eq!(begin.elapsed(), Duration::from_millis(250));
    assert_eq!(store.looks(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_refuses_nobody_and_what_is_known_still_counts() {
    let (store, issuer) = (Store::default(), issuer());
    store.write(Barred::Session("sess_2".to_owned()));
    let lockouts = Lockouts::new(store.clone());
    let (verifier, token) = (verifier(&issuer, &lockouts), token(&issuer));
    assert_eq!(kind(&verifier, &token).await, None);
    store.0.fails.store(true, Ordering::SeqCst);
    assert!(lockouts.look().await.unwrap_err().to_string().contains("the database is away"));
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(kind(&verifier, &token).await, None);
    }
    let other = issuer.token("user_1").claim("sid", "sess_2").mint();
    assert_eq!(kind(&verifier, &other).await, Some(AuthErrorKind::SessionEnded));
    // Once it is back, what was written meanwhile is found.
    store.write(session());
    store.0.fails.store(false, Ordering::SeqCst);
    lockouts.look().await.unwrap();
    assert_eq!(kind(&verifier, &token).await, Some(AuthErrorKind::SessionEnded));
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_the_end_of_a_session_hears_of_a_lock_out_and_keeps_the_looks_going() {
    let (store, issuer) = (Store::default(), issuer());
    let lockouts = Lockouts::new(store.clone());
    let (verifier, token) = (verifier(&issuer, &lockouts), token(&issuer));
    let session_of_stream = verifier.verify(&token).await.unwrap();
    let stream = tokio::spawn(async move { session_of_stream.expired().await });
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert!(!stream.is_finished());
    assert!(store.looks() >= 15, "{}", store.looks());
    store.write(session());
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(stream.is_finished());
    // Nobody waits or asks any more.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let rested = store.looks();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(store.looks(), rested);
}

#[test]
fn a_look_that_ended_with_its_runtime_is_begun_again_on_another() {
    let (store, issuer) = (Store::default(), issuer());
    let lockouts = Lockouts::new(store.clone());
    let (verifier, token) = (verifier(&issuer, &lockouts), token(&issuer));
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for looks in 1..=3 {
        assert_eq!(runtime().block_on(kind(&verifier, &token)), None);
        assert_eq!(store.looks(), looks);
    }
    store.write(session());
    let refused = runtime().block_on(kind(&verifier, &token));
    assert_eq!(refused, Some(AuthErrorKind::SessionEnded));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_passes_that_begins_after_a_lock_out_was_added() {
    let issuer = issuer();
    let lockouts = Lockouts::new(Store::default());
    let verifier = verifier(&issuer, &lockouts);
    for n in 0..200 {
        let session = format!("sess_{n}");
        let token = issuer.token("user_1").claim("sid", session.as_str()).mint();
        assert_eq!(kind(&verifier, &token).await, None);
        let hits = {
            let (verifier, token) = (verifier.clone(), token.clone());
            tokio::spawn(async move { while kind(&verifier, &token).await.is_none() {} })
        };
        lockouts.add(Lockout::new(Barred::Session(session), 0));
        assert_eq!(kind(&verifier, &token).await, Some(AuthErrorKind::SessionEnded), "{n}");
        hits.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn tokens_that_outlive_a_lock_out_are_refused_while_lock_outs_are_on() {
    let issuer = issuer();
    let verifier = verifier(&issuer, &Lockouts::new(Store::default()));
    let of = |seconds| issuer.token("user_1").expires_after(Duration::from_secs(seconds)).mint();
    assert_eq!(kind(&verifier, &of(3600)).await, None);
    assert_eq!(kind(&verifier, &of(3601)).await, Some(AuthErrorKind::LifetimeTooLong));
}

#[tokio::test(start_paused = true)]
async fn the_answers_say_that_the_session_has_ended_or_that_the_token_is_invalid() {
    let issuer = issuer();
    let lockouts = Lockouts::new(Store::default());
    let layer = ClerkAuthLayer::new(verifier(&issuer, &lockouts));
    let now = i64::try_from(
        SystemClock::new().now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis(),
    )
    .unwrap();
    let left =
        Barred::Membership { organization_id: "org_1".to_owned(), user_id: "user_2".to_owned() };
    lockouts.add(Lockout::new(Barred::User("user_1".to_owned()), now + 1000));
    lockouts.add(Lockout::new(left, now + 1000));
    let member = issuer.token("user_2").organization("org_1", "acme", "admin", &[]);
    for (token, detail) in [(issuer.token("user_1"), "Session ended"), (member, "Invalid token")] {
        let inner =
            service_fn(async |_| Ok::<_, std::convert::Infallible>(Response::new(String::new())));
        let request = Request::get("/").header("authorization", format!("Bearer {}", token.mint()));
        let answer = layer.layer(inner).oneshot(request.body(()).unwrap()).await.unwrap();
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(answer.headers()["www-authenticate"], r#"Bearer error="invalid_token""#);
        let body = http_body_util::BodyExt::collect(answer.into_body()).await.unwrap().to_bytes();
        assert_eq!(body, format!(r#"{{"detail":"{detail}"}}"#));
    }
    // Somebody else of the organization, and the same user elsewhere, are not concerned.
    for token in [
        issuer.token("user_3").organization("org_1", "acme", "admin", &[]),
        issuer.token("user_2").organization("org_2", "other", "admin", &[]),
        issuer.token("user_2"),
    ] {
        let inner =
            service_fn(async |_| Ok::<_, std::convert::Infallible>(Response::new(String::new())));
        let request = Request::get("/").header("authorization", format!("Bearer {}", token.mint()));
        let answer = layer.layer(inner).oneshot(request.body(()).unwrap()).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_panics_is_asked_once_a_second_however_many_wait_for_the_end_of_a_session() {
    let (store, issuer) = (Store::default(), issuer());
    let lockouts = Lockouts::new(store.clone());
    let (verifier, token) = (verifier(&issuer, &lockouts), token(&issuer));
    let session = verifier.verify(&token).await.unwrap();
    store.0.panics.store(true, Ordering::SeqCst);
    let waiting: Vec<_> = (0..3)
        .map(|_| {
            let session = session.clone();
            tokio::spawn(async move { session.expired().await })
        })
        .collect();
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert!((10..=60).contains(&store.looks()), "{}", store.looks());
    // Once it can be read again, they learn of the end.
    store.write(self::session());
    store.0.panics.store(false, Ordering::SeqCst);
    for one in waiting {
        tokio::time::timeout(Duration::from_secs(5), one).await.unwrap().unwrap();
    }
}
