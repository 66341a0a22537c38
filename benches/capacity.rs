//! The cache of verified tokens with room for all tokens and without, under 2, 8 and 64 tasks: the
//! time of a verification and the number of hits. Each answer is checked to belong to its token.
#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a benchmark prints its results and stops on errors"
)]

mod support;

use std::cell::Cell;
use std::sync::Arc;

use tokio::runtime::Runtime;
use tower_clerk::clock::{Clock, SystemClock};
use tower_clerk::session::keys::{Lookup, PublicKey};
use tower_clerk::session::{KeySource, StaticKeys, Verifier};
use tower_clerk::test_util::Issuer;

use support::turns::{Limit, Turns};

const ISS: &str = "https://clerk.example.com";
const TOKENS: usize = 10_000;

/// The calls of all tasks together in one turn.
const CALLS: usize = 10_000;

const ROOMS: [(&str, u64); 4] =
    [("all", 32 << 20), ("half", 7 << 20), ("a tenth", 7 << 18), ("none", 0)];
const TASKS: [usize; 3] = [2, 8, 64];

/// Tokens, each with its user.
type Tokens = Arc<[(String, String)]>;

fn main() {
    let issuer = Issuer::new(ISS, "ins_1");
    let tokens: Tokens = (0..TOKENS)
        .map(|n| {
            let user = format!("user_2g7np7Hrk0SN6kj5EDM{n:08}");
            let token = issuer.token(&user).claim("exp", 4_000_000_000_u64).mint();
            (user, token)
        })
        .collect();
    let runtime = Runtime::new().expect("a runtime");
    let verifiers = ROOMS.map(|(_, bytes)| {
        let keys = StaticKeys::from_jwks(&issuer.jwks().to_string()).expect("a usable set");
        let verifier = Verifier::builder(ISS, Counted { keys }).cache_bytes(bytes).build();
        verifier.expect("a verifier")
    });
    // The first use of each token is a miss in any case.
    for verifier in &verifiers {
        for (_, token) in &*tokens {
            runtime.block_on(verifier.verify(token)).expect("a session");
        }
    }

    println!("{CALLS} verifications in a turn, of {TOKENS} tokens, drawn at random");
    let hits: [[Cell<usize>; 3]; 4] = Default::default();
    let calls: [[Cell<usize>; 3]; 4] = Default::default();
    let mut turns = Turns::new("capacity").rounds(20, 1);
    for (room, verifier) in verifiers.iter().enumerate() {
        for (at, tasks) in TASKS.into_iter().enumerate() {
            let (runtime, tokens) = (&runtime, &tokens);
            let (hits, calls) = (&hits[room][at], &calls[room][at]);
            turns.timed(&case(room, tasks), move |_| {
                let clock = SystemClock::new();
                let start = clock.monotonic();
                // Each turn draws other tokens.
                let found = runtime.block_on(draw(verifier, tokens, tasks, calls.get()));
                let took = clock.monotonic() - start;
                hits.set(hits.get() + found);
                calls.set(calls.get() + CALLS / tasks * tasks);
                took.as_secs_f64() * 1e9 / (CALLS / tasks * tasks) as f64
            });
        }
    }
    let figures = turns.take();
    for (room, (name, _)) in ROOMS.iter().enumerate() {
        for (at, tasks) in TASKS.into_iter().enumerate() {
            let hits = hits[room][at].get() as f64 / calls[room][at].get() as f64;
            let (own, none) = (case(room, tasks), case(ROOMS.len() - 1, tasks));
            let label = format!("room for {name}, {tasks} tasks, hits {hits:.2}");
            figures.line(&label, &none, Limit::None, |round| [round.of(&own), round.of(&none)]);
        }
    }
}

fn case(room: usize, tasks: usize) -> String {
    format!("room for {}, {tasks} tasks", ROOMS[room].0)
}

/// Verifies random tokens in `tasks` tasks, and returns the number of hits.
async fn draw(verifier: &Verifier, tokens: &Tokens, tasks: usize, seed: usize) -> usize {
    let running: Vec<_> = (0..tasks)
        .map(|task| {
            let (verifier, tokens) = (verifier.clone(), Arc::clone(tokens));
            let mut random = Random::new(seed + task);
            tokio::spawn(async move {
                let mut hits = 0;
                for _ in 0..CALLS / tasks {
                    let (user, token) = &tokens[random.below(TOKENS)];
                    // Verified at once on this thread.
                    let before = LOOKUPS.get();
                    let session = verifier.verify(token).await.expect("a session");
                    hits += usize::from(LOOKUPS.get() == before);
                    assert_eq!(session.user_id(), user);
                    tokio::task::yield_now().await;
                }
                hits
            })
        })
        .collect();
    let mut hits = 0;
    for task in running {
        hits += task.await.expect("no panic");
    }
    hits
}

thread_local! {
    /// The number of verifications without a hit. Each thread has its own, because the cost of a
    /// shared counter would be measured too.
    static LOOKUPS: Cell<u64> = const { Cell::new(0) };
}

/// A key source that counts the lookups.
#[derive(Debug)]
struct Counted {
    keys: StaticKeys,
}

impl KeySource for Counted {
    fn lookup(&self, kid: Option<&str>) -> Lookup {
        LOOKUPS.set(LOOKUPS.get() + 1);
        self.keys.lookup(kid)
    }

    fn is_current(&self, kid: Option<&str>, key: &Arc<PublicKey>) -> bool {
        self.keys.is_current(kid, key)
    }
}

/// Xorshift, so that each run draws the same tokens.
struct Random(u64);

impl Random {
    fn new(seed: usize) -> Self {
        Self(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(2 * seed as u64 + 1))
    }

    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) as usize % end
    }
}
