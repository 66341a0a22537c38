//! The key engine against a plain model: random interleavings of tokens, answers, failures,
//! replacements of the key, steps of the clock, requests that go away and runtimes that end.
//!
//! `MODEL_STEPS` and `MODEL_SEED` set the number of steps and the first seed.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use serde_json::json;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tower_clerk::session::keys::{Fetch, FetchError, FetchFuture, Fetched, RemoteKeys};
use tower_clerk::session::{AuthError, AuthErrorKind, Session, Verifier};
use tower_clerk::test_util::{Issuer, ManualClock};

use crate::support::servers::{ISS, issuer};

const COOL_DOWN: Duration = Duration::from_secs(5);

/// The requests that the source makes, as the test sees them.
#[derive(Clone, Default)]
struct Endpoint {
    script: Arc<Mutex<Script>>,
}

#[derive(Default)]
struct Script {
    /// The attempt that is under way.
    open: Option<oneshot::Sender<Result<Fetched, FetchError>>>,
    /// The number of attempts that began.
    begun: usize,
}

impl Fetch for Endpoint {
    fn fetch(&self) -> FetchFuture<'_> {
        Box::pin(async {
            let (answer, answered) = oneshot::channel();
            let before = {
                let mut script = self.script.lock().unwrap();
                script.begun += 1;
                script.open.replace(answer)
            };
            let alone = before.is_none_or(|other| other.is_closed());
            assert!(alone, "two attempts at a time");
            answered.await.unwrap_or_else(|_| Err(FetchError::new("as scripted")))
        })
    }
}

type Verdict = Pin<Box<dyn Future<Output = Result<Session, AuthError>> + Send>>;

/// A token that waits for its verdict.
struct Asked {
    issuer: usize,
    /// The time at which it came, and the attempts that had begun by then.
    came: Duration,
    begun: usize,
    verdict: Verdict,
}

/// The model: what has happened, in plain numbers.
struct World {
    issuers: Vec<Issuer>,
    endpoint: Endpoint,
    verifier: Verifier,
    clock: Arc<ManualClock>,
    now: Duration,
    /// The issuers whose keys are published, and since when each is.
    published: HashMap<usize, Duration>,
    /// The issuers in the document that was fetched last, and when that was.
    fetched: Option<(Vec<usize>, Duration)>,
    last_failed: bool,
    /// The end of the last attempt, and the earliest time at which the schedule makes the next.
    scheduled: Duration,
    last_for_miss: Option<Duration>,
    /// The start of the last attempt that may have been the schedule's or a token's.
    last_for_either: Option<Duration>,
    seen: usize,
    asked: Vec<Asked>,
    random: Random,
    answered: HashMap<&'static str, usize>,
}

impl World {
    fn new(issuers: &[Issuer], seed: u64) -> Self {
        let (endpoint, clock) = (Endpoint::default(), Arc::new(ManualClock::new()));
        let keys = RemoteKeys::new(endpoint.clone()).clock(clock.clone());
        // Without the cache each token asks for its key, and by the system's clock none expires.
        let verifier = Verifier::builder(ISS, keys).without_cache().build().unwrap();
        Self {
            issuers: issuers.to_vec(),
            endpoint,
            verifier,
            clock,
            now: Duration::ZERO,
            published: HashMap::from([(0, Duration::ZERO)]),
            fetched: None,
            last_failed: false,
            scheduled: Duration::ZERO,
            last_for_miss: None,
            last_for_either: None,
            seen: 0,
            asked: Vec::new(),
            random: Random(seed),
            answered: HashMap::new(),
        }
    }

    async fn step(&mut self, tokens: &[String]) {
        match self.random.below(20) {
            0..8 => self.ask(tokens),
            8..12 => self.answer(),
            12 => self.fail(),
            13 => self.replace(),
            14 if !self.asked.is_empty() => {
                let gone = self.random.below(self.asked.len());
                drop(self.asked.swap_remove(gone));
            }
            14 | 15 => self.advance(Duration::from_secs(400)).await,
            16 | 17 => self.advance(Duration::from_secs(3)).await,
            _ => self.advance(Duration::from_millis(700)).await,
        }
        self.settle().await;
    }

    fn ask(&mut self, tokens: &[String]) {
        let issuer = self.random.below(tokens.len());
        let (verifier, token) = (self.verifier.clone(), tokens[issuer].clone());
        let begun = self.endpoint.script.lock().unwrap().begun;
        let verdict = Box::pin(async move { verifier.verify(&token).await });
        self.asked.push(Asked { issuer, came: self.now, begun, verdict });
    }

    /// Answers the attempt that is under way with the document of now.
    fn answer(&mut self) {
        let Some(open) = self.endpoint.script.lock().unwrap().open.take() else { return };
        let mut listed: Vec<usize> = self.published.keys().copied().collect();
        listed.sort_unstable();
        let jwks: Vec<_> = listed.iter().map(|i| self.issuers[*i].jwk()).collect();
        if open.send(Ok(Fetched::new(json!({ "keys": jwks }).to_string()))).is_ok() {
            self.fetched = Some((listed, self.now));
            self.last_failed = false;
            self.scheduled = self.now + Duration::from_secs(270);
        }
    }

    fn fail(&mut self) {
        let Some(open) = self.endpoint.script.lock().unwrap().open.take() else { return };
        drop(open);
        self.failed();
    }

    fn failed(&mut self) {
        self.last_failed = true;
        self.scheduled = self.now + Duration::from_millis(750);
    }

    /// Publishes another key, and withdraws one as often: one or two at a time.
    fn replace(&mut self) {
        let new = self.random.below(self.issuers.len() - 1);
        self.published.entry(new).or_insert(self.now);
        if self.published.len() > 2 || self.random.below(2) == 0 {
            let old = *self.published.keys().find(|old| **old != new).unwrap_or(&new);
            if old != new {
                self.published.remove(&old);
            }
        }
    }

    async fn advance(&mut self, most: Duration) {
        let by = Duration::from_millis(1 + self.random.below(most.as_millis() as usize) as u64);
        self.now += by;
        self.clock.advance(by);
        tokio::time::advance(by).await;
    }

    /// Lets everything happen that can happen without a further step, and judges it.
    async fn settle(&mut self) {
        for _ in 0..12 {
            tokio::task::yield_now().await;
            self.note_attempts();
            self.collect();
        }
        let under_way = {
            let script = self.endpoint.script.lock().unwrap();
            script.open.as_ref().is_some_and(|open| !open.is_closed())
        };
        assert!(under_way || self.asked.is_empty(), "{} wait for ever", self.asked.len());
    }

    /// Notes attempts that began or were given up for their timeout.
    fn note_attempts(&mut self) {
        let (begun, given_up) = {
            let mut script = self.endpoint.script.lock().unwrap();
            let given_up = script.open.take_if(|open| open.is_closed()).is_some();
            (script.begun, given_up)
        };
        if given_up {
            self.failed();
        }
        if begun == self.seen {
            return;
        }
        self.seen = begun;
        let usable = |at: Duration| self.now - at < Duration::from_secs(86_400);
        let cold = self.fetched.as_ref().is_none_or(|(_, at)| !usable(*at));
        if self.now >= self.scheduled || (cold && !self.last_failed) {
            self.last_for_either = Some(self.now);
            return;
        }
        // Ahead of the schedule: only a token can have caused it.
        assert!(!self.last_failed, "a token caused a fetch while fetches fail");
        let early = self.last_for_miss.is_some_and(|last| self.now < last + COOL_DOWN);
        assert!(!early, "two fetches for tokens within a cool-down");
        self.last_for_miss = Some(self.now);
    }

    fn collect(&mut self) {
        let mut waiting = Vec::new();
        for mut asked in std::mem::take(&mut self.asked) {
            match asked.verdict.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Pending => waiting.push(asked),
                Poll::Ready(verdict) => {
                    // It may have begun an attempt in the same breath.
                    self.note_attempts();
                    self.judge(&asked, verdict.map(|_| ()).map_err(|error| error.kind()));
                }
            }
        }
        self.asked = waiting;
    }

    fn judge(&mut self, asked: &Asked, verdict: Result<(), AuthErrorKind>) {
        let known = self.fetched.as_ref().is_some_and(|(listed, _)| listed.contains(&asked.issuer));
        let word = match verdict {
            Ok(()) => {
                assert!(known, "a token passes whose key is in no document");
                "passed"
            }
            Err(AuthErrorKind::BadSignature | AuthErrorKind::UnknownKey) => {
                assert!(!known, "a token is refused whose key is at hand");
                assert!(!self.last_failed, "401 although nobody can tell");
                let since = self.published.get(&asked.issuer);
                if since.is_some_and(|since| *since <= asked.came) {
                    // It is genuine, so it must have had no fetch that could tell.
                    assert_eq!(self.seen, asked.begun, "an attempt began after it came");
                    let recent = |at: Duration| self.now < at + COOL_DOWN;
                    let spent = self.last_for_miss.is_some_and(recent)
                        || self.last_for_either.is_some_and(recent);
                    assert!(spent, "401 while a fetch was to be had");
                    "refused in the cool-down"
                } else {
                    "refused"
                }
            }
            Err(AuthErrorKind::KeysUnavailable) => {
                assert!(self.last_failed, "503 although the last fetch succeeded");
                assert!(!known, "503 although its key is at hand");
                "unavailable"
            }
            Err(other) => panic!("{other:?}"),
        };
        *self.answered.entry(word).or_default() += 1;
    }
}

/// SplitMix64: the same steps for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % limit as u64) as usize
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap()
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect(name))
}

#[test]
fn fault_k1_k2_k5_the_key_engine_does_what_a_plain_model_says() {
    // Four genuine keys, three of which have one kid, and a forger who is never published.
    let first = issuer();
    let mut issuers = vec![first.clone()];
    issuers.extend([first.kid(), first.kid(), "ins_2", first.kid()].map(|kid| first.rotated(kid)));
    let tokens: Vec<_> = issuers
        .iter()
        .map(|issuer| issuer.token("user_1").claim("exp", 4_000_000_000_u64).mint())
        .collect();
    let (steps, first_seed) = (number("MODEL_STEPS", 10_000), number("MODEL_SEED", 1));
    const STEPS_OF_A_WORLD: u64 = 500;
    let mut answered = HashMap::new();
    for seed in first_seed..first_seed + steps.div_ceil(STEPS_OF_A_WORLD) {
        let _seed = Noted(seed);
        let mut world = World::new(&issuers, seed);
        let mut current = runtime();
        for step in 0..STEPS_OF_A_WORLD {
            current.block_on(world.step(&tokens));
            if step % 100 == 99 {
                // The runtime ends, with an attempt under way or not.
                drop(std::mem::replace(&mut current, runtime()));
                current.block_on(world.settle());
            }
        }
        for (word, count) in world.answered {
            *answered.entry(word).or_insert(0) += count;
        }
    }
    // The walk went everywhere.
    for word in ["passed", "refused", "refused in the cool-down", "unavailable"] {
        assert!(answered.get(word).is_some_and(|count| *count > 10), "{word}: {answered:?}");
    }
}

/// Names the seed if a step panics.
struct Noted(u64);

impl Drop for Noted {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("MODEL_SEED={} repeats this", self.0);
        }
    }
}
