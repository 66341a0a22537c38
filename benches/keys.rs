//! The cost of a flood of unknown key ids: fetches, and the time of valid requests compared with a
//! quiet run in the same process. Then the same flood while a key rotates, the cost of lookups
//! during refreshes of the keys, and ten thousand requests that wait for one fetch.
#![expect(clippy::expect_used, clippy::print_stdout, reason = "it prints its results or stops")]

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tower_clerk::clock::{Clock, SystemClock};
use tower_clerk::session::Verifier;
use tower_clerk::session::keys::{Fetch, FetchFuture, Fetched, KeySource, Lookup, RemoteKeys};
use tower_clerk::test_util::{Issuer, ManualClock};

const ISS: &str = "https://clerk.example.com";
const FLOOD: usize = 10_000;
const ROUNDS: usize = 20;

#[tokio::main]
async fn main() {
    let issuer = Issuer::new(ISS, "ins_1");
    let server = Server::start(issuer.jwks().to_string()).await;
    let clock = Arc::new(ManualClock::new());
    let keys = RemoteKeys::from_url(&server.url).expect("a URL").clock(clock.clone());
    // Without the cache, each valid request looks up its key and is verified, which a flood could
    // slow down.
    let verifier = Verifier::builder(ISS, keys).without_cache().build().expect("a verifier");
    let good = issuer.token("user_1").claim("exp", 4_000_000_000_u64).mint();
    let unknown: Vec<String> = (0..FLOOD).map(|i| made_up(&format!("flood_{i}"))).collect();
    verifier.verify(&good).await.expect("a session");

    let (mut quiet, mut flood, mut fetches) = (Times::default(), Times::default(), Vec::new());
    for _ in 0..ROUNDS {
        // As many as there were valid requests in the flood, right after it, so that both have the
        // same machine.
        clock.advance(Duration::from_secs(5));
        let before = server.fetches();
        let in_a_flood = run(&verifier, &good, &unknown, 0).await;
        fetches.push(server.fetches() - before);
        quiet.add(run(&verifier, &good, &[], in_a_flood.len()).await);
        flood.add(in_a_flood);
    }
    println!("{ROUNDS} floods of {FLOOD} requests under as many unknown kids, 5 s apart");
    println!("fetches in each: {fetches:?}");
    println!("{} good requests during the floods, as many in between", flood.all.len());
    println!("{:>24} {:>10} {:>10} {:>22}", "", "p50", "p99", "p99, median of rounds");
    for (name, times) in [("quiet", &mut quiet), ("in a flood", &mut flood)] {
        let [p50, p99, median] = times.figures();
        println!("{name:>24} {p50:>8.1}µs {p99:>8.1}µs {median:>20.1}µs");
    }
    let [q, f] = [quiet.figures(), flood.figures()];
    println!("{:>24} {:>10.2} {:>10.2} {:>22.2}", "ratio", f[0] / q[0], f[1] / q[1], f[2] / q[2]);

    rotation(&issuer, &server, &verifier, &clock, &unknown).await;
    refreshes(&issuer, &server).await;
    waiters(&issuer).await;
}

/// Measures a rotation: the new key is published in the middle of a cool-down. Each step is one
/// second, with a hundred invented `kid`s and one token of the new key.
async fn rotation(
    old: &Issuer,
    server: &Server,
    verifier: &Verifier,
    clock: &ManualClock,
    unknown: &[String],
) {
    clock.advance(Duration::from_secs(5));
    verifier.verify(&unknown[0]).await.expect_err("unknown");
    clock.advance(Duration::from_secs(2));
    let new = old.rotated("ins_2");
    let token = new.token("user_1").claim("exp", 4_000_000_000_u64).mint();
    server.serve(json!({ "keys": [old.jwk(), new.jwk()] }).to_string());
    let (before, mut seconds) = (server.fetches(), 0);
    for flood in unknown.chunks(100).cycle() {
        for made_up in flood {
            verifier.verify(made_up).await.expect_err("unknown");
        }
        if verifier.verify(&token).await.is_ok() {
            break;
        }
        clock.advance(Duration::from_secs(1));
        seconds += 1;
    }
    println!(
        "a key that is published 2 s into a cool-down of a flood: works after {seconds} s, {:.2} \
         cool-downs, fetches {}",
        f64::from(seconds) / 5.0,
        server.fetches() - before
    );
}

/// Measures lookups on this thread in short turns: while another thread advances the time, so that
/// the keys are fetched repeatedly, and while it does not.
async fn refreshes(issuer: &Issuer, server: &Server) {
    const BATCH: u32 = 1000;
    const BATCHES: usize = 500;
    let jumps = Arc::new(Jumps::default());
    let keys = RemoteKeys::from_url(&server.url).expect("a URL").clock(jumps.clone());
    keys.warm_up().await.expect("keys");
    let jwk = issuer.jwk();
    let kid = jwk["kid"].as_str();
    let Lookup::Known(candidates) = keys.lookup(kid) else { panic!("it was fetched") };
    let key = candidates.iter().next().expect("one key");
    let clock = SystemClock::new();
    let batches = async |[lookups, hits]: &mut [Times; 2]| {
        for _ in 0..BATCHES {
            let start = clock.monotonic();
            (0..BATCH).for_each(|_| drop(black_box(keys.lookup(black_box(kid)))));
            lookups.all.push(start.elapsed().as_secs_f64() * 1e9 / f64::from(BATCH));
            let start = clock.monotonic();
            (0..BATCH).for_each(|_| assert!(keys.is_current(black_box(kid), key)));
            hits.all.push(start.elapsed().as_secs_f64() * 1e9 / f64::from(BATCH));
            tokio::task::yield_now().await;
        }
    };
    let (passes, stop) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let time = std::thread::spawn({
        let (jumps, passes, stop) = (jumps.clone(), passes.clone(), stop.clone());
        move || {
            while !stop.load(Ordering::Relaxed) {
                if passes.load(Ordering::Relaxed) {
                    jumps.0.fetch_add(1, Ordering::Relaxed);
                }
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    });
    let (mut quiet, mut refreshed) = <([Times; 2], [Times; 2])>::default();
    let mut fetches = 0;
    for _ in 0..ROUNDS {
        batches(&mut quiet).await;
        let before = server.fetches();
        passes.store(true, Ordering::Relaxed);
        batches(&mut refreshed).await;
        passes.store(false, Ordering::Relaxed);
        fetches += server.fetches() - before;
        // The last fetch ends before the next quiet batches: batches during it do not count.
        batches(&mut Default::default()).await;
    }
    stop.store(true, Ordering::Relaxed);
    time.join().expect("no panic");
    println!("\nlookups of a known key, {fetches} refreshes meanwhile");
    println!("{:>24} {:>10} {:>10} {:>10} {:>10}", "", "quiet p50", "p50", "quiet p99", "p99");
    let both = quiet.iter_mut().zip(&mut refreshed);
    for (name, (quiet, refreshed)) in ["lookup", "the same for a hit"].iter().zip(both) {
        let [a, b] = [quantile(&mut quiet.all, 0.5), quantile(&mut refreshed.all, 0.5)];
        let [c, d] = [quantile(&mut quiet.all, 0.99), quantile(&mut refreshed.all, 0.99)];
        println!("{name:>24} {a:>8.0}ns {b:>8.0}ns {c:>8.0}ns {d:>8.0}ns   p50 {:.2}", b / a);
    }
}

/// Measures ten thousand requests that come before there are keys; the fetch ends when all wait.
async fn waiters(issuer: &Issuer) {
    // Leaked, so that no thread frees what another has allocated only for the benchmark.
    let good: &str = issuer.token("user_1").claim("exp", 4_000_000_000_u64).mint().leak();
    let clock = SystemClock::new();
    let (mut alone, mut together, mut fetches) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..5 {
        let held = Arc::new(Held::new(issuer.jwks().to_string()));
        let keys = RemoteKeys::new(Wait(Arc::clone(&held)));
        let verifier = Verifier::builder(ISS, keys).without_cache().build().expect("a verifier");
        let waiting: Vec<_> = (0..FLOOD)
            .map(|_| {
                let verifier = verifier.clone();
                tokio::spawn(async move { verifier.verify(good).await.is_ok() })
            })
            .collect();
        // Each has been polled and waits.
        while tokio::runtime::Handle::current().metrics().global_queue_depth() > 0 {
            tokio::task::yield_now().await;
        }
        let start = clock.monotonic();
        held.open.add_permits(1);
        for one in waiting {
            assert!(one.await.expect("no panic"));
        }
        together.push(start.elapsed().as_secs_f64() * 1e3);
        fetches.push(held.fetches.load(Ordering::SeqCst));
        let start = clock.monotonic();
        for _ in 0..FLOOD {
            verifier.verify(black_box(good)).await.expect("a session");
        }
        alone.push(start.elapsed().as_secs_f64() * 1e3);
    }
    println!("\n{FLOOD} requests that wait for one fetch, five times; fetches {fetches:?}");
    let [alone, together] = [quantile(&mut alone, 0.5), quantile(&mut together, 0.5)];
    println!("from its end until all are answered, on all threads {together:>8.1} ms");
    println!("as many verified one after another on one thread    {alone:>8.1} ms");
    println!("ratio {:.2}", together / alone);
}

/// The system's clock, advanced by a number of steps of six minutes, which is longer than the
/// interval of refreshes.
#[derive(Debug, Default)]
struct Jumps(AtomicU32);

impl Clock for Jumps {
    fn now(&self) -> SystemTime {
        SystemClock::new().now()
    }

    fn monotonic(&self) -> Instant {
        let ahead = Duration::from_secs(360) * self.0.load(Ordering::Relaxed);
        SystemClock::new().monotonic() + ahead
    }
}

/// A document whose fetch ends when it is released.
struct Held {
    document: String,
    open: Semaphore,
    fetches: AtomicUsize,
}

impl Held {
    fn new(document: String) -> Self {
        Self { document, open: Semaphore::new(0), fetches: AtomicUsize::new(0) }
    }
}

struct Wait(Arc<Held>);

impl Fetch for Wait {
    fn fetch(&self) -> FetchFuture<'_> {
        let Self(held) = self;
        Box::pin(async {
            held.fetches.fetch_add(1, Ordering::SeqCst);
            let _open = held.open.acquire().await.expect("open");
            Ok(Fetched::new(held.document.clone()))
        })
    }
}

/// Times in microseconds.
#[derive(Default)]
struct Times {
    all: Vec<f64>,
    p99: Vec<f64>,
}

impl Times {
    fn add(&mut self, mut round: Vec<f64>) {
        self.p99.push(quantile(&mut round, 0.99));
        self.all.append(&mut round);
    }

    /// Returns p50 and p99 of all, and the median of the rounds' p99.
    fn figures(&mut self) -> [f64; 3] {
        let Self { all, p99 } = self;
        [quantile(all, 0.5), quantile(all, 0.99), quantile(p99, 0.5)]
    }
}

fn quantile(times: &mut [f64], q: f64) -> f64 {
    times.sort_by(f64::total_cmp);
    times[(times.len() as f64 * q) as usize]
}

/// Measures valid requests while another task sends `others`, and at least `at_least` of them.
async fn run(verifier: &Verifier, good: &str, others: &[String], at_least: usize) -> Vec<f64> {
    let flood = tokio::spawn({
        let (verifier, others) = (verifier.clone(), others.to_vec());
        async move {
            for other in &others {
                black_box(verifier.verify(other).await.is_err());
                tokio::task::yield_now().await;
            }
        }
    });
    let (clock, mut times) = (SystemClock::new(), Vec::with_capacity(2 * FLOOD));
    while times.len() < at_least || !flood.is_finished() {
        let start = clock.monotonic();
        verifier.verify(black_box(good)).await.expect("a session");
        times.push(start.elapsed().as_secs_f64() * 1e6);
        tokio::task::yield_now().await;
    }
    flood.await.expect("no panic");
    times
}

/// Returns an unsigned token with this `kid`.
fn made_up(kid: &str) -> String {
    let header = json!({ "alg": "RS256", "typ": "JWT", "kid": kid }).to_string();
    format!("{}.e30.{}", URL_SAFE_NO_PAD.encode(header), "A".repeat(342))
}

/// A server of a document over HTTP, which counts the requests.
struct Server {
    url: String,
    document: Arc<std::sync::Mutex<String>>,
    fetches: Arc<AtomicUsize>,
}

impl Server {
    async fn start(document: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/jwks", listener.local_addr().expect("an address"));
        let (document, fetches) = (Arc::new(std::sync::Mutex::new(document)), Arc::default());
        let server = Self { url, document, fetches };
        let (document, fetches) = (server.document.clone(), server.fetches.clone());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut head = [0; 4096];
                let _read = stream.read(&mut head).await;
                fetches.fetch_add(1, Ordering::SeqCst);
                let body = document.lock().expect("whole").clone();
                let head = format!(
                    "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                    body.len()
                );
                let _gone = stream.write_all((head + &body).as_bytes()).await;
            }
        });
        server
    }

    fn serve(&self, document: String) {
        *self.document.lock().expect("whole") = document;
    }

    fn fetches(&self) -> usize {
        self.fetches.load(Ordering::SeqCst)
    }
}
