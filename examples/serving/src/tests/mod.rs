//! Connections over real sockets, with short limits.

mod endless;
mod patience;
mod share;

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::*;
use crate::tests::endless::Endless;

/// A server under test, which stops with the runtime of the test or when it is told to.
pub(super) struct Running {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    ended: JoinHandle<()>,
    /// Whether the endless answer was dropped.
    dropped: watch::Receiver<bool>,
}

impl Running {
    async fn start(limits: Limits, trusted: bool) -> Self {
        let (drops, dropped) = watch::channel(false);
        let endless = move || async move { axum::body::Body::new(Endless::new(drops)) };
        let router = Router::new()
            .route("/", get(async || "here"))
            .route("/body", post(async |body: Bytes| body.len().to_string()))
            .route("/endless", get(endless));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = watch::channel(false);
        let server = Server::new(router).within(limits, trusted);
        let ended = tokio::spawn(server.run(listener, stopped));
        Self { address, stop, ended, dropped }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Returns whether the server answers a request on a new connection.
    async fn answers(&self) -> bool {
        let mut stream = self.connect().await;
        let asked =
            stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
        asked.is_ok() && in_time(read_to_end(&mut stream)).await.ends_with(b"here")
    }

    async fn let_go(&mut self) {
        in_time(self.dropped.wait_for(|dropped| *dropped)).await.unwrap();
    }
}

/// Limits as short as a busy machine allows.
pub(super) fn short() -> Limits {
    Limits {
        head: Duration::from_secs(1),
        idle: Duration::from_secs(1),
        farewell: Duration::from_secs(1),
        write: Duration::from_secs(1),
        grace: Duration::from_secs(1),
        ..Limits::default()
    }
}

/// Reads until the other side ends the connection, in an orderly way or not.
async fn read_to_end(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    // A reset is an end too.
    let _ = stream.read_to_end(&mut bytes).await;
    bytes
}

/// Sends a byte again and again until the other side has ended the connection.
async fn dribble_to_the_end(stream: &mut TcpStream, byte: u8) -> Vec<u8> {
    let mut pace = tokio::time::interval(Duration::from_millis(20));
    let (mut read, mut write) = stream.split();
    let mut bytes = Vec::new();
    tokio::select! {
        _ = read.read_to_end(&mut bytes) => {}
        () = async {
            loop {
                pace.tick().await;
                if write.write_all(&[byte]).await.is_err() {
                    break;
                }
            }
        } => {}
    }
    bytes
}

async fn in_time<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("it ends in time")
}
