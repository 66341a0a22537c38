//! Remembered tokens when there is room for all and when there is not, under 2, 8 and 64 tasks:
//! what a verification takes and how many were hits. Each answer is checked to be the token's own.
#![expect(clippy::expect_used, clippy::print_stdout, reason = "its result goes there, or it stops")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tower_clerk::clock::{Clock, SystemClock};
use tower_clerk::session::keys::{Lookup, PublicKey};
use tower_clerk::session::{KeySource, StaticKeys, Verifier};
use tower_clerk::test_util::Issuer;

const ISS: &str = "https://clerk.example.com";
const TOKENS: usize = 10_000;
const CALLS: usize = 200_000;

#[tokio::main]
async fn main() {
    let issuer = Issuer::new(ISS, "ins_1");
    let tokens: Arc<[(String, String)]> = (0..TOKENS)
        .map(|n| {
            let user = format!("user_2g7np7Hrk0SN6kj5EDM{n:08}");
            let token = issuer.token(&user).claim("exp", 4_000_000_000_u64).mint();
            (user, token)
        })
        .collect();
    println!("{CALLS} verifications of {TOKENS} tokens, drawn at random");
    println!("| room for | tasks | ns each, all threads | hits | of |\n|---|---|---|---|---|");
    let clock = SystemClock::new();
    for (name, bytes) in [("all", 32 << 20), ("half", 7 << 20), ("a tenth", 7 << 18), ("none", 0)] {
        for tasks in [2, 8, 64] {
            let cold = Arc::new(AtomicU64::new(0));
            let keys = StaticKeys::from_jwks(&issuer.jwks().to_string()).expect("a usable set");
            let keys = Counted { keys, cold: Arc::clone(&cold) };
            let verifier = Verifier::builder(ISS, keys).cache_bytes(bytes).build();
            let verifier = verifier.expect("a verifier");
            // The first use of each is no matter of room.
            for (_, token) in &*tokens {
                verifier.verify(token).await.expect("a session");
            }
            cold.store(0, Ordering::Relaxed);
            let start = clock.monotonic();
            let running: Vec<_> = (0..tasks)
                .map(|task| {
                    let (verifier, tokens) = (verifier.clone(), Arc::clone(&tokens));
                    tokio::spawn(async move {
                        let mut random = Random(0x9e37_79b9_7f4a_7c15 ^ (task as u64 + 1));
                        for _ in 0..CALLS / tasks {
                            let (user, token) = &tokens[random.below(TOKENS)];
                            let session = verifier.verify(token).await.expect("a session");
                            assert_eq!(session.user_id(), user);
                            tokio::task::yield_now().await;
                        }
                    })
                })
                .collect();
            for task in running {
                task.await.expect("no panic");
            }
            let each = start.elapsed().as_secs_f64() * 1e9 / CALLS as f64;
            let hits = CALLS as u64 - cold.load(Ordering::Relaxed).min(CALLS as u64);
            println!("| {name} | {tasks} | {each:.0} | {hits} | {CALLS} |");
        }
    }
}

/// Counts the lookups of verifications that no cache spared.
#[derive(Debug)]
struct Counted {
    keys: StaticKeys,
    cold: Arc<AtomicU64>,
}

impl KeySource for Counted {
    fn lookup(&self, kid: Option<&str>) -> Lookup {
        self.cold.fetch_add(1, Ordering::Relaxed);
        self.keys.lookup(kid)
    }

    fn still_gives(&self, kid: Option<&str>, key: &Arc<PublicKey>) -> bool {
        self.keys.still_gives(kid, key)
    }
}

/// Xorshift: the same tokens in each run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) as usize % end
    }
}
