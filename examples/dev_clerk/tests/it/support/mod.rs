//! Shared by the tests: the program's processes, and a client of their routes.

mod http;
mod process;
mod receive;

pub(crate) use http::{Api, text};
pub(crate) use process::Program;
pub(crate) use receive::Try;

use std::net::TcpListener;
use std::time::Duration;

/// Repeats `ask` until it returns a value; panics when it does not in time.
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

/// Returns a port that is not in use. It is below the range that the system uses for connections,
/// so that no client of another test has it when the stand-in starts.
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
