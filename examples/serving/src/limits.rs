//! How many, how large and how long: the limits of a listener. Numbers only.
//!
//! Needed by rows F26, F27, F28, F30, F32.

use std::time::Duration;

/// What a listener bears. Tests of this module make some of it shorter.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// Open at the same time.
    pub connections: usize,
    /// Of these, from one address; IPv6 addresses count by their /64.
    pub connections_per_address: usize,
    /// For the TLS handshake.
    pub handshake: Duration,
    /// For the head of a request, and until the first one.
    pub head: Duration,
    /// A connection without a request for so long is asked to end. Longer than proxies usually keep
    /// theirs, so that none sends a request into a connection that is just being closed.
    pub idle: Duration,
    /// For a connection that was asked to end.
    pub farewell: Duration,
    /// For a client to take something of what is written for it.
    pub write: Duration,
    /// For what is in flight when the server is told to stop. With the moment before it, less than
    /// the ten seconds after which container engines kill.
    pub grace: Duration,
    /// A pause after the system refused a new connection.
    pub after_accept_error: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4096,
            connections_per_address: 256,
            handshake: Duration::from_secs(10),
            head: Duration::from_secs(15),
            idle: Duration::from_secs(75),
            farewell: Duration::from_secs(15),
            write: Duration::from_secs(15),
            grace: Duration::from_secs(8),
            after_accept_error: Duration::from_millis(200),
        }
    }
}

/// All of a request's head, over HTTP/1 and as decoded HTTP/2 headers. A token has at most 16 KiB.
pub(super) const HEAD_BYTES: u32 = 64 * 1024;
/// Requests at a time on one HTTP/2 connection.
pub(super) const STREAMS: u32 = 100;
/// What an HTTP/2 client may send of one body ahead of being asked for more.
pub(super) const STREAM_WINDOW: u32 = 64 * 1024;
/// The same of all bodies together.
pub(super) const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// How much of an answer is queued per HTTP/2 stream.
pub(super) const SEND_BUFFER: usize = 64 * 1024;
/// Streams that an HTTP/2 client gave up before they were begun, and those that it did wrong.
pub(super) const RESETS: usize = 20;
/// Between two pings that show whether an HTTP/2 client is still there.
pub(super) const PING: Duration = Duration::from_secs(20);
