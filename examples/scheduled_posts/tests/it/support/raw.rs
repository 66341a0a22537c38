//! Bytes over a socket, as no client library would send them.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::DEADLINE;

/// A connection.
pub(crate) struct Raw<S = TcpStream> {
    stream: S,
    /// Read, and not looked at yet.
    left: Vec<u8>,
}

impl Raw {
    pub(crate) async fn open(port: u16) -> Self {
        Self::new(TcpStream::connect(("127.0.0.1", port)).await.unwrap())
    }

    /// Sends all of this on a connection of its own, and reads until the server ends it.
    pub(crate) async fn ask(port: u16, request: impl AsRef<[u8]>) -> String {
        let mut raw = Self::open(port).await;
        raw.send(request).await;
        raw.rest().await
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Raw<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream, left: Vec::new() }
    }

    /// Sends what the server still takes.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let sent = async {
            let _ = self.stream.write_all(bytes.as_ref()).await;
            let _ = self.stream.flush().await;
        };
        in_time("the server takes what is sent", sent).await;
    }

    /// The next answer: its head and as much body as it announces.
    pub(crate) async fn answer(&mut self) -> String {
        loop {
            if let Some(end) = whole(&self.left) {
                let answer: Vec<u8> = self.left.drain(..end).collect();
                return String::from_utf8(answer).unwrap();
            }
            let more = self.read_some().await;
            assert!(more, "no whole answer: {:?}", String::from_utf8_lossy(&self.left));
        }
    }

    /// What comes until the server ends the connection, however rudely.
    pub(crate) async fn rest(&mut self) -> String {
        while self.read_some().await {}
        String::from_utf8_lossy(&std::mem::take(&mut self.left)).into_owned()
    }

    /// The same as bytes.
    pub(crate) async fn into_rest(mut self) -> Vec<u8> {
        while self.read_some().await {}
        self.left
    }

    /// Sends a byte again and again until the server has had enough; what it said before.
    pub(crate) async fn dribble(&mut self, byte: u8) -> String {
        let mut pace = tokio::time::interval(PACE);
        let mut bytes = Vec::new();
        let (mut read, mut write) = tokio::io::split(&mut self.stream);
        let dribble = async {
            loop {
                pace.tick().await;
                if write.write_all(&[byte]).await.is_err() || write.flush().await.is_err() {
                    break;
                }
            }
        };
        let ended = async {
            tokio::select! {
                _ = read.read_to_end(&mut bytes) => {}
                () = dribble => {}
            }
        };
        in_time("the server ends it", ended).await;
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The next frame of HTTP/2: its type, its flags and its payload. `None` at the end.
    pub(crate) async fn frame(&mut self) -> Option<(u8, u8, Vec<u8>)> {
        loop {
            if let Some(([a, b, c, kind, flags, ..], rest)) = self.left.split_first_chunk::<9>() {
                let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
                if rest.len() >= length {
                    let (kind, flags) = (*kind, *flags);
                    let payload = rest[..length].to_vec();
                    self.left.drain(..9 + length);
                    return Some((kind, flags, payload));
                }
            }
            if !self.read_some().await {
                return None;
            }
        }
    }

    /// The payload of the next frame of one of these kinds. `None` at the end.
    pub(crate) async fn frame_of(&mut self, kinds: &[u8]) -> Option<Vec<u8>> {
        loop {
            let (kind, _, payload) = self.frame().await?;
            if kinds.contains(&kind) {
                return Some(payload);
            }
        }
    }

    /// Sends as much as the server takes within a moment.
    pub(crate) async fn try_send(&mut self, bytes: &[u8]) {
        let _ = tokio::time::timeout(MOMENT, self.stream.write_all(bytes)).await;
    }

    async fn read_some(&mut self) -> bool {
        let read = self.stream.read_buf(&mut self.left);
        // A reset is an end too.
        in_time("the server says something or ends", read).await.unwrap_or(0) > 0
    }
}

/// Frames of HTTP/2, as they go over the wire.
#[derive(Default)]
pub(crate) struct Frames(pub(crate) Vec<u8>);

impl Frames {
    /// What a client begins with: the preface, and settings of its own.
    pub(crate) fn preface(settings: &[(u16, u32)]) -> Self {
        let frames = Self(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec());
        let payload: Vec<u8> = settings
            .iter()
            .flat_map(|(id, value)| [&id.to_be_bytes()[..], &value.to_be_bytes()].concat())
            .collect();
        frames.frame(4, 0, 0, &payload)
    }

    pub(crate) fn frame(mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Self {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        self.0.extend(&length[1..]);
        self.0.extend([kind, flags]);
        self.0.extend(stream.to_be_bytes());
        self.0.extend(payload);
        self
    }

    /// `GET /healthz` without a body.
    pub(crate) fn get(self, stream: u32) -> Self {
        self.frame(HEADERS, END_STREAM | END_HEADERS, stream, GET)
    }
}

/// The end of the first whole answer in these bytes.
fn whole(bytes: &[u8]) -> Option<usize> {
    let head_end = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&bytes[..head_end]).unwrap().to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.map_or(0, |length| length.parse().unwrap());
    (bytes.len() >= head_end + length).then_some(head_end + length)
}

async fn in_time<T>(what: &str, future: impl Future<Output = T>) -> T {
    let ended = tokio::time::timeout(DEADLINE, future).await;
    ended.unwrap_or_else(|_| panic!("waited {DEADLINE:?} in vain: {what}"))
}

pub(crate) const HEADERS: u8 = 1;
pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;
/// `:method: GET`, `:scheme: http`, `:authority: a`, `:path: /healthz`, in HPACK.
pub(crate) const GET: &[u8] = b"\x82\x86\x41\x01a\x44\x08/healthz";
const PACE: Duration = Duration::from_millis(50);
const MOMENT: Duration = Duration::from_secs(2);
