//! What the tests talk to: a JWKS server that does as it is told, and the means to serve.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tower_clerk::test_util::Issuer;

pub(crate) const ISS: &str = "https://clerk.example.com";

/// An issuer as most tests want it.
pub(crate) fn issuer() -> Issuer {
    Issuer::new(ISS, "ins_1")
}

/// What a JWKS server does with a connection once it has read the request.
#[derive(Clone)]
pub(crate) enum Answer {
    /// Answers with these bytes and closes.
    Bytes(Vec<u8>),
    /// Answers nothing until the test says [`JwksServer::release`], then with these bytes.
    Held(Vec<u8>),
    /// Answers with these bytes and then with one more every now and then, for ever.
    Drip(Vec<u8>),
    /// Answers with the first bytes and then with the others again and again, for ever.
    Endless(Vec<u8>, Vec<u8>),
}

impl Answer {
    pub(crate) fn json(body: &str) -> Self {
        Self::status("200 OK", body)
    }

    pub(crate) fn jwks(issuer: &Issuer) -> Self {
        Self::json(&issuer.jwks().to_string())
    }

    pub(crate) fn status(status: &str, body: &str) -> Self {
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        );
        Self::Bytes((head + body).into_bytes())
    }

    pub(crate) fn raw(body: Vec<u8>) -> Self {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
        Self::Bytes([head.into_bytes(), body].concat())
    }

    /// A status with a header line of one's own, and a good document.
    pub(crate) fn with_header(status: &str, line: &str, body: &str) -> Self {
        let head = format!(
            "HTTP/1.1 {status}\r\n{line}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        );
        Self::Bytes((head + body).into_bytes())
    }

    pub(crate) fn redirect(to: &str) -> Self {
        let head = format!(
            "HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        );
        Self::Bytes(head.into_bytes())
    }

    pub(crate) fn held(self) -> Self {
        match self {
            Self::Bytes(bytes) | Self::Held(bytes) => Self::Held(bytes),
            Self::Drip(_) | Self::Endless(..) => panic!("what never ends cannot be held back"),
        }
    }
}

/// A real HTTP server on a loopback port that answers every request alike, and counts them.
pub(crate) struct JwksServer {
    addr: SocketAddr,
    seen: Arc<Seen>,
    task: JoinHandle<()>,
}

/// What a server was told and what it has seen.
struct Seen {
    answer: Mutex<Answer>,
    last_head: Mutex<String>,
    requests: watch::Sender<usize>,
    bytes: AtomicUsize,
    /// Connections that the client closed before it was answered.
    abandoned: watch::Sender<usize>,
    gate: watch::Sender<bool>,
}

impl JwksServer {
    pub(crate) async fn start(answer: Answer) -> Self {
        Self::start_on("127.0.0.1:0".parse().unwrap(), answer).await
    }

    pub(crate) async fn start_on(addr: SocketAddr, answer: Answer) -> Self {
        let listener = TcpListener::bind(addr).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let seen = Arc::new(Seen {
            answer: Mutex::new(answer),
            last_head: Mutex::default(),
            requests: watch::Sender::new(0),
            bytes: AtomicUsize::new(0),
            abandoned: watch::Sender::new(0),
            gate: watch::Sender::new(false),
        });
        let task = tokio::spawn({
            let seen = seen.clone();
            async move {
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    tokio::spawn(serve(stream, seen.clone()));
                }
            }
        });
        Self { addr, seen, task }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/.well-known/jwks.json", self.addr)
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    pub(crate) fn answer(&self, answer: Answer) {
        *self.seen.answer.lock().unwrap() = answer;
    }

    pub(crate) fn requests(&self) -> usize {
        *self.seen.requests.borrow()
    }

    /// How many bytes of bodies that never end it could send.
    pub(crate) fn bytes(&self) -> usize {
        self.seen.bytes.load(Ordering::Relaxed)
    }

    /// Request line and headers of the request that came last.
    pub(crate) fn last_head(&self) -> String {
        self.seen.last_head.lock().unwrap().clone()
    }

    /// Waits until so many requests have arrived.
    pub(crate) async fn saw(&self, requests: usize) {
        reaches(&self.seen.requests, requests).await;
    }

    /// Waits until so many clients have gone away without an answer.
    pub(crate) async fn was_left_by(&self, clients: usize) {
        reaches(&self.seen.abandoned, clients).await;
    }

    /// Lets the answers go that are held back, and those to come.
    pub(crate) fn release(&self) {
        self.seen.gate.send_replace(true);
    }

    /// The port is closed when this returns.
    pub(crate) async fn stop(self) {
        self.task.abort();
        let _aborted = self.task.await;
    }
}

async fn serve(mut stream: TcpStream, seen: Arc<Seen>) {
    let Some(head) = read_head(&mut stream).await else { return };
    *seen.last_head.lock().unwrap() = head;
    let answer = seen.answer.lock().unwrap().clone();
    seen.requests.send_modify(|n| *n += 1);
    // The client may be gone at each write; then this ends.
    match answer {
        Answer::Bytes(bytes) => drop(stream.write_all(&bytes).await),
        Answer::Held(bytes) => {
            let (mut opened, mut more) = (seen.gate.subscribe(), [0; 1]);
            let open = tokio::select! {
                open = opened.wait_for(|open| *open) => open.is_ok(),
                _closed = stream.read(&mut more) => false,
            };
            if open {
                drop(stream.write_all(&bytes).await);
            } else {
                seen.abandoned.send_modify(|n| *n += 1);
            }
        }
        Answer::Drip(bytes) => {
            let mut pace = tokio::time::interval(Duration::from_millis(50));
            let mut sent = stream.write_all(&bytes).await;
            while sent.is_ok() {
                pace.tick().await;
                sent = stream.write_all(b" ").await;
            }
            seen.abandoned.send_modify(|n| *n += 1);
        }
        Answer::Endless(head, again) => {
            let mut sent = stream.write_all(&head).await;
            while sent.is_ok() && seen.bytes.fetch_add(again.len(), Ordering::Relaxed) < ENOUGH {
                sent = stream.write_all(&again).await;
            }
            seen.abandoned.send_modify(|n| *n += 1);
        }
    }
}

/// A body that was taken to here would have been taken whole.
const ENOUGH: usize = 50 * 1024 * 1024;

async fn reaches(count: &watch::Sender<usize>, expected: usize) {
    let mut seen = count.subscribe();
    within(async { seen.wait_for(|n| *n >= expected).await.unwrap().to_owned() }).await;
}

async fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    let mut byte = [0; 256];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut byte).await {
            Ok(n) if n > 0 => head.extend_from_slice(&byte[..n]),
            _ => return None,
        }
    }
    String::from_utf8(head).ok()
}

/// The outcome of something that must not take long.
pub(crate) async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("within 20 s")
}

/// Asks again and again, as fast as the runtime lets it, until the answer is yes.
pub(crate) async fn eventually<F: Future<Output = bool>>(mut asked: impl FnMut() -> F) {
    within(async {
        while !asked().await {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// The outcome of something that must not wait: it is polled once.
pub(crate) fn at_once<F: Future>(future: F) -> F::Output {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(future).poll(&mut context) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => panic!("it waits"),
    }
}

/// A client of one request: what a server answered over a real socket.
pub(crate) async fn request(
    addr: SocketAddr,
    method: &str,
    headers: &[(&str, &str)],
) -> (http::response::Parts, String) {
    request_at(addr, method, "/", headers).await
}

/// The same, for another path.
pub(crate) async fn request_at(
    addr: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
) -> (http::response::Parts, String) {
    let mut builder = ::http::Request::builder().method(method).uri(path).header("host", "test");
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    sent(addr, builder.body(String::new()).unwrap()).await
}

/// A client of one GET without credentials.
pub(crate) async fn request_to(addr: SocketAddr, path: &str) -> (http::response::Parts, String) {
    let builder = ::http::Request::builder().uri(path).header("host", "test");
    sent(addr, builder.body(String::new()).unwrap()).await
}

async fn sent(
    addr: SocketAddr,
    request: ::http::Request<String>,
) -> (http::response::Parts, String) {
    let stream = TcpStream::connect(addr).await.unwrap();
    let io = hyper_util::rt::TokioIo::new(stream);
    let (mut sender, connection) = ::hyper::client::conn::http1::handshake(io).await.unwrap();
    tokio::spawn(connection);
    let response = within(sender.send_request(request)).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = http_body_util::BodyExt::collect(body).await.unwrap().to_bytes();
    (parts, String::from_utf8(body.to_vec()).unwrap())
}
