//! The cache of verified tokens: it changes how fast a verdict comes, never which.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use tower_clerk::clock::Clock;
use tower_clerk::session::keys::{Lookup, MissingKey, PublicKey};
use tower_clerk::session::{AuthErrorKind, KeySource, PemKey, StaticKeys, Verifier};
use tower_clerk::test_util::{Issuer, ManualClock};

use crate::servers::{ISS, issuer};

/// A key source that a test changes, and that counts how often a signature was looked into: only
/// a token that is not remembered gets as far as a failed signature.
#[derive(Clone, Debug, Default)]
struct Scripted {
    key: Arc<Mutex<Option<Arc<PublicKey>>>>,
    failed_signatures: Arc<AtomicUsize>,
}

impl Scripted {
    fn of(issuer: &Issuer) -> Self {
        let scripted = Self::default();
        scripted.set(Some(issuer));
        scripted
    }

    fn set(&self, issuer: Option<&Issuer>) {
        let key = issuer.map(|issuer| PemKey::parse(&issuer.pem()).unwrap().public_key());
        *self.key.lock().unwrap() = key;
    }
}

impl KeySource for Scripted {
    fn lookup(&self, _kid: Option<&str>) -> Lookup {
        self.key.lock().unwrap().clone().ok_or(MissingKey::Unknown).into()
    }

    fn signature_failed(&self, _kid: Option<&str>) {
        self.failed_signatures.fetch_add(1, Ordering::Relaxed);
    }
}

fn verifier(keys: impl KeySource, clock: &Arc<ManualClock>) -> Verifier {
    Verifier::builder(ISS, keys).clock(clock.clone()).build().unwrap()
}

async fn outcome(verifier: &Verifier, token: &str) -> Result<String, AuthErrorKind> {
    let session = verifier.verify(token).await.map_err(|error| error.kind())?;
    Ok(session.user_id().to_owned())
}

#[tokio::test]
async fn a_remembered_token_expires_at_the_very_moment_a_fresh_one_would() {
    let (issuer, clock) = (issuer(), Arc::new(ManualClock::new()));
    let warm = verifier(Scripted::of(&issuer), &clock);
    let token = issuer.token("user_1").issued_at(clock.now()).mint();
    let expiry = warm.verify(&token).await.unwrap().claims().expires_at() + Duration::from_secs(5);
    for (at, expected) in [
        (expiry - Duration::from_millis(1), Ok("user_1".to_owned())),
        (expiry, Err(AuthErrorKind::Expired)),
        (expiry - Duration::from_millis(1), Ok("user_1".to_owned())),
        (SystemTime::UNIX_EPOCH, Err(AuthErrorKind::NotYetValid)),
    ] {
        clock.set_wall(at);
        let cold = Verifier::builder(ISS, Scripted::of(&issuer)).clock(clock.clone());
        let cold = cold.without_cache().build().unwrap();
        assert_eq!(outcome(&warm, &token).await, expected);
        assert_eq!(outcome(&cold, &token).await, expected);
    }
}

#[tokio::test]
async fn a_token_that_came_too_early_is_accepted_when_its_time_has_come() {
    let (issuer, clock) = (issuer(), Arc::new(ManualClock::new()));
    let verifier = verifier(Scripted::of(&issuer), &clock);
    let token = issuer.token("user_1").issued_at(clock.now() + Duration::from_secs(60)).mint();
    assert_eq!(outcome(&verifier, &token).await, Err(AuthErrorKind::NotYetValid));
    clock.advance(Duration::from_secs(60));
    assert_eq!(outcome(&verifier, &token).await, Ok("user_1".into()));
}

#[tokio::test]
async fn a_remembered_token_dies_with_its_key() {
    let (issuer, clock) = (issuer(), Arc::new(ManualClock::new()));
    let keys = Scripted::of(&issuer);
    let verifier = verifier(keys.clone(), &clock);
    let token = issuer.token("user_1").issued_at(clock.now()).mint();
    assert_eq!(outcome(&verifier, &token).await, Ok("user_1".into()));
    keys.set(None);
    assert_eq!(outcome(&verifier, &token).await, Err(AuthErrorKind::UnknownKey));
    keys.set(Some(&Issuer::new(ISS, "ins_1")));
    assert_eq!(outcome(&verifier, &token).await, Err(AuthErrorKind::BadSignature));
    keys.set(Some(&issuer));
    assert_eq!(outcome(&verifier, &token).await, Ok("user_1".into()));
}

#[tokio::test]
async fn a_bent_copy_of_a_remembered_token_is_refused_and_leaves_it_alone() {
    let (issuer, clock) = (issuer(), Arc::new(ManualClock::new()));
    let verifier = verifier(Scripted::of(&issuer), &clock);
    let token = issuer.token("user_1").issued_at(clock.now()).mint();
    let other = issuer.token("user_2").issued_at(clock.now()).mint();
    for token in [&token, &other] {
        assert!(outcome(&verifier, token).await.is_ok());
    }
    let parts: Vec<_> = token.split('.').collect();
    let others: Vec<_> = other.split('.').collect();
    for bent in [
        format!("{}.{}.{}", parts[0], parts[1], others[2]),
        format!("{}.{}.{}", parts[0], others[1], parts[2]),
        format!("{token}="),
        format!("{token}A"),
        format!(" {token}"),
        token[..token.len() - 1].to_owned(),
        token.to_lowercase(),
    ] {
        assert!(outcome(&verifier, &bent).await.is_err(), "{bent}");
        assert_eq!(outcome(&verifier, &token).await, Ok("user_1".into()));
        assert_eq!(outcome(&verifier, &other).await, Ok("user_2".into()));
    }
}

#[tokio::test]
async fn verifiers_share_no_verdict_and_clones_of_one_do() {
    let (issuer, clock) = (issuer(), Arc::new(ManualClock::new()));
    let keys = StaticKeys::from_jwks(&issuer.jwks().to_string()).unwrap();
    let open = verifier(keys.clone(), &clock);
    let strict = Verifier::builder(ISS, keys)
        .clock(clock.clone())
        .authorized_parties(["https://app.example.com"])
        .build()
        .unwrap();
    let token = issuer.token("user_1").issued_at(clock.now()).mint();
    for _ in 0..2 {
        assert!(outcome(&open, &token).await.is_ok());
        assert!(outcome(&open.clone(), &token).await.is_ok());
        assert_eq!(outcome(&strict, &token).await, Err(AuthErrorKind::AuthorizedPartyMissing));
    }
}

#[tokio::test]
async fn a_flood_of_bad_tokens_drives_no_good_one_out() {
    let (issuer, clock) = (issuer(), Arc::new(ManualClock::new()));
    let keys = Scripted::of(&issuer);
    let verifier = verifier(keys.clone(), &clock);
    let token = issuer.token("user_1").issued_at(clock.now()).mint();
    let good = verifier.verify(&token).await.unwrap();
    let (signed, _) = token.rsplit_once('.').unwrap();
    for i in 0..2_000 {
        let bad = format!("{signed}.{i:0>342}");
        assert!(verifier.verify(&bad).await.is_err());
    }
    let again = verifier.verify(&token).await.unwrap();
    assert!(std::ptr::eq(good.claims(), again.claims()), "it is still the one remembered");
}

#[tokio::test]
async fn the_cache_stays_within_its_bytes_and_can_be_switched_off() {
    let (issuer, clock) = (issuer(), Arc::new(ManualClock::new()));
    let keys = StaticKeys::from_jwks(&issuer.jwks().to_string()).unwrap();
    let build = |bytes| {
        let builder = Verifier::builder(ISS, keys.clone()).clock(clock.clone());
        builder.cache_bytes(bytes).build().unwrap()
    };
    let tokens: Vec<_> = (0..400)
        .map(|user| issuer.token(&format!("user_{user}")).issued_at(clock.now()).mint())
        .collect();
    // An entry takes some 2 KB. The bound is kept in passing, so a few more may be there at a time.
    for (bytes, expected) in [(0, 0..=0), (60_000, 1..=150), (10_000_000, 400..=400)] {
        let verifier = build(bytes);
        let mut first = Vec::new();
        for token in &tokens {
            first.push(verifier.verify(token).await.unwrap());
        }
        let mut remembered = 0;
        for (token, first) in tokens.iter().zip(&first).rev() {
            let second = verifier.verify(token).await.unwrap();
            assert_eq!(first, &second);
            remembered += usize::from(std::ptr::eq(first.claims(), second.claims()));
        }
        assert!(expected.contains(&remembered), "{remembered} with {bytes} bytes");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_request_is_ever_given_another_users_session() {
    let (issuer, clock) = (issuer(), Arc::new(ManualClock::new()));
    let keys = StaticKeys::from_jwks(&issuer.jwks().to_string()).unwrap();
    // So small that entries come and go all the time.
    let verifier = Verifier::builder(ISS, keys).clock(clock.clone()).cache_bytes(60_000);
    let verifier = verifier.build().unwrap();
    let tokens: Arc<Vec<_>> = (0..100)
        .map(|user| issuer.token(&format!("user_{user}")).issued_at(clock.now()).mint())
        .collect::<Vec<_>>()
        .into();
    let tasks: Vec<_> = (0..64)
        .map(|task| {
            let (verifier, tokens) = (verifier.clone(), tokens.clone());
            tokio::spawn(async move {
                for i in 0..200 {
                    let user = (task * 31 + i * 17) % tokens.len();
                    let session = verifier.verify(&tokens[user]).await.unwrap();
                    assert_eq!(session.user_id(), format!("user_{user}"));
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

#[tokio::test]
async fn several_instances_are_told_apart_by_issuer_and_share_nothing() {
    let clock = Arc::new(ManualClock::new());
    let (a, b) =
        (Issuer::new("https://a.example", "ins_1"), Issuer::new("https://b.example", "ins_1"));
    let one = |issuer: &Issuer| {
        let keys = StaticKeys::from_jwks(&issuer.jwks().to_string()).unwrap();
        Verifier::builder(issuer.iss(), keys).clock(clock.clone()).build().unwrap()
    };
    let both = Verifier::any_of([one(&a), one(&b)]).unwrap();
    for issuer in [&a, &b] {
        let token = issuer.token("user_1").issued_at(clock.now()).mint();
        for _ in 0..2 {
            assert_eq!(both.verify(&token).await.unwrap().claims().issuer(), issuer.iss());
        }
    }
    let crossed = a.token("user_1").claim("iss", b.iss()).issued_at(clock.now()).mint();
    assert_eq!(outcome(&both, &crossed).await, Err(AuthErrorKind::BadSignature));
    for iss in ["https://c.example", "https://a.example/", "HTTPS://A.EXAMPLE"] {
        let token = a.token("user_1").claim("iss", iss).issued_at(clock.now()).mint();
        assert_eq!(outcome(&both, &token).await, Err(AuthErrorKind::IssuerMismatch), "{iss}");
    }
    assert!(Verifier::any_of([]).is_err());
    assert!(Verifier::any_of([one(&a), one(&a)]).is_err());
}
