//! A fake server that receives deliveries one by one and answers as the test says.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// A delivery as it came over the wire.
pub(crate) struct Try {
    head: String,
    pub(crate) body: String,
}

impl Try {
    /// Takes the next one in, and answers it.
    pub(crate) async fn receive(server: &TcpListener, status: &str) -> Self {
        let (mut stream, _) = server.accept().await.unwrap();
        let mut received = String::new();
        let (head, body) = loop {
            let mut chunk = [0; 4096];
            let length = stream.read(&mut chunk).await.unwrap();
            assert!(length > 0, "{received}");
            received.push_str(std::str::from_utf8(&chunk[..length]).unwrap());
            let Some((head, body)) = received.split_once("\r\n\r\n") else { continue };
            let length: usize = header(head, "content-length").parse().unwrap();
            if body.len() == length {
                break (head.to_owned(), body.to_owned());
            }
        };
        let end = format!("HTTP/1.1 {status}\r\nConnection: close\r\n\r\n");
        stream.write_all(end.as_bytes()).await.unwrap();
        Self { head, body }
    }

    /// Takes in whatever comes next, and answers it with this body.
    pub(crate) async fn receive_any(server: &TcpListener, status: &str, body: &str) {
        let (mut stream, _) = server.accept().await.unwrap();
        let mut received = Vec::new();
        while !received.ends_with(b"\r\n\r\n") {
            if stream.read_buf(&mut received).await.unwrap_or(0) == 0 {
                return;
            }
        }
        let length = body.len();
        let answer = format!(
            "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        );
        let _ = stream.write_all(answer.as_bytes()).await;
    }

    pub(crate) fn header(&self, name: &str) -> String {
        header(&self.head, name)
    }
}

fn header(head: &str, name: &str) -> String {
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).unwrap().1.to_owned()
}
