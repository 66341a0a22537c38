//! A Backend API on a socket of its own that is asked about tokens, and answers as it is told.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;

pub(super) struct TokenApi {
    addr: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    answers: Mutex<HashMap<String, (u16, String)>>,
    asked: Mutex<Vec<Asked>>,
    count: watch::Sender<usize>,
    /// Whether answers are held back.
    is_held: watch::Sender<bool>,
    /// A header line that each answer has, beside the server's own.
    header: Mutex<Option<(&'static str, String)>>,
}

/// A question as it arrived.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) path: String,
    pub(super) authorization: String,
    pub(super) body: Value,
}

impl TokenApi {
    pub(super) async fn start() -> Self {
        let shared = Arc::new(Shared {
            answers: Mutex::default(),
            asked: Mutex::default(),
            count: watch::Sender::new(0),
            is_held: watch::Sender::new(false),
            header: Mutex::default(),
        });
        let app = Router::new().fallback(answer).with_state(shared.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { addr, shared }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Answers questions about this token so; all others with 404.
    pub(super) fn answers(&self, token: &str, status: u16, body: &Value) {
        let answer = (status, body.to_string());
        self.shared.answers.lock().unwrap().insert(token.to_owned(), answer);
    }

    pub(super) fn says(&self, token: &str, status: u16, body: &str) {
        let answer = (status, body.to_owned());
        self.shared.answers.lock().unwrap().insert(token.to_owned(), answer);
    }

    pub(super) fn adds(&self, name: &'static str, value: &str) {
        *self.shared.header.lock().unwrap() = Some((name, value.to_owned()));
    }

    pub(super) fn asked(&self) -> Vec<Asked> {
        self.shared.asked.lock().unwrap().clone()
    }

    pub(super) fn count(&self) -> usize {
        self.asked().len()
    }

    /// Waits until so many questions have arrived.
    pub(super) async fn saw(&self, questions: usize) {
        let mut count = self.shared.count.subscribe();
        let seen = count.wait_for(|count| *count >= questions);
        tokio::time::timeout(super::DEADLINE, seen).await.unwrap().unwrap();
    }

    pub(super) fn holds(&self, is_held: bool) {
        self.shared.is_held.send_replace(is_held);
    }
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let token = body.as_object().and_then(|all| all.values().next()).and_then(Value::as_str);
    let token = token.unwrap_or_default().to_owned();
    let authorization = headers["authorization"].to_str().unwrap().to_owned();
    let asked = Asked { path: uri.path().to_owned(), authorization, body };
    shared.asked.lock().unwrap().push(asked);
    shared.count.send_modify(|count| *count += 1);
    let mut is_held = shared.is_held.subscribe();
    is_held.wait_for(|is_held| !is_held).await.unwrap();
    let known = shared.answers.lock().unwrap().get(&token).cloned();
    let (status, body) = known.unwrap_or((404, r#"{"errors":[{"code":"not_found"}]}"#.to_owned()));
    let mut response = (StatusCode::from_u16(status).unwrap(), body).into_response();
    if let Some((name, value)) = shared.header.lock().unwrap().clone() {
        response.headers_mut().insert(name, value.parse().unwrap());
    }
    response
}
