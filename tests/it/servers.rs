//! What the tests talk to: a JWKS server that does as it is told, and the means to serve.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
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

    pub(crate) fn redirect(to: &str) -> Self {
        let head = format!(
            "HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        );
        Self::Bytes(head.into_bytes())
    }

    pub(crate) fn held(self) -> Self {
        match self {
            Self::Bytes(bytes) | Self::Held(bytes) => Self::Held(bytes),
        }
    }
}

/// A real HTTP server on a loopback port that answers every request alike, and counts them.
pub(crate) struct JwksServer {
    addr: SocketAddr,
    answer: Arc<Mutex<Answer>>,
    requests: watch::Receiver<usize>,
    last_head: Arc<Mutex<String>>,
    gate: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl JwksServer {
    pub(crate) async fn start(answer: Answer) -> Self {
        Self::start_on("127.0.0.1:0".parse().unwrap(), answer).await
    }

    pub(crate) async fn start_on(addr: SocketAddr, answer: Answer) -> Self {
        let listener = TcpListener::bind(addr).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let answer = Arc::new(Mutex::new(answer));
        let (count, requests) = watch::channel(0);
        let gate = watch::Sender::new(false);
        let (scripted, opened) = (answer.clone(), gate.subscribe());
        let last_head = Arc::new(Mutex::new(String::new()));
        let kept = last_head.clone();
        let task = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let (scripted, mut opened) = (scripted.clone(), opened.clone());
                let (count, kept) = (count.clone(), kept.clone());
                tokio::spawn(async move {
                    let Some(head) = read_head(&mut stream).await else { return };
                    *kept.lock().unwrap() = head;
                    count.send_modify(|n| *n += 1);
                    let answer = scripted.lock().unwrap().clone();
                    let bytes = match answer {
                        Answer::Bytes(bytes) => bytes,
                        Answer::Held(bytes) => {
                            opened.wait_for(|open| *open).await.unwrap();
                            bytes
                        }
                    };
                    let _client_may_be_gone = stream.write_all(&bytes).await;
                });
            }
        });
        Self { addr, answer, requests, last_head, gate, task }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/.well-known/jwks.json", self.addr)
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    pub(crate) fn answer(&self, answer: Answer) {
        *self.answer.lock().unwrap() = answer;
    }

    pub(crate) fn requests(&self) -> usize {
        *self.requests.borrow()
    }

    /// Request line and headers of the request that came last.
    pub(crate) fn last_head(&self) -> String {
        self.last_head.lock().unwrap().clone()
    }

    /// Waits until so many requests have arrived.
    pub(crate) async fn saw(&self, requests: usize) {
        let mut seen = self.requests.clone();
        let arrived = async { seen.wait_for(|n| *n >= requests).await.unwrap().to_owned() };
        within(arrived).await;
    }

    pub(crate) fn release(&self) {
        self.gate.send_replace(true);
    }

    /// The port is closed when this returns.
    pub(crate) async fn stop(self) {
        self.task.abort();
        let _aborted = self.task.await;
    }
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

/// A client of one request: what a server answered over a real socket.
pub(crate) async fn request(
    addr: SocketAddr,
    method: &str,
    headers: &[(&str, &str)],
) -> (http::response::Parts, String) {
    let mut builder = ::http::Request::builder().method(method).uri("/").header("host", "test");
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    let request = builder.body(String::new()).unwrap();
    let stream = TcpStream::connect(addr).await.unwrap();
    let io = hyper_util::rt::TokioIo::new(stream);
    let (mut sender, connection) = ::hyper::client::conn::http1::handshake(io).await.unwrap();
    tokio::spawn(connection);
    let response = within(sender.send_request(request)).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = http_body_util::BodyExt::collect(body).await.unwrap().to_bytes();
    (parts, String::from_utf8(body.to_vec()).unwrap())
}
