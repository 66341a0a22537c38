//! Questions about opaque tokens: what is remembered of the answers, and what is asked once for all who wait.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{SHA256, digest};
use moka::sync::Cache;
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::answer::{Meaning, PAUSE, meaning};
use super::introspect::{Ask, Introspect, IntrospectError, Question};
use super::limits::Limits;
use super::principal::{MachineKind, Principal};
use crate::clock::{Clock, SystemClock};
use crate::meter::count;
use crate::sampling::Samples;
use crate::session::error::{AuthError, AuthErrorKind};
use crate::session::window::milliseconds;
use crate::trace::event;

/// The questions of a server about opaque tokens: it asks Clerk, and remembers the answers for a while.
///
/// Clones share everything, so one serves all layers of a server: the limits are those of the server. At most
/// 16 questions are under way and 50 begin in a second, with a test key 5; a request beyond that is refused
/// with 503. A good answer is remembered for 30 s, which is how long a token that was revoked at Clerk may
/// still pass, and never beyond the token's own end; a bad one for 10 s, apart from the good ones, so that a
/// flood of bad tokens forgets no good one. Tokens are remembered by their SHA-256 alone.
///
/// Needs a tokio runtime with time.
#[derive(Clone)]
pub struct Introspection {
    shared: Arc<Shared>,
}

struct Shared {
    ask: Box<dyn Ask>,
    clock: Arc<dyn Clock>,
    remembered_for: Duration,
    good: Cache<Hash, Arc<Known>>,
    /// Until when each counts.
    bad: Cache<Hash, Instant>,
    under_way: Mutex<UnderWay>,
    failures: Samples<MachineKind>,
}

struct UnderWay {
    questions: HashMap<Hash, watch::Receiver<Option<Outcome>>>,
    limits: Limits,
}

/// A token by its SHA-256.
pub(super) type Hash = [u8; 32];

/// The outcome of a question: a caller, or why the request is refused.
pub(super) type Outcome = Result<Arc<Known>, AuthError>;

/// A good answer.
pub(super) struct Known {
    pub(super) principal: Principal,
    /// When it was given, by Clerk's clock, in milliseconds since 1970.
    #[cfg_attr(not(feature = "lockouts"), expect(dead_code, reason = "only lock-outs compare it"))]
    pub(super) answered_at: Option<i64>,
    counts_until: Instant,
    ends_at: Option<i64>,
}

/// A builder for [`Introspection`].
#[must_use = "a builder does nothing until `build`"]
pub struct IntrospectionBuilder {
    ask: Box<dyn Ask>,
    clock: Arc<dyn Clock>,
    remembered_for: Duration,
    each_second: usize,
}

impl Introspection {
    /// Returns a builder for questions that are asked in this way.
    pub fn builder(introspect: impl Introspect) -> IntrospectionBuilder {
        IntrospectionBuilder {
            ask: Box::new(introspect),
            clock: Arc::new(SystemClock::new()),
            remembered_for: REMEMBERED,
            each_second: MOST,
        }
    }

    /// Returns what is remembered of a token, if that still counts.
    pub(super) fn known(&self, hash: &Hash) -> Option<Outcome> {
        self.shared.known(hash)
    }

    /// Forgets a good answer.
    #[cfg(feature = "lockouts")]
    pub(super) fn forget(&self, hash: &Hash) {
        self.shared.good.invalidate(hash);
    }

    /// Asks about a token, or waits for the answer if somebody has asked already.
    pub(super) async fn ask(&self, kind: MachineKind, token: String) -> Outcome {
        let mut answered = match self.shared.begin(kind, token) {
            Begun::Answered(outcome) => return outcome,
            Begun::UnderWay(answered) => answered,
        };
        match answered.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(outcome)) => outcome.clone(),
            // The question ended without an answer: whoever was to send it panicked, or the runtime ends.
            Ok(None) | Err(_) => Err(AuthError::introspection_unavailable(PAUSE, None)),
        }
    }
}

/// Returns the name under which a token is remembered.
pub(super) fn hash(token: &str) -> Hash {
    let mut hash = Hash::default();
    hash.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
    hash
}

enum Begun {
    Answered(Outcome),
    UnderWay(watch::Receiver<Option<Outcome>>),
}

impl Shared {
    fn known(&self, hash: &Hash) -> Option<Outcome> {
        let now = self.clock.monotonic();
        if let Some(known) = self.good.get(hash) {
            let is_over = known.ends_at.is_some_and(|end| end <= milliseconds(self.clock.now()));
            if now < known.counts_until && !is_over {
                return Some(Ok(known));
            }
            self.good.invalidate(hash);
        }
        let until = self.bad.get(hash)?;
        (now < until).then(|| Err(AuthErrorKind::InactiveToken.into()))
    }

    /// Joins the question about a token, or begins one on a task of its own, so that a client who goes away
    /// ends it for nobody.
    fn begin(self: &Arc<Self>, kind: MachineKind, token: String) -> Begun {
        let hash = hash(&token);
        let answered = {
            let mut under_way = self.under_way();
            if let Some(question) = under_way.questions.get(&hash) {
                return Begun::UnderWay(question.clone());
            }
            // What was remembered before the question's end was noted here.
            if let Some(outcome) = self.known(&hash) {
                return Begun::Answered(outcome);
            }
            let count = under_way.questions.len();
            if !under_way.limits.begin(count, self.clock.monotonic()) {
                count!("clerk_introspections_total", "kind" => kind.as_str(), "outcome" => "limited");
                return Begun::Answered(Err(AuthError::introspection_unavailable(PAUSE, None)));
            }
            let (sender, answered) = watch::channel(None);
            under_way.questions.insert(hash, answered.clone());
            (sender, answered)
        };
        let (sender, answered) = answered;
        // Not under the lock: a runtime that shuts down drops the task at once.
        let ends = Ends { shared: Arc::clone(self), hash };
        let Ok(runtime) = Handle::try_current() else {
            event!(error, "a token cannot be asked about: no tokio runtime is running here");
            return Begun::Answered(Err(AuthError::introspection_unavailable(PAUSE, None)));
        };
        runtime.spawn(async move {
            let outcome = ends.shared.question(kind, &token, &hash).await;
            // Whoever comes from now on finds what is remembered, or asks anew.
            drop(ends);
            sender.send_replace(Some(outcome));
        });
        Begun::UnderWay(answered)
    }

    async fn question(&self, kind: MachineKind, token: &str, hash: &Hash) -> Outcome {
        let asked = tokio::time::timeout(LIMIT, self.ask.ask(Question::new(kind, token))).await;
        let meaning = match asked {
            Ok(Ok(answer)) => {
                let answered_at = answer.answered_at.map(milliseconds);
                let meaning = meaning(kind, &answer, milliseconds(self.clock.now()));
                return self.note(kind, hash, meaning, answered_at);
            }
            Ok(Err(error)) => Meaning::Unknown(error, PAUSE),
            Err(_) => Meaning::Unknown(
                IntrospectError::new("Clerk does not answer a question about a token within 5 s"),
                PAUSE,
            ),
        };
        self.note(kind, hash, meaning, None)
    }

    /// Remembers what an answer means, unless it says nothing of the token.
    fn note(
        &self,
        kind: MachineKind,
        hash: &Hash,
        meaning: Meaning,
        answered_at: Option<i64>,
    ) -> Outcome {
        let now = self.clock.monotonic();
        let (_outcome, noted) = match meaning {
            Meaning::Good(principal, ends_at) => {
                let counts_until = now + self.remembered_for;
                let known = Arc::new(Known { principal, answered_at, counts_until, ends_at });
                if !self.remembered_for.is_zero() {
                    self.good.insert(*hash, Arc::clone(&known));
                }
                ("good", Ok(known))
            }
            Meaning::Bad => {
                self.bad.insert(*hash, now + REMEMBERED_AS_BAD);
                ("bad", Err(AuthErrorKind::InactiveToken.into()))
            }
            Meaning::Unknown(error, pause) => {
                if let Some(_left_out) = self.failures.left_out_before(kind, now) {
                    event!(
                        error,
                        kind = kind.as_str(),
                        left_out = _left_out,
                        "a token could not be asked about: {error}"
                    );
                }
                let error = AuthError::introspection_unavailable(pause, Some(Arc::new(error)));
                ("failed", Err(error))
            }
        };
        count!("clerk_introspections_total", "kind" => kind.as_str(), "outcome" => _outcome);
        noted
    }

    fn under_way(&self) -> MutexGuard<'_, UnderWay> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The end of a question, however it ended.
struct Ends {
    shared: Arc<Shared>,
    hash: Hash,
}

impl Drop for Ends {
    fn drop(&mut self) {
        self.shared.under_way().questions.remove(&self.hash);
    }
}

impl IntrospectionBuilder {
    /// Sets how long a good answer is remembered; default: 30 s. With zero Clerk is asked about each request.
    pub fn remember_for(self, time: Duration) -> Self {
        Self { remembered_for: time.min(LONGEST), ..self }
    }

    /// Limits the questions to 5 a second instead of 50, as for an instance whose secret key is a test key.
    pub fn for_test_key(self) -> Self {
        Self { each_second: MOST_OF_TEST_KEY, ..self }
    }

    /// Sets the clock; default: the system's.
    pub fn clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self }
    }

    /// Builds it.
    #[must_use]
    pub fn build(self) -> Introspection {
        let Self { ask, clock, remembered_for, each_second } = self;
        let shared = Shared {
            ask,
            clock,
            remembered_for,
            good: cache(remembered_for),
            bad: cache(REMEMBERED_AS_BAD),
            under_way: Mutex::new(UnderWay {
                questions: HashMap::new(),
                limits: Limits::new(each_second),
            }),
            failures: Samples::default(),
        };
        Introspection { shared: Arc::new(shared) }
    }
}

/// Returns a store of answers, which frees the memory of old ones. Whether an answer counts is decided by the
/// clock when it is found.
fn cache<V: Clone + Send + Sync + 'static>(time: Duration) -> Cache<Hash, V> {
    Cache::builder()
        .max_capacity(MOST_REMEMBERED)
        .time_to_live(time + Duration::from_secs(1))
        .build()
}

impl fmt::Debug for Introspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Introspection")
    }
}

impl fmt::Debug for IntrospectionBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IntrospectionBuilder")
    }
}

const REMEMBERED: Duration = Duration::from_secs(30);
const REMEMBERED_AS_BAD: Duration = Duration::from_secs(10);
/// The longest time that may be set: nobody wants a revoked token to pass for longer.
const LONGEST: Duration = Duration::from_secs(300);

/// The longest time for an answer.
const LIMIT: Duration = Duration::from_secs(5);

const MOST: usize = 50;
const MOST_OF_TEST_KEY: usize = 5;

const MOST_REMEMBERED: u64 = 10_000;
