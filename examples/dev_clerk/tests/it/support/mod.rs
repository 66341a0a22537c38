//! What the tests share: the program's processes, and a client of what they serve.

mod http;
mod process;
mod receive;

pub(crate) use http::{Api, text};
pub(crate) use process::Program;
pub(crate) use receive::Try;

use std::net::TcpListener;
use std::time::Duration;

/// Asks again and again until there is an answer; panics when there is none in time.
pub(crate) async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let mut pace = tokio::time::interval(Duration::from_millis(25));
    let answer = tokio::time::timeout(DEADLINE, async {
        loop {
            pace.tick().await;
            if let Some(answer) = ask().await {
                return answer;
            }
        }
    });
    answer.await.unwrap_or_else(|_| panic!("waited {DEADLINE:?} in vain: {what}"))
}

/// A port that nobody listens on. From below the range that the system takes for connections, so
/// that no client of another test sits on it when the stand-in comes.
pub(crate) fn free_port() -> u16 {
    loop {
        let [a, b, ..] = uuid::Uuid::new_v4().into_bytes();
        let port = 10_000 + u16::from_be_bytes([a, b]) % 20_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

pub(crate) const DEADLINE: Duration = Duration::from_secs(30);
