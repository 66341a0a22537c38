//! The same limits counted in Redis, for several instances together, and the fallback without it.

#[cfg(test)]
mod tests;

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ErrorKind, RedisError, Script};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::counter::quota;
use crate::config::{Per, Rate, RedisUrl};
use serving::keep_running;

/// A Redis in which several instances count. While it is unavailable, no request waits for it.
pub(super) struct Shared {
    client: Client,
    script: Script,
    line: watch::Sender<Option<Line>>,
    /// The number of connections so far.
    lines: AtomicU64,
}

/// A connection that has answered and has not failed since.
#[derive(Clone)]
struct Line {
    number: u64,
    connection: MultiplexedConnection,
}

impl Shared {
    /// Connects, or logs a warning; then keeps reconnecting until it is dropped.
    pub(super) async fn start(url: &RedisUrl) -> Arc<Self> {
        let shared = Arc::new(Self {
            client: url.client().clone(),
            script: Script::new(include_str!("take.lua")),
            line: watch::Sender::new(None),
            lines: AtomicU64::new(0),
        });
        if let Err(problem) = shared.connect().await {
            warn(&problem);
        }
        let (weak, line) = (Arc::downgrade(&shared), shared.line.subscribe());
        keep_running("connecting to Redis", move || keep_connected(weak.clone(), line.clone()));
        shared
    }

    /// Counts a request that may pass, or returns the time to wait; `None` while Redis is
    /// unavailable.
    pub(super) async fn take(
        &self,
        limit: &str,
        key: &str,
        rate: Rate,
    ) -> Option<Result<(), Duration>> {
        let Line { number, mut connection } = self.line.borrow().clone()?;
        match self.ask(&mut connection, &format!("{PREFIX}:{limit}:{key}"), rate).await {
            Ok(0) => Some(Ok(())),
            Ok(wait) => Some(Err(Duration::from_micros(wait))),
            Err(problem) => {
                self.lost(number, &problem);
                None
            }
        }
    }

    async fn ask(
        &self,
        connection: &mut MultiplexedConnection,
        key: &str,
        rate: Rate,
    ) -> Result<u64, String> {
        let quota = quota(rate);
        let mut question = self.script.key(key);
        question.arg(quota.replenish_interval().as_micros().max(1)).arg(quota.burst_size().get());
        match timeout(PATIENCE, question.invoke_async(connection)).await {
            Ok(Ok(wait)) => Ok(wait),
            Ok(Err(error)) => Err(describe(&error)),
            Err(_) => Err(format!("did not answer within {PATIENCE:?}")),
        }
    }

    async fn connect(&self) -> Result<(), String> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_PATIENCE))
            .set_response_timeout(Some(CONNECT_PATIENCE));
        let connection = self.client.get_multiplexed_async_connection_with_config(&config);
        let mut connection = match timeout(2 * CONNECT_PATIENCE, connection).await {
            Ok(connection) => connection.map_err(|error| describe(&error))?,
            Err(_) => return Err(format!("did not answer within {:?}", 2 * CONNECT_PATIENCE)),
        };
        // Not a ping, because a full server or a replica answers that too.
        let rate = Rate::new(NonZeroU32::MIN, Per::Second);
        self.ask(&mut connection, &format!("{PREFIX}:probe"), rate).await?;
        let number = self.lines.fetch_add(1, Ordering::Relaxed);
        self.line.send_replace(Some(Line { number, connection }));
        Ok(())
    }

    /// Drops a failed connection. Many requests may notice at once; only one logs it.
    fn lost(&self, number: u64, problem: &str) {
        let first = self.line.send_if_modified(|line| {
            let this = line.as_ref().is_some_and(|line| line.number == number);
            if this {
                *line = None;
            }
            this
        });
        if first {
            warn(problem);
        }
    }
}

/// Reconnects whenever the connection is lost.
async fn keep_connected(shared: Weak<Shared>, mut line: watch::Receiver<Option<Line>>) {
    while line.wait_for(Option::is_none).await.is_ok() {
        sleep(RETRY).await;
        let Some(shared) = shared.upgrade() else { return };
        if shared.connect().await.is_ok() {
            tracing::info!("Redis answers: the instances count requests together");
        }
    }
}

fn warn(problem: &str) {
    tracing::warn!(
        "REDIS_URL: Redis {problem}; until it answers, each instance counts requests by itself"
    );
}

/// Describes an error, without anything from the URL or a key.
fn describe(error: &RedisError) -> String {
    let refused = error.kind() == ErrorKind::AuthenticationFailed;
    match error.code() {
        _ if refused => "refuses the user and password in the URL".to_owned(),
        Some(code) => format!("answers {code}"),
        None if error.is_connection_refusal() => "cannot be reached: nothing listens there".into(),
        None if error.is_timeout() => "cannot be reached in time".to_owned(),
        None if error.is_io_error() => format!("cannot be reached: {error}"),
        None => format!("cannot be used: {}", error.category()),
    }
}

/// The prefix of every key, so that other programs can use the same Redis.
const PREFIX: &str = "scheduled-posts";
/// The time for an answer of a connected Redis, which usually takes less than a millisecond.
const PATIENCE: Duration = Duration::from_millis(200);
const CONNECT_PATIENCE: Duration = Duration::from_secs(1);
const RETRY: Duration = Duration::from_secs(1);
