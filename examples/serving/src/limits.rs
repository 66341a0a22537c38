//! The limits of a listener: counts, sizes and durations. Numbers only.
//!
//! Needed by rows F26, F27, F28, F30, F32.

use std::time::Duration;

/// The limits of a listener. Tests of this crate shorten some of them.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// Connections that are open at the same time.
    pub connections: usize,
    /// Of these, connections from one address; IPv6 addresses are counted by their /64.
    pub connections_per_address: usize,
    /// The time for the TLS handshake.
    pub handshake: Duration,
    /// The time for the head of a request, and until the first request begins.
    pub head: Duration,
    /// The time without a request after which a connection is asked to end. Longer than proxies
    /// usually keep an idle one, so that none sends a request on a connection that is being closed.
    pub idle: Duration,
    /// The time in which a connection ends that was asked to.
    pub farewell: Duration,
    /// The time in which a client reads something of what is written to it.
    pub write: Duration,
    /// The time for requests in flight when the server is told to stop. With the moment before it,
    /// less than the ten seconds after which container engines kill.
    pub grace: Duration,
    /// The pause after the system refused a new connection.
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

/// The longest head of a request, in bytes: HTTP/1, or decoded HTTP/2 headers. A token has at most
/// 16 KiB.
pub(super) const HEAD_BYTES: u32 = 64 * 1024;
/// The requests at a time on one HTTP/2 connection.
pub(super) const STREAMS: u32 = 100;
/// The bytes of one body that an HTTP/2 client may send before it is asked for more.
pub(super) const STREAM_WINDOW: u32 = 64 * 1024;
/// The same for all bodies of a connection together, in bytes.
pub(super) const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// The bytes of an answer that are queued per HTTP/2 stream.
pub(super) const SEND_BUFFER: usize = 64 * 1024;
/// The streams that an HTTP/2 client may reset before they begin, and those that it may break.
pub(super) const RESETS: usize = 20;
/// The interval of the pings that show whether an HTTP/2 client is still there.
pub(super) const PING: Duration = Duration::from_secs(20);
