//! What the layer costs a request beside a bare service: cold and remembered, one token and ten
//! thousand, one thread and several, and what is refused.
#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a benchmark that cannot go on ends, and prints what it found"
)]

mod support;

use std::convert::Infallible;
use std::hint::black_box;
use std::pin::pin;
use std::sync::{Arc, Barrier};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use aws_lc_rs::signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use axum::Router;
use axum::body::Body;
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use criterion::measurement::WallTime;
use criterion::{BatchSize, BenchmarkGroup, Criterion, criterion_group, criterion_main};
use http::header::AUTHORIZATION;
use http::{HeaderValue, Request, Response, Uri};
use http_body_util::BodyExt;
use moka::sync::Cache;
use tower::{Layer, Service, ServiceExt};
use tower_clerk::clock::{Clock, SystemClock};
use tower_clerk::session::keys::RemoteKeys;
use tower_clerk::session::{ClerkAuth, ClerkAuthLayer, Session, StaticKeys, Verifier};
use tower_clerk::test_util::Issuer;

use support::Ratios;

const ISS: &str = "https://clerk.example.com";
const PARTY: &str = "https://app.example.com";
const MANY: usize = 10_000;

fn layer(c: &mut Criterion) {
    let issuer = Issuer::new(ISS, "ins_1");
    let keys = StaticKeys::from_jwks(&issuer.jwks().to_string()).expect("a usable set");
    let builder = || Verifier::builder(ISS, keys.clone()).authorized_parties([PARTY]);
    let mount = |verifier: Verifier| ClerkAuthLayer::new(verifier).layer(Bare);
    let cold = mount(builder().without_cache().build().expect("a verifier"));
    let remembering = mount(builder().build().expect("a verifier"));
    let good = token(&issuer, 0);
    let tokens: Vec<String> = (0..MANY).map(|n| token(&issuer, n)).collect();
    let many: Vec<HeaderValue> = tokens.iter().map(|token| bearer(token)).collect();

    let mut group = c.benchmark_group("layer");
    let (signed, signature) = good.rsplit_once('.').expect("three parts");
    let signature = URL_SAFE_NO_PAD.decode(signature).expect("base64url");
    let key = parsed_key(&issuer);
    group.bench_function("raw RSA", |b| {
        b.iter(|| key.verify_sig(black_box(signed.as_bytes()), black_box(&signature)));
    });
    one(&mut group, "bare", Bare, &bearer(&good), true);
    one(&mut group, "cold", cold.clone(), &bearer(&good), true);
    one(&mut group, "hit", remembering.clone(), &bearer(&good), true);
    let store = raw_moka([&good]);
    group.bench_function("moka get", |b| b.iter(|| store.get(black_box(good.as_str()))));

    for header in &many {
        call(&mut remembering.clone(), request(header), true);
    }
    let mut next = many.iter().cycle();
    group.bench_function("hit, 10000 tokens", |b| {
        let mut service = remembering.clone();
        b.iter_batched(
            || request(next.next().expect("endless")),
            |request| call(&mut service, request, true),
            BatchSize::SmallInput,
        );
    });
    let store = raw_moka(&tokens);
    let mut next = tokens.iter().cycle();
    group.bench_function("moka get, 10000 tokens", |b| {
        b.iter(|| store.get(next.next().expect("endless").as_str()));
    });

    let expired = issuer.token("user_1").claim("azp", PARTY).claim("exp", 1_600_000_000).mint();
    one(&mut group, "expired", cold.clone(), &bearer(&expired), false);
    let elsewhere = issuer.token("user_1").claim("azp", "https://evil.example.com");
    let elsewhere = elsewhere.claim("exp", FAR).mint();
    one(&mut group, "wrong azp", cold.clone(), &bearer(&elsewhere), false);
    let (rest, _) = good.rsplit_once('.').expect("three parts");
    let (_, other) = tokens[1].rsplit_once('.').expect("three parts");
    one(&mut group, "bad signature", cold.clone(), &bearer(&format!("{rest}.{other}")), false);
    one(&mut group, "garbage", cold, &bearer(&"x.y.z".repeat(180)), false);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let unknown = bearer(&Issuer::new(ISS, "ins_other").token("user_1").mint());
    let remote = runtime.block_on(after_a_fetch(&issuer, &unknown));
    {
        let _inside = runtime.enter();
        one(&mut group, "unknown kid", remote, &unknown, false);
    }
    group.finish();

    let ratios = Ratios::of("layer");
    ratios.beyond("cold", "bare", "raw RSA");
    ratios.beyond("hit", "bare", "moka get");
    ratios.beyond("hit", "bare", "cold");
    ratios.beyond("hit, 10000 tokens", "bare", "moka get, 10000 tokens");
    for refused in ["expired", "wrong azp", "bad signature"] {
        ratios.beside(refused, "cold");
    }
    for refused in ["garbage", "unknown kid"] {
        ratios.beside(refused, "raw RSA");
    }
}

/// The same through an axum router, whose handler answers with the user's id: body and all, without
/// a socket.
fn router(c: &mut Criterion) {
    let issuer = Issuer::new(ISS, "ins_1");
    let keys = StaticKeys::from_jwks(&issuer.jwks().to_string()).expect("a usable set");
    let builder = || Verifier::builder(ISS, keys.clone()).authorized_parties([PARTY]);
    let cold = builder().without_cache().build().expect("a verifier");
    let remembering = builder().build().expect("a verifier");
    let bare = Router::new().route("/me", get(async || "user_2g7np7Hrk0SN6kj5EDM00000000"));
    let me = async |session: Session| session.user_id().to_owned();
    let layered =
        |verifier| Router::new().route("/me", get(me)).layer(ClerkAuthLayer::new(verifier));
    let header = bearer(&token(&issuer, 0));
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");

    let mut group = c.benchmark_group("router");
    for (name, router) in [("bare", bare), ("cold", layered(cold)), ("hit", layered(remembering))] {
        group.bench_function(name, |b| {
            b.iter_batched(
                || {
                    let mut request = Request::new(Body::empty());
                    *request.uri_mut() = Uri::from_static("/me");
                    request.headers_mut().insert(AUTHORIZATION, header.clone());
                    request
                },
                |request| {
                    runtime.block_on(async {
                        let response = router.clone().oneshot(request).await.expect("an answer");
                        assert!(response.status().is_success());
                        response.into_body().collect().await.expect("a body").to_bytes()
                    })
                },
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();

    let ratios = Ratios::of("router");
    ratios.beside("hit", "bare");
    ratios.beside("cold", "bare");
}

/// How much more several threads do than one, each with requests of its own.
fn threads(c: &mut Criterion) {
    let issuer = Issuer::new(ISS, "ins_1");
    let keys = StaticKeys::from_jwks(&issuer.jwks().to_string()).expect("a usable set");
    let builder = || Verifier::builder(ISS, keys.clone()).authorized_parties([PARTY]);
    let cold = builder().without_cache().build().expect("a verifier");
    let remembering = builder().build().expect("a verifier");
    let tokens: Vec<String> = (0..MANY).map(|n| token(&issuer, n)).collect();
    let many: Vec<HeaderValue> = tokens.iter().map(|token| bearer(token)).collect();
    let one = vec![bearer(&tokens[0])];
    let store = raw_moka(&tokens);

    let mut group = c.benchmark_group("threads");
    for threads in [1, 2, 4] {
        let layered = |verifier: &Verifier, headers: &[HeaderValue]| {
            let layer = ClerkAuthLayer::new(verifier.clone());
            let headers = headers.to_vec();
            move |part: usize, calls: u64| {
                let mut service = layer.layer(Bare);
                let mut order = headers.iter().cycle().skip(part * headers.len() / 4);
                let requests: Vec<_> =
                    (0..calls).filter_map(|_| order.next()).map(request).collect();
                move || requests.into_iter().for_each(|one| call(&mut service, one, true))
            }
        };
        group.bench_function(format!("cold, {threads}"), |b| {
            let work = layered(&cold, &one);
            b.iter_custom(|calls| at_once(threads, calls, &work));
        });
        group.bench_function(format!("hit, {threads}"), |b| {
            let work = layered(&remembering, &one);
            b.iter_custom(|calls| at_once(threads, calls, &work));
        });
        group.bench_function(format!("hit of 10000, {threads}"), |b| {
            let work = layered(&remembering, &many);
            b.iter_custom(|calls| at_once(threads, calls, &work));
        });
        group.bench_function(format!("moka of 10000, {threads}"), |b| {
            let work = |part: usize, calls: u64| {
                let (store, tokens) = (store.clone(), tokens.clone());
                move || {
                    let order = tokens.iter().cycle().skip(part * tokens.len() / 4);
                    let calls = usize::try_from(calls).expect("calls");
                    order.take(calls).for_each(|token| drop(black_box(store.get(token.as_str()))));
                }
            };
            b.iter_custom(|calls| at_once(threads, calls, &work));
        });
    }
    group.finish();

    let ratios = Ratios::of("threads");
    println!("(a ratio of 0.5 is twice the throughput)");
    for what in ["cold", "hit", "hit of 10000", "moka of 10000"] {
        for threads in [2, 4] {
            ratios.beside(&format!("{what}, {threads}"), &format!("{what}, 1"));
        }
    }
}

/// Does `calls` calls in all, on several threads that start together; how long the last took.
fn at_once<W, F>(threads: usize, calls: u64, work: &W) -> Duration
where
    W: Fn(usize, u64) -> F + Sync,
    F: FnOnce() + Send,
{
    let each = calls.div_ceil(threads as u64);
    let start = Arc::new(Barrier::new(threads + 1));
    let clock = SystemClock::new();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads)
            .map(|part| {
                let (start, work) = (Arc::clone(&start), work(part, each));
                scope.spawn(move || {
                    start.wait();
                    work();
                })
            })
            .collect();
        start.wait();
        let began = clock.monotonic();
        threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
        clock.monotonic().duration_since(began)
    })
}

fn one<S>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    mut service: S,
    header: &HeaderValue,
    passes: bool,
) where
    S: Service<Request<()>, Error = Infallible>,
    S::Response: Answer,
{
    group.bench_function(name, |b| {
        b.iter_batched(
            || request(header),
            |request| call(&mut service, request, passes),
            BatchSize::SmallInput,
        );
    });
}

/// Calls a service that must answer at once.
fn call<S>(service: &mut S, request: Request<()>, passes: bool)
where
    S: Service<Request<()>, Error = Infallible>,
    S::Response: Answer,
{
    let mut context = Context::from_waker(Waker::noop());
    assert!(service.poll_ready(&mut context).is_ready());
    match pin!(service.call(request)).poll(&mut context) {
        Poll::Ready(Ok(response)) => assert_eq!(response.has_passed(), passes),
        Poll::Ready(Err(never)) => match never {},
        Poll::Pending => panic!("it waits"),
    }
}

trait Answer {
    fn has_passed(&self) -> bool;
}

impl<B> Answer for Response<B> {
    fn has_passed(&self) -> bool {
        self.status().is_success()
    }
}

/// Answers at once, and does nothing.
#[derive(Clone)]
struct Bare;

impl Service<Request<()>> for Bare {
    type Response = Response<()>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Response<()>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<()>) -> Self::Future {
        drop(black_box(request));
        std::future::ready(Ok(Response::new(())))
    }
}

fn request(header: &HeaderValue) -> Request<()> {
    let mut request = Request::new(());
    request.headers_mut().insert(AUTHORIZATION, header.clone());
    request
}

fn bearer(token: &str) -> HeaderValue {
    HeaderValue::from_str(&format!("Bearer {token}")).expect("a header")
}

/// About as long as Clerk's are.
fn token(issuer: &Issuer, n: usize) -> String {
    issuer
        .token(&format!("user_2g7np7Hrk0SN6kj5EDM{n:08}"))
        .claim("azp", PARTY)
        .claim("sid", format!("sess_2g7np7Hrk0SN6kj5EDM{n:08}"))
        .claim("exp", FAR)
        .mint()
}

const FAR: u64 = 4_000_000_000;

fn parsed_key(issuer: &Issuer) -> ParsedPublicKey {
    let part = |name: &str| {
        URL_SAFE_NO_PAD.decode(issuer.jwk()[name].as_str().expect("text")).expect("base64url")
    };
    RsaPublicKeyComponents { n: part("n"), e: part("e") }
        .to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)
        .expect("a key")
}

/// The store alone, with the same keys and hasher.
fn raw_moka<'a>(
    tokens: impl IntoIterator<Item = &'a String>,
) -> Cache<Box<str>, Arc<()>, ahash::RandomState> {
    let store = Cache::builder()
        .max_capacity(u64::MAX)
        .build_with_hasher(ahash::RandomState::with_seeds(1, 2, 3, 4));
    for token in tokens {
        store.insert(token.as_str().into(), Arc::new(()));
    }
    store.run_pending_tasks();
    store
}

/// A layer over remote keys that were fetched, and that this header's key is known not to be among.
async fn after_a_fetch(issuer: &Issuer, unknown: &HeaderValue) -> ClerkAuth<Bare> {
    let keys = RemoteKeys::new(support::Document(issuer.jwks().to_string()));
    keys.warm_up().await.expect("keys");
    let verifier = Verifier::builder(ISS, keys).build().expect("a verifier");
    let mut service = ClerkAuthLayer::new(verifier).layer(Bare);
    // The first one is looked for.
    service.call(request(unknown)).await.expect("an answer");
    service
}

criterion_group! {
    name = benches;
    config = support::criterion();
    targets = layer, router, threads
}
criterion_main!(benches);
