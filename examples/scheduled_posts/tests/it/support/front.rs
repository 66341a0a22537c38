//! A proxy in front of the server, like a load balancer: it forwards everything, until it is told
//! to answer the API's requests itself or to hold them back.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Uri, header};
use axum::response::Response;
use tokio::net::TcpListener;
use tokio::sync::watch;

pub(crate) struct Front {
    pub(crate) url: String,
    shared: Arc<Shared>,
}

struct Shared {
    server: String,
    client: reqwest::Client,
    fault: Mutex<Option<Fault>>,
    held: watch::Sender<bool>,
    asked: Mutex<Vec<String>>,
}

/// An error in the server's place.
#[derive(Clone)]
pub(crate) struct Fault {
    status: u16,
    retry_after: Option<&'static str>,
    detail: String,
}

impl Front {
    pub(crate) async fn before(server_port: u16) -> Self {
        let shared = Arc::new(Shared {
            server: format!("http://127.0.0.1:{server_port}"),
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
            fault: Mutex::new(None),
            held: watch::Sender::new(false),
            asked: Mutex::new(Vec::new()),
        });
        let app = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, shared }
    }

    /// Answers the API's requests with this from now on, or passes them on again.
    pub(crate) fn answer(&self, fault: Option<Fault>) {
        *self.shared.fault.lock().unwrap() = fault;
    }

    /// Holds the API's requests back, or lets them go.
    pub(crate) fn hold(&self, held: bool) {
        self.shared.held.send_replace(held);
    }

    /// The API's requests so far: `GET /api/me`, without what follows a `?`.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.shared.asked.lock().unwrap().clone()
    }
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    mut headers: HeaderMap,
    body: Bytes,
) -> Response {
    if uri.path().starts_with("/api/") {
        shared.asked.lock().unwrap().push(format!("{method} {}", uri.path()));
        shared.held.subscribe().wait_for(|held| !held).await.unwrap();
        let fault = shared.fault.lock().unwrap().clone();
        if let Some(fault) = fault {
            return fault.response();
        }
    }
    for name in [header::HOST, header::CONNECTION, header::CONTENT_LENGTH] {
        headers.remove(name);
    }
    let request = shared.client.request(method, format!("{}{uri}", shared.server));
    let answer = request.headers(headers).body(body).send().await.unwrap();
    let mut response = Response::builder().status(answer.status());
    *response.headers_mut().unwrap() = answer.headers().clone();
    let headers = response.headers_mut().unwrap();
    headers.remove(header::CONNECTION);
    headers.remove(header::TRANSFER_ENCODING);
    response.body(Body::from(answer.bytes().await.unwrap())).unwrap()
}

impl Fault {
    /// An error as the server would tell it.
    pub(crate) fn error(status: u16, retry_after: Option<&'static str>, detail: &str) -> Self {
        Self { status, retry_after, detail: detail.to_owned() }
    }

    fn response(&self) -> Response {
        let mut response = Response::builder()
            .status(self.status)
            .header(header::CONTENT_TYPE, "application/json");
        if let Some(seconds) = self.retry_after {
            response = response.header(header::RETRY_AFTER, seconds);
        }
        let body = serde_json::json!({ "detail": self.detail });
        response.body(Body::from(body.to_string())).unwrap()
    }
}
