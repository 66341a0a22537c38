//! A fake AI service that speaks OpenAI's protocol over real sockets, and fails on request.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What it does with every request.
#[derive(Clone, Debug)]
pub(crate) enum Treatment {
    /// Status line without the version, further headers, body.
    Answer(&'static str, String, String),
    /// A body without an end.
    Endless,
    HangUp,
    Silence,
}

impl Treatment {
    /// An answer as the protocol wants it.
    pub(crate) fn says(content: &str) -> Self {
        let message = json!({ "role": "assistant", "content": content });
        let body = json!({
            "id": "chatcmpl-1", "object": "chat.completion", "created": 1_700_000_000,
            "model": "small-1", "service_tier": "unheard-of",
            "choices": [{ "index": 0, "message": message, "finish_reason": "whatever" }],
            "usage": { "prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2 },
        });
        Self::Answer("200 OK", String::new(), body.to_string())
    }

    pub(crate) fn status(status: &'static str) -> Self {
        let body = json!({ "error": { "message": CANARY, "type": "canary", "code": "canary" } });
        Self::Answer(status, String::new(), body.to_string())
    }
}

/// Stands in every error of the service; no client may ever see it, and no log.
pub(crate) const CANARY: &str = "canary: invalid key sk-canary for prompt";

/// The service. Gone with the test.
pub(crate) struct AiService {
    url: String,
    shared: Arc<Shared>,
}

struct Shared {
    treatment: watch::Sender<Treatment>,
    requests: watch::Sender<Vec<String>>,
    /// Connections whose client went away before there was an answer.
    deserted: watch::Sender<usize>,
}

impl AiService {
    pub(crate) async fn start(treatment: Treatment) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let shared = Arc::new(Shared {
            treatment: watch::Sender::new(treatment),
            requests: watch::Sender::default(),
            deserted: watch::Sender::default(),
        });
        let accepting = Arc::clone(&shared);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let shared = Arc::clone(&accepting);
                // A client that is cut off ends its connection's task, and nothing else.
                tokio::spawn(async move { shared.serve(stream).await });
            }
        });
        Self { url, shared }
    }

    /// What points a server at it.
    pub(crate) fn variables(&self) -> Vec<(String, String)> {
        variables(&self.url)
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn treat(&self, treatment: Treatment) {
        self.shared.treatment.send_replace(treatment);
    }

    /// All requests, head and body, once there were so many.
    pub(crate) async fn requests(&self, count: usize) -> Vec<String> {
        let mut requests = self.shared.requests.subscribe();
        let enough = requests.wait_for(|requests| requests.len() >= count);
        tokio::time::timeout(super::DEADLINE, enough).await.expect("in time").unwrap().clone()
    }

    /// Resolves once so many clients went away unanswered.
    pub(crate) async fn deserted(&self, count: usize) {
        let mut deserted = self.shared.deserted.subscribe();
        let enough = deserted.wait_for(|deserted| *deserted >= count);
        tokio::time::timeout(super::DEADLINE, enough).await.expect("in time").unwrap();
    }
}

/// The variables of a service at this URL.
pub(crate) fn variables(url: &str) -> Vec<(String, String)> {
    [("OPENAI_BASE_URL", url), ("OPENAI_API_KEY", "sk-canary"), ("OPENAI_MODEL", "small")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

impl Shared {
    async fn serve(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let request = read_request(&mut stream).await?;
        self.requests.send_modify(|requests| requests.push(request));
        let treatment = self.treatment.borrow().clone();
        match treatment {
            Treatment::Answer(status, headers, body) => {
                let head = format!(
                    "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
                     Connection: close\r\n{headers}\r\n",
                    body.len()
                );
                stream.write_all(head.as_bytes()).await?;
                stream.write_all(body.as_bytes()).await
            }
            Treatment::Endless => {
                let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n[";
                stream.write_all(head.as_bytes()).await?;
                while stream.write_all(&[b' '; 4096]).await.is_ok() {}
                self.deserted.send_modify(|count| *count += 1);
                Ok(())
            }
            Treatment::HangUp => Ok(()),
            Treatment::Silence => {
                // Nothing more comes but the end, however it comes.
                let _ = stream.read(&mut [0; 1]).await;
                self.deserted.send_modify(|count| *count += 1);
                Ok(())
            }
        }
    }
}

async fn read_request(stream: &mut TcpStream) -> std::io::Result<String> {
    let mut received = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&received);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let mut headers = head.lines().filter_map(|line| line.split_once(": "));
            let length = headers.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
            if length.is_none_or(|(_, length)| body.len() >= length.parse().unwrap()) {
                return Ok(text.into_owned());
            }
        }
        let mut chunk = [0; 4096];
        let length = stream.read(&mut chunk).await?;
        if length == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        received.extend_from_slice(&chunk[..length]);
    }
}

/// The body of a recorded request.
pub(crate) fn body(request: &str) -> Value {
    serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap()
}
