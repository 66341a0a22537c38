//! The cache of verified tokens under load: bounded, correct, and nobody is given another's
//! session.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tower_clerk::clock::Clock;
use tower_clerk::session::keys::Lookup;
use tower_clerk::session::{KeySource, Verifier};
use tower_clerk::test_util::{Issuer, ManualClock, ScriptedKeys};

use crate::keys::remote::remote;
use crate::support::servers::{Answer, ISS, JwksServer, issuer, within};

fn with_bytes(issuer: &Issuer, clock: &Arc<ManualClock>, bytes: u64) -> Verifier {
    let builder = Verifier::builder(ISS, ScriptedKeys::of(issuer)).clock(clock.clone());
    builder.cache_bytes(bytes).build().unwrap()
}

/// How many of the tokens are judged without their signature being looked at again.
async fn remembered(verifier: &Verifier, tokens: &[String]) -> usize {
    let mut first = Vec::new();
    for token in tokens {
        first.push(verifier.verify(token).await.unwrap());
    }
    let mut remembered = 0;
    // The newest first: asking for an old one drives out what is asked for next.
    for (token, first) in tokens.iter().zip(&first).rev() {
        let second = verifier.verify(token).await.unwrap();
        assert_eq!(first, &second);
        remembered += usize::from(std::ptr::eq(first.claims(), second.claims()));
    }
    remembered
}

#[tokio::test]
async fn d9_the_cache_is_bounded_by_bytes_and_can_be_switched_off() {
    let (issuer, clock) = (issuer(), Arc::new(ManualClock::new()));
    let tokens = |count: usize, filler: usize| -> Vec<String> {
        let filler = "x".repeat(filler);
        (0..count)
            .map(|user| {
                let token = issuer.token(&format!("user_{user}")).issued_at(clock.now());
                token.claim("filler", &*filler).mint()
            })
            .collect()
    };
    // A token of 0.7 KB takes some 2 KB with what was read from it, one of 4 KB some 8. The bound
    // is kept in passing, so that a few more may be there at a time.
    let (small, large) = (tokens(400, 0), tokens(400, 2_600));
    assert!(large[0].len() > 4_000);
    for (tokens, bytes, expected) in [
        (&small, 0, 0..=0),
        (&small, 60_000, 1..=150),
        (&small, 10_000_000, 400..=400),
        (&large, 60_000, 1..=100),
        (&large, 400_000, 20..=170),
    ] {
        let verifier = with_bytes(&issuer, &clock, bytes);
        let remembered = remembered(&verifier, tokens).await;
        assert!(expected.contains(&remembered), "{remembered} with {bytes} bytes");
    }
}

#[tokio::test]
async fn d10_a_flood_of_bad_tokens_drives_no_good_one_out() {
    let (issuer, clock) = (issuer(), Arc::new(ManualClock::new()));
    // Room for some thirty.
    let verifier = with_bytes(&issuer, &clock, 60_000);
    let good: Vec<_> = (0..10)
        .map(|user| issuer.token(&format!("user_{user}")).issued_at(clock.now()).mint())
        .collect();
    let mut sessions = Vec::new();
    for token in &good {
        sessions.push(verifier.verify(token).await.unwrap());
    }
    let (signed, _) = good[0].rsplit_once('.').unwrap();
    let expired = issuer.token("user_1").claim("exp", 1_600_000_000).mint();
    for i in 0..5_000 {
        assert!(verifier.verify(&format!("{signed}.{i:0>342}")).await.is_err());
        assert!(verifier.verify(&format!("a.b.{i}")).await.is_err());
        assert!(verifier.verify(&expired).await.is_err());
    }
    for (token, session) in good.iter().zip(&sessions) {
        let again = verifier.verify(token).await.unwrap();
        assert!(std::ptr::eq(session.claims(), again.claims()), "it is still the one remembered");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d14_a_thousand_first_uses_of_one_token_at_once_are_all_right_and_cost_one_fetch() {
    let issuer = issuer();
    let server = JwksServer::start(Answer::jwks(&issuer).held()).await;
    let verifier = remote(&server);
    let token = issuer.token("user_1").mint();
    let requests: Vec<_> = (0..1000)
        .map(|_| {
            let (verifier, token) = (verifier.clone(), token.clone());
            tokio::spawn(async move { verifier.verify(&token).await })
        })
        .collect();
    server.saw(1).await;
    server.release();
    for request in requests {
        assert_eq!(within(request).await.unwrap().unwrap().user_id(), "user_1");
    }
    assert_eq!(server.requests(), 1);
}

/// Panics when it is told to.
#[derive(Clone, Debug)]
struct Fragile {
    keys: ScriptedKeys,
    panics: Arc<AtomicBool>,
}

impl KeySource for Fragile {
    fn lookup(&self, kid: Option<&str>) -> Lookup {
        assert!(!self.panics.load(Ordering::Relaxed), "as scripted");
        self.keys.lookup(kid)
    }
}

#[tokio::test]
async fn d15_a_panic_in_one_verification_leaves_cache_and_others_alone() {
    let issuer = issuer();
    let panics = Arc::new(AtomicBool::new(false));
    let keys = Fragile { keys: ScriptedKeys::of(&issuer), panics: panics.clone() };
    let verifier = Verifier::builder(ISS, keys).build().unwrap();
    let token = issuer.token("user_1").mint();
    let before = verifier.verify(&token).await.unwrap();
    panics.store(true, Ordering::Relaxed);
    for token in [token.clone(), issuer.token("user_2").mint()] {
        let verifier = verifier.clone();
        assert!(tokio::spawn(async move { verifier.verify(&token).await }).await.is_err());
    }
    panics.store(false, Ordering::Relaxed);
    let after = verifier.verify(&token).await.unwrap();
    assert!(std::ptr::eq(before.claims(), after.claims()));
    assert!(verifier.verify(&issuer.token("user_2").mint()).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d16_no_request_is_ever_given_another_users_session() {
    let (issuer, clock) = (issuer(), Arc::new(ManualClock::new()));
    // Room for half of them, so that entries come and go all the time.
    let verifier = with_bytes(&issuer, &clock, 1_000_000);
    let tokens: Arc<[String]> = (0..1000)
        .map(|user| issuer.token(&format!("user_{user}")).issued_at(clock.now()).mint())
        .collect();
    let tasks: Vec<_> = (0..64_usize)
        .map(|task| {
            let (verifier, tokens) = (verifier.clone(), tokens.clone());
            tokio::spawn(async move {
                for i in 0..1_600_usize {
                    let user = (task * 311 + i * 17) % tokens.len();
                    let session = verifier.verify(&tokens[user]).await.unwrap();
                    assert_eq!(session.user_id(), format!("user_{user}"));
                    if i % 16 == 0 {
                        tokio::task::yield_now().await;
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}
