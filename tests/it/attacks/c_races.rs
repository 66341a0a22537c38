//! A named test for each race over what the key source's clones, task and waiters share, and for
//! what remains of it when they go.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tower_clerk::session::keys::{
    Fetch, FetchError, FetchFuture, Fetched, KeySource, Lookup, MissingKey, RemoteKeys,
};
use tower_clerk::session::{AuthErrorKind, Verifier};
use tower_clerk::test_util::{Issuer, ManualClock};

use crate::keys::remote::{outcome, remote, verifier};
use crate::support::servers::{Answer, JwksServer, eventually, issuer, within};

/// A document that comes when the test lets it.
#[derive(Clone)]
struct Gated {
    script: Arc<Script>,
}

struct Script {
    document: String,
    started: watch::Sender<usize>,
    dropped: AtomicUsize,
    let_go: Semaphore,
}

impl Gated {
    fn new(issuer: &Issuer) -> Self {
        let document = issuer.jwks().to_string();
        let (started, dropped) = (watch::Sender::new(0), AtomicUsize::new(0));
        Self { script: Arc::new(Script { document, started, dropped, let_go: Semaphore::new(0) }) }
    }

    fn started(&self) -> usize {
        *self.script.started.borrow()
    }

    async fn has_started(&self, attempts: usize) {
        let mut started = self.script.started.subscribe();
        within(async { started.wait_for(|n| *n >= attempts).await.unwrap().to_owned() }).await;
    }

    fn let_go(&self, attempts: usize) {
        self.script.let_go.add_permits(attempts);
    }
}

struct Noted(Arc<Script>);

impl Drop for Noted {
    fn drop(&mut self) {
        self.0.dropped.fetch_add(1, Ordering::SeqCst);
    }
}

impl Fetch for Gated {
    fn fetch(&self) -> FetchFuture<'_> {
        Box::pin(async {
            let _noted = Noted(self.script.clone());
            self.script.started.send_modify(|n| *n += 1);
            self.script.let_go.acquire().await.unwrap().forget();
            Ok(Fetched::new(self.script.document.clone()))
        })
    }
}

fn gated() -> (Issuer, Gated, Arc<ManualClock>, RemoteKeys) {
    let issuer = issuer();
    let (fetch, clock, keys) = gated_by(&issuer);
    (issuer, fetch, clock, keys)
}

fn gated_by(issuer: &Issuer) -> (Gated, Arc<ManualClock>, RemoteKeys) {
    let (fetch, clock) = (Gated::new(issuer), Arc::new(ManualClock::new()));
    let keys = RemoteKeys::new(fetch.clone()).clock(clock.clone());
    (fetch, clock, keys)
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

#[tokio::test]
async fn c12_all_waiters_may_go_away_and_the_keys_still_come() {
    let (issuer, fetch, _clock, keys) = gated();
    let Lookup::Pending(waiting) = keys.lookup(Some("ins_1")) else { panic!("nothing is known") };
    fetch.has_started(1).await;
    drop(waiting);
    fetch.let_go(1);
    eventually(async || matches!(keys.lookup(Some("ins_1")), Lookup::Known(_))).await;
    assert_eq!(outcome(&verifier(&keys), &issuer).await, Ok(()));
    assert_eq!(fetch.started(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn race_a_lookup_and_the_end_of_an_attempt() {
    let issuer = issuer();
    for _ in 0..200 {
        let (fetch, _clock, keys) = gated_by(&issuer);
        drop(keys.lookup(Some("ins_1")));
        fetch.has_started(1).await;
        let runtime = tokio::runtime::Handle::current();
        // Asking without a pause, so that some ask at the very moment.
        let askers: Vec<_> = (0..3)
            .map(|_| {
                let (keys, runtime) = (keys.clone(), runtime.clone());
                std::thread::spawn(move || {
                    let _entered = runtime.enter();
                    loop {
                        match keys.lookup(Some("ins_1")) {
                            Lookup::Known(_) => return,
                            Lookup::Pending(_) => {}
                            other => panic!("however the two fall, not {other:?}"),
                        }
                    }
                })
            })
            .collect();
        fetch.let_go(1);
        eventually(async || askers.iter().all(std::thread::JoinHandle::is_finished)).await;
        for asker in askers {
            asker.join().unwrap();
        }
        assert_eq!(fetch.started(), 1, "nor is it taken for a kid to be looked for");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn race_warming_up_and_the_end_of_an_attempt() {
    let issuer = issuer();
    for _ in 0..300 {
        let (fetch, _clock, keys) = gated_by(&issuer);
        let warm = |keys: RemoteKeys| tokio::spawn(async move { keys.warm_up().await });
        let first = warm(keys.clone());
        fetch.has_started(1).await;
        let some: Vec<_> = (0..4).map(|_| warm(keys.clone())).collect();
        fetch.let_go(1);
        for warmed in some.into_iter().chain([first, warm(keys.clone())]) {
            assert_eq!(within(warmed).await.unwrap(), Ok(()));
        }
        assert_eq!(fetch.started(), 1, "and the cool-down for kids is not used up");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn race_many_lookups_that_find_the_keys_overdue() {
    let (_issuer, fetch, clock, keys) = gated();
    fetch.let_go(1);
    within(keys.warm_up()).await.unwrap();
    for round in 1..=100 {
        clock.advance(Duration::from_secs(331));
        let lookups: Vec<_> = (0..16)
            .map(|_| {
                let keys = keys.clone();
                tokio::spawn(async move { matches!(keys.lookup(Some("ins_1")), Lookup::Known(_)) })
            })
            .collect();
        for lookup in lookups {
            assert!(lookup.await.unwrap(), "what is at hand is given");
        }
        fetch.has_started(2 * round).await;
        // A kid that waits for the attempt and for one of its own, so that the round is over.
        let Lookup::Pending(waiting) = keys.lookup(Some("stray")) else { panic!("it is held") };
        fetch.let_go(2);
        assert_eq!(within(waiting).await.err(), Some(MissingKey::Unknown));
        assert_eq!(fetch.started(), 1 + 2 * round, "one for the lookups, one for the stray");
    }
}

#[tokio::test(start_paused = true)]
async fn race_a_lookup_and_the_tasks_own_timer() {
    // Both find the second attempt due: the timer by tokio's clock, the lookup by the source's.
    let (_issuer, fetch, clock, keys) = gated();
    fetch.let_go(1);
    keys.warm_up().await.unwrap();
    for round in 1..=50 {
        let due = Duration::from_secs(331);
        clock.advance(due);
        if round % 2 == 0 {
            tokio::time::advance(due).await;
        }
        assert!(matches!(keys.lookup(Some("ins_1")), Lookup::Known(_)));
        if round % 2 == 1 {
            tokio::time::advance(due).await;
        }
        fetch.has_started(1 + round).await;
        fetch.let_go(1);
        eventually(async || fetch.script.dropped.load(Ordering::SeqCst) == 1 + round).await;
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        assert_eq!(fetch.started(), 1 + round, "one attempt, not one each");
    }
}

#[tokio::test]
async fn race_dropping_the_last_handle_and_a_fetch() {
    let (_issuer, fetch, _clock, keys) = gated();
    let Lookup::Pending(waiting) = keys.lookup(Some("ins_1")) else { panic!("nothing is known") };
    fetch.has_started(1).await;
    let clone = keys.clone();
    drop(keys);
    assert_eq!(fetch.script.dropped.load(Ordering::SeqCst), 0, "a clone is left");
    drop(clone);
    eventually(async || fetch.script.dropped.load(Ordering::SeqCst) == 1).await;
    let missing = within(waiting).await.err().unwrap();
    assert!(matches!(missing, MissingKey::Unavailable { .. }), "who waits is told");
    // What the task had is gone: the fetch is the test's alone.
    eventually(async || Arc::strong_count(&fetch.script) == 1).await;
}

#[test]
fn a_lookup_without_a_runtime_or_on_one_that_has_ended_is_refused_and_uses_nothing_up() {
    let (issuer, fetch, _clock, keys) = gated();
    let unavailable = |lookup: Lookup| match lookup {
        Lookup::Missing(MissingKey::Unavailable { .. }) => true,
        Lookup::Pending(pending) => {
            let mut context = Context::from_waker(Waker::noop());
            let answer = pin!(pending).poll(&mut context);
            matches!(answer, Poll::Ready(Err(MissingKey::Unavailable { .. })))
        }
        _ => false,
    };
    assert!(unavailable(keys.lookup(Some("ins_1"))));
    let ended = runtime();
    let handle = ended.handle().clone();
    drop(ended);
    let entered = handle.enter();
    assert!(unavailable(keys.lookup(Some("ins_1"))), "and does not wait for its own lock");
    drop(entered);
    drop(keys);

    let keys = RemoteKeys::new(fetch.clone());
    assert!(unavailable(keys.lookup(Some("ins_1"))));
    fetch.let_go(1);
    assert_eq!(runtime().block_on(outcome(&verifier(&keys), &issuer)), Ok(()));
    assert_eq!(fetch.started(), 1);
}

#[test]
fn an_attempt_on_a_runtime_that_stands_still_is_made_again_on_one_that_runs() {
    let (issuer, fetch, clock, keys) = gated();
    let verifier = verifier(&keys);
    let (still, runs) = (runtime(), runtime());
    // Begun, and then nobody drives its runtime any more.
    let lookup = still.block_on(async {
        let lookup = keys.lookup(Some("ins_1"));
        fetch.has_started(1).await;
        lookup
    });
    clock.advance(Duration::from_secs(10));
    // One for each of the two: they are given in turn.
    fetch.let_go(2);
    runs.block_on(async {
        assert_eq!(outcome(&verifier, &issuer).await, Ok(()));
        let Lookup::Pending(waited) = lookup else { panic!("nothing is known") };
        assert!(within(waited).await.is_ok(), "who waited is answered too");
        // The same for a refresh that is due while the task sleeps there.
        clock.advance(Duration::from_secs(331));
        assert_eq!(outcome(&verifier, &issuer).await, Ok(()));
        fetch.has_started(3).await;
    });
    // Should it move again, its word does not count.
    fetch.let_go(2);
    still.block_on(async { tokio::task::yield_now().await });
    assert_eq!(runs.block_on(outcome(&verifier, &issuer)), Ok(()));
}

/// Panics at its first attempts, and brings nothing after that.
#[derive(Default)]
struct Panicking {
    attempts: Arc<AtomicUsize>,
}

impl Fetch for Panicking {
    fn fetch(&self) -> FetchFuture<'_> {
        assert!(self.attempts.fetch_add(1, Ordering::SeqCst) > 0, "as scripted");
        Box::pin(async { Err(FetchError::new("as scripted")) })
    }
}

#[tokio::test]
async fn a_fetch_that_panics_is_a_failure_with_its_pause() {
    let attempts = Arc::<AtomicUsize>::default();
    let clock = Arc::new(ManualClock::new());
    let keys = RemoteKeys::new(Panicking { attempts: attempts.clone() }).clock(clock.clone());
    let verifier = verifier(&keys);
    let token = issuer().token("user_1").mint();
    for _ in 0..50 {
        let error = within(verifier.verify(&token)).await.unwrap_err();
        assert_eq!(error.kind(), AuthErrorKind::KeysUnavailable);
    }
    assert_eq!(attempts.load(Ordering::SeqCst), 1);
    clock.advance(Duration::from_secs(2));
    assert!(within(verifier.verify(&token)).await.is_err());
    assert_eq!(attempts.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn c29_the_last_handle_takes_its_fetch_along() {
    let issuer = issuer();
    let server = JwksServer::start(Answer::jwks(&issuer).held()).await;
    let verifier: Verifier = remote(&server);
    let token = issuer.token("user_1").mint();
    let request = tokio::spawn({
        let verifier = verifier.clone();
        async move { verifier.verify(&token).await }
    });
    server.saw(1).await;
    drop(verifier);
    request.abort();
    assert!(request.await.unwrap_err().is_cancelled());
    server.was_left_by(1).await;
}

#[test]
fn c29_a_fetch_that_hangs_does_not_keep_a_runtime_from_ending() {
    let servers = runtime();
    let issuer = issuer();
    let server = servers.block_on(JwksServer::start(Answer::jwks(&issuer).held()));
    let ended = std::thread::spawn({
        let url = server.url();
        move || {
            let keys = RemoteKeys::from_url(&url).unwrap();
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()
                .unwrap();
            let lookup = runtime.block_on(async { keys.lookup(Some("ins_1")) });
            drop(runtime);
            let Lookup::Pending(waiting) = lookup else { panic!("nothing is known") };
            let answer = pin!(waiting).poll(&mut Context::from_waker(Waker::noop()));
            assert!(matches!(answer, Poll::Ready(Err(MissingKey::Unavailable { .. }))));
        }
    });
    servers.block_on(eventually(async || ended.is_finished()));
    ended.join().unwrap();
}
