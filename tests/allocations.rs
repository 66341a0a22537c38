//! What a verification takes from the heap. A program of its own, since the count is the
//! process's.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use dhat::{HeapStats, Profiler};
use http::header::AUTHORIZATION;
use http::{Request, Response};
use tower::{Layer, Service};
use tower_clerk::session::{ClerkAuthLayer, StaticKeys, Verifier};
use tower_clerk::test_util::Issuer;

#[global_allocator]
static HEAP: dhat::Alloc = dhat::Alloc;

/// One test: others beside it would be counted too.
#[test]
fn a_hit_allocates_nothing_but_its_place_in_the_request_and_the_rest_little() {
    const HITS: u64 = 10_000;

    let issuer = Issuer::new("https://clerk.example.com", "ins_1");
    let keys = StaticKeys::from_jwks(&issuer.jwks().to_string()).unwrap();
    let token = issuer.token("user_1").claim("exp", 4_000_000_000_u64).mint();
    let request = || request_with(&token);
    let builder = || Verifier::builder(issuer.iss(), keys.clone());
    let mut remembering = ClerkAuthLayer::new(builder().build().unwrap()).layer(Bare);
    let cold = builder().without_cache().build().unwrap();
    let mut cold = ClerkAuthLayer::new(cold).layer(Bare);
    let mut by_hand = ByHand(Arc::new(()));
    // What happens once: the token comes in, and tables get their first size.
    for _ in 0..HITS {
        call(&mut remembering, request());
    }

    let _profiler = Profiler::builder().testing().build();
    let own_place = blocks(HITS, request, |request| call(&mut by_hand, request));
    let hit = blocks(HITS, request, |request| call(&mut remembering, request));
    assert_eq!(hit, own_place, "blocks of {HITS} hits, and of as many insertions by hand");

    let cold = blocks(100, request, |request| call(&mut cold, request));
    let each = (cold - own_place * 100 / HITS) / 100;
    assert!(each <= MOST_COLD, "{each} blocks for a cold verification");

    let tokens: Vec<String> = (0..REMEMBERED).map(|n| like_clerks(&issuer, n)).collect();
    let mut remembering = ClerkAuthLayer::new(builder().build().unwrap()).layer(Bare);
    let before = HeapStats::get().curr_bytes;
    tokens.iter().for_each(|token| call(&mut remembering, request_with(token)));
    let taken = HeapStats::get().curr_bytes - before;
    let own: usize = tokens.iter().map(String::len).sum();
    let beyond = (taken - own) / tokens.len();
    println!("a hit: 0 blocks; cold: {each}; a remembered token: {beyond} bytes beyond its own");
    assert!(beyond <= MOST_BEYOND, "{beyond} bytes for a remembered token beyond its own");
}

const REMEMBERED: usize = 10_000;

/// Its claims, its key's reference, and moka's bookkeeping.
const MOST_BEYOND: usize = 600;

/// A token with the texts that Clerk's have.
fn like_clerks(issuer: &Issuer, n: usize) -> String {
    issuer
        .token(&format!("user_2g7np7Hrk0SN6kj5EDM{n:08}"))
        .claim("azp", "https://app.example.com")
        .claim("sid", format!("sess_2g7np7Hrk0SN6kj5EDM{n:08}"))
        .claim("exp", 4_000_000_000_u64)
        .mint()
}

fn request_with(token: &str) -> Request<()> {
    let mut request = Request::new(());
    let line = format!("Bearer {token}").parse().unwrap();
    request.headers_mut().insert(AUTHORIZATION, line);
    request
}

/// What the claims are kept in, and what the parts are decoded into.
const MOST_COLD: u64 = 7;

/// How many blocks so many calls allocate.
fn blocks(calls: u64, request: impl Fn() -> Request<()>, mut call: impl FnMut(Request<()>)) -> u64 {
    let requests: Vec<_> = (0..calls).map(|_| request()).collect();
    let before = HeapStats::get().total_blocks;
    requests.into_iter().for_each(&mut call);
    HeapStats::get().total_blocks - before
}

fn call<S>(service: &mut S, request: Request<()>)
where
    S: Service<Request<()>, Error = Infallible>,
{
    let mut context = Context::from_waker(Waker::noop());
    assert!(service.poll_ready(&mut context).is_ready());
    assert!(pin!(service.call(request)).poll(&mut context).is_ready());
}

#[derive(Clone)]
struct Bare;

impl Service<Request<()>> for Bare {
    type Response = Response<()>;
    type Error = Infallible;
    type Future = Ready<Result<Response<()>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        ready(Ok(Response::new(())))
    }
}

/// Puts something of a session's size into the request's extensions, as any layer would.
struct ByHand(Arc<()>);

impl Service<Request<()>> for ByHand {
    type Response = Response<()>;
    type Error = Infallible;
    type Future = Ready<Result<Response<()>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<()>) -> Self::Future {
        request.extensions_mut().insert(Arc::clone(&self.0));
        ready(Ok(Response::new(())))
    }
}
