//! The cost of the layer per request compared with a bare service: without a cached token and with
//! one, one token and ten thousand, one thread and two, and refused requests.
//!
//! Each thread owns the bytes of its headers and builds its own requests, a few at a time right
//! before it sends them, so that the threads share only what the layer shares.
#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a benchmark prints its results and stops on errors"
)]

mod support;

use std::convert::Infallible;
use std::hint::black_box;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Barrier};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::header::AUTHORIZATION;
use http::{HeaderValue, Request, Response, Uri};
use http_body_util::BodyExt;
use moka::sync::Cache;
use tower::{Layer, Service, ServiceExt};
use tower_clerk::session::keys::RemoteKeys;
use tower_clerk::session::{ClerkAuth, ClerkAuthLayer, Session, StaticKeys, Verifier};
use tower_clerk::test_util::Issuer;

use support::service::{Bare, at_once, bearer, call, request};
use support::turns::{Done, Limit, Turns, batches};
use support::{parsed_key, signed_parts};

const ISS: &str = "https://clerk.example.com";
const PARTY: &str = "https://app.example.com";
const USER: &str = "user_2g7np7Hrk0SN6kj5EDM00000000";
const MANY: usize = 10_000;
const THREADS: usize = 2;

fn main() {
    for (group, measure) in [("layer", layer as fn()), ("router", router), ("threads", threads)] {
        if support::wanted(group) {
            measure();
        }
    }
}

fn layer() {
    let issuer = Issuer::new(ISS, "ins_1");
    let [cold, remembering] = verifiers(&issuer).map(|verifier| mount(&verifier));
    let tokens = tokens(&issuer);
    let many: Vec<HeaderValue> = tokens.iter().map(|token| bearer(token)).collect();
    many.iter().for_each(|header| call(&mut remembering.clone(), request(header), true));
    let good = &tokens[0];

    let key = parsed_key(&issuer.jwk());
    let (signed, signature) = signed_parts(good);
    let (store_of_one, store) = (raw_moka([good]), raw_moka(&tokens));

    let mut turns = Turns::new("layer");
    turns.case(RAW, || key.verify_sig(black_box(signed), black_box(&signature)));
    one(&mut turns, "bare", Bare, bearer(good), true);
    one(&mut turns, "cold", cold.clone(), bearer(good), true);
    one(&mut turns, "hit", remembering.clone(), bearer(good), true);
    turns.case("moka get", || store_of_one.get(black_box(good.as_bytes())));

    each(&mut turns, "bare of 10000", Bare, &many);
    each(&mut turns, "hit of 10000", remembering, &many);
    let mut next = tokens.iter().cycle();
    turns.batched(
        "moka get of 10000",
        move || next.next().expect("endless").as_bytes(),
        |token| store.get(token),
    );

    let expired = issuer.token("user_1").claim("azp", PARTY).claim("exp", 1_600_000_000).mint();
    let elsewhere = issuer.token("user_1").claim("azp", "https://evil.example.com");
    let elsewhere = elsewhere.claim("exp", FAR).mint();
    let (rest, _) = good.rsplit_once('.').expect("three parts");
    let (_, other) = tokens[1].rsplit_once('.').expect("three parts");
    let forged = format!("{rest}.{other}");
    for (name, token) in [
        ("expired", expired.as_str()),
        ("wrong azp", &elsewhere),
        ("bad signature", &forged),
        ("garbage", &"x.y.z".repeat(180)),
    ] {
        one(&mut turns, name, cold.clone(), bearer(token), false);
    }
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let unknown = bearer(&Issuer::new(ISS, "ins_other").token("user_1").mint());
    let remote = runtime.block_on(after_a_fetch(&issuer, &unknown));
    let _inside = runtime.enter();
    one(&mut turns, "unknown kid", remote, unknown, false);

    let figures = turns.take();
    figures.beyond("cold", "bare", RAW, Limit::AtMost(1.15));
    figures.beyond("hit", "bare", "moka get", Limit::AtMost(2.0));
    figures.line("hit, without bare", "cold, without bare", Limit::AtMost(1.0 / 40.0), |round| {
        ["hit", "cold"].map(|name| round.of(name) - round.of("bare"))
    });
    let (hit, bare, moka) = ("hit of 10000", "bare of 10000", "moka get of 10000");
    figures.beyond(hit, bare, moka, Limit::None);
    figures.beside("expired", "cold", Limit::AtMost(1.05));
    figures.beside("wrong azp", "cold", Limit::AtMost(1.05));
    figures.beside("bad signature", "cold", Limit::None);
    figures.beside("garbage", RAW, Limit::AtMost(1.0 / 15.0));
    figures.beside("unknown kid", RAW, Limit::AtMost(1.0 / 8.0));
}

/// Measures the same through an axum router, whose handler answers with the user's id: including
/// the body, without a socket.
fn router() {
    let issuer = Issuer::new(ISS, "ins_1");
    let header = bearer(&token(&issuer, 0));
    // Both handlers allocate the text of their answers.
    let bare = Router::new().route("/me", get(async || USER.to_owned()));
    let me = async |session: Session| session.user_id().to_owned();
    let [cold, remembering] = verifiers(&issuer)
        .map(|verifier| Router::new().route("/me", get(me)).layer(ClerkAuthLayer::new(verifier)));

    let mut turns = Turns::new("router");
    for (name, router) in [("router", bare), ("router, cold", cold), ("router, hit", remembering)] {
        let header = header.clone();
        let make = move || {
            let mut request = Request::new(Body::empty());
            *request.uri_mut() = Uri::from_static("/me");
            request.headers_mut().insert(AUTHORIZATION, header.clone());
            request
        };
        turns.batched(name, make, move |request| {
            let response = at_once(router.clone().oneshot(request)).expect("an answer");
            assert!(response.status().is_success());
            let body = at_once(response.into_body().collect()).expect("a body").to_bytes();
            assert_eq!(body, USER);
        });
    }
    let figures = turns.take();
    figures.beside("router, hit", "router", Limit::None);
    figures.beside("router, cold", "router", Limit::None);
}

// --- threads ------------------------------------------------------------------------------------

/// Measures how much more two threads do than one.
fn threads() {
    let issuer = Issuer::new(ISS, "ins_1");
    let [cold, mut remembering] = verifiers(&issuer).map(|verifier| mount(&verifier));
    let tokens = tokens(&issuer);
    tokens.iter().for_each(|token| call(&mut remembering, request(&bearer(token)), true));
    let shared = Shared { cold, remembering, store: raw_moka(&tokens), tokens };
    let names = ["cold", "hits of one", "hits of 10000", "moka get of 10000"];

    std::thread::scope(|scope| {
        let members: Vec<Member> = (0..THREADS)
            .map(|part| {
                let ((jobs, given), (results, done)) = (channel::<Job>(), channel());
                let shared = &shared;
                scope.spawn(move || {
                    let mut works = shared.works(part);
                    for Job { case, turn, start } in given {
                        start.wait();
                        results.send(works[case](turn)).expect("somebody waits");
                    }
                });
                Member { jobs, done }
            })
            .collect();
        let mut turns = Turns::new("threads");
        for (case, name) in names.into_iter().enumerate() {
            for count in 1..=THREADS {
                let members = &members[..count];
                turns.timed(&with(name, count), move |turn| together(members, case, turn * 5));
            }
        }
        let figures = turns.take();
        let [cold, hit, hits, moka] = names.map(|name| [with(name, 1), with(name, THREADS)]);
        let gain = |[alone, both]: &[String; 2], limit| figures.rate(both, alone, limit);
        gain(&cold, Limit::AtLeast(1.7));
        [&hit, &hits, &moka].into_iter().for_each(|names| gain(names, Limit::None));
        let label = "the gain of two threads, hits of 10000";
        figures.ratio(label, "", "moka get of 10000", Limit::AtLeast(0.9), |round| {
            let gain = |[alone, both]: &[String; 2]| round.of(alone) / round.of(both);
            gain(&hits) / gain(&moka)
        });
    });
}

fn with(name: &str, threads: usize) -> String {
    let threads = if threads == 1 { "one thread" } else { "two threads" };
    format!("{name}, {threads}")
}

/// The state that the threads share, like the threads of one server.
struct Shared {
    cold: ClerkAuth<Bare>,
    remembering: ClerkAuth<Bare>,
    store: Moka,
    tokens: Vec<String>,
}

/// The work of a thread in one turn.
type Work = Box<dyn FnMut(Duration) -> Done>;

impl Shared {
    /// Returns the work of one thread, and is called on that thread: headers and requests are its
    /// own, and its services are clones, like those of a connection.
    fn works(&self, part: usize) -> [Work; 4] {
        // The threads use the same tokens and start at different places.
        let many = || {
            let headers: Vec<_> = self.tokens.iter().map(|token| bearer(token)).collect();
            let mut next = (0..MANY).cycle().skip(part * MANY / THREADS);
            move || request(&headers[next.next().expect("endless")])
        };
        let one = || {
            let header = bearer(&self.tokens[0]);
            move || request(&header)
        };
        let store = self.store.clone();
        [
            work(one(), self.cold.clone()),
            work(one(), self.remembering.clone()),
            work(many(), self.remembering.clone()),
            work(many(), Find { store, inner: Bare }),
        ]
    }
}

fn work<S, B>(mut make: impl FnMut() -> Request<()> + 'static, mut service: S) -> Work
where
    S: Service<Request<()>, Response = Response<B>, Error = Infallible> + 'static,
{
    Box::new(move |turn| batches(turn, &mut make, |request| call(&mut service, request, true)))
}

/// A service that looks up the token in a store, and calls the inner service with the same request.
struct Find {
    store: Moka,
    inner: Bare,
}

impl Service<Request<()>> for Find {
    type Response = Response<()>;
    type Error = Infallible;
    type Future = <Bare as Service<Request<()>>>::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        <Bare as Service<Request<()>>>::poll_ready(&mut self.inner, context)
    }

    fn call(&mut self, request: Request<()>) -> Self::Future {
        let header = request.headers().get(AUTHORIZATION).map(HeaderValue::as_bytes);
        let token = header.and_then(|header| header.strip_prefix(b"Bearer ")).expect("a token");
        drop(black_box(self.store.get(token).expect("it is there")));
        self.inner.call(request)
    }
}

/// A thread that waits for work.
struct Member {
    jobs: Sender<Job>,
    done: Receiver<Done>,
}

struct Job {
    case: usize,
    turn: Duration,
    start: Arc<Barrier>,
}

/// Runs a case on these threads for `turn`. Returns the nanoseconds per call of all threads
/// together, including the making of requests.
///
/// The time is measured from the start of the first thread to the end of the last: two threads that
/// share one core gain nothing.
fn together(members: &[Member], case: usize, turn: Duration) -> f64 {
    let start = Arc::new(Barrier::new(members.len()));
    for member in members {
        let job = Job { case, turn, start: Arc::clone(&start) };
        member.jobs.send(job).expect("it waits");
    }
    let done: Vec<Done> =
        members.iter().map(|member| member.done.recv().expect("no panic")).collect();
    let began = done.iter().map(|done| done.began).min().expect("a thread");
    let ended = done.iter().map(|done| done.ended).max().expect("a thread");
    let calls: usize = done.iter().map(|done| done.calls).sum();
    (ended - began).as_secs_f64() * 1e9 / calls as f64
}

// --- services and tokens ------------------------------------------------------------------------

/// Returns a verifier without the cache and one with it.
fn verifiers(issuer: &Issuer) -> [Verifier; 2] {
    let keys = StaticKeys::from_jwks(&issuer.jwks().to_string()).expect("a usable set");
    let builder = || Verifier::builder(ISS, keys.clone()).authorized_parties([PARTY]);
    [builder().without_cache(), builder()].map(|builder| builder.build().expect("a verifier"))
}

fn mount(verifier: &Verifier) -> ClerkAuth<Bare> {
    ClerkAuthLayer::new(verifier.clone()).layer(Bare)
}

/// Adds a case with one header.
fn one<'a, S, B>(
    turns: &mut Turns<'a>,
    name: &str,
    mut service: S,
    header: HeaderValue,
    passes: bool,
) where
    S: Service<Request<()>, Response = Response<B>, Error = Infallible> + 'a,
{
    turns.batched(
        name,
        move || request(&header),
        move |request| call(&mut service, request, passes),
    );
}

/// Adds a case with all these headers in turn.
fn each<'a, S, B>(turns: &mut Turns<'a>, name: &str, mut service: S, headers: &'a [HeaderValue])
where
    S: Service<Request<()>, Response = Response<B>, Error = Infallible> + 'a,
{
    let mut next = headers.iter().cycle();
    turns.batched(
        name,
        move || request(next.next().expect("endless")),
        move |request| call(&mut service, request, true),
    );
}

fn tokens(issuer: &Issuer) -> Vec<String> {
    (0..MANY).map(|n| token(issuer, n)).collect()
}

/// Returns a token about as long as Clerk's.
fn token(issuer: &Issuer, n: usize) -> String {
    issuer
        .token(&format!("user_2g7np7Hrk0SN6kj5EDM{n:08}"))
        .claim("azp", PARTY)
        .claim("sid", format!("sess_2g7np7Hrk0SN6kj5EDM{n:08}"))
        .claim("exp", FAR)
        .mint()
}

const FAR: u64 = 4_000_000_000;
const RAW: &str = "raw RSA";

type Moka = Cache<Box<[u8]>, Arc<()>, ahash::RandomState>;

/// Returns the store alone, with the same keys and hasher.
fn raw_moka<'a>(tokens: impl IntoIterator<Item = &'a String>) -> Moka {
    let store = Cache::builder()
        .max_capacity(u64::MAX)
        .build_with_hasher(ahash::RandomState::with_seeds(1, 2, 3, 4));
    for token in tokens {
        store.insert(token.as_bytes().into(), Arc::new(()));
    }
    store.run_pending_tasks();
    store
}

/// Returns a layer over fetched remote keys, which are known not to include the key of this header.
async fn after_a_fetch(issuer: &Issuer, unknown: &HeaderValue) -> ClerkAuth<Bare> {
    let keys = RemoteKeys::new(support::Document(issuer.jwks().to_string()));
    keys.warm_up().await.expect("keys");
    let verifier = Verifier::builder(ISS, keys).build().expect("a verifier");
    let mut service = mount(&verifier);
    // The first request causes a fetch.
    service.call(request(unknown)).await.expect("an answer");
    service
}
