//! A fake Frontend API of a Clerk instance over HTTPS, with its own ClerkJS and the test's tokens,
//! for the page with a publishable key.

use std::sync::{Arc, Mutex};

use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;

/// For one user, who signs in by visiting the sign-in page.
pub(crate) struct FrontendApi {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    user: Mutex<User>,
    /// What is asked for a token, with the publishable keys that a ClerkJS was started with.
    token: Mutex<String>,
    keys: Mutex<Vec<String>>,
    broken: Mutex<bool>,
}

#[derive(Default)]
struct User {
    email: String,
    signed_in: bool,
}

impl FrontendApi {
    pub(crate) async fn start(email: &str, token: &str) -> Self {
        let shared = Arc::new(Shared::default());
        shared.user.lock().unwrap().email = email.to_owned();
        *shared.token.lock().unwrap() = token.to_owned();
        let app = Router::new()
            .route("/npm/@clerk/clerk-js@6/dist/clerk.browser.js", get(clerk_js))
            .route("/client", post(client))
            .route("/token", post(give_token))
            .route("/sign-in", get(sign_in))
            .route("/sign-out", post(sign_out))
            .with_state(Arc::clone(&shared));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(serve(listener, acceptor(), app));
        Self { port, shared }
    }

    /// The key of this instance.
    pub(crate) fn publishable_key() -> String {
        format!("pk_test_{}", STANDARD.encode(format!("{HOST}$")))
    }

    /// What makes Chromium look for the instance here.
    pub(crate) fn chromium_argument(&self) -> String {
        format!("--host-resolver-rules=MAP {HOST} 127.0.0.1:{}", self.port)
    }

    /// The keys with which ClerkJS was started.
    pub(crate) fn keys(&self) -> Vec<String> {
        self.shared.keys.lock().unwrap().clone()
    }

    /// Serves no ClerkJS any more.
    pub(crate) fn break_down(&self) {
        *self.shared.broken.lock().unwrap() = true;
    }
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor, app: Router) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (acceptor, app) = (acceptor.clone(), app.clone());
        tokio::spawn(async move {
            // Browsers open connections that they do not use.
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let service = TowerToHyperService::new(app);
            let server = Builder::new(TokioExecutor::new());
            let _ = server.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

fn acceptor() -> TlsAcceptor {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(vec![HOST.to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(signing_key.serialize_der());
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key.into())
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

async fn clerk_js(State(shared): State<Arc<Shared>>) -> Response {
    if *shared.broken.lock().unwrap() {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let headers = [(header::CONTENT_TYPE, "text/javascript"), ANY_ORIGIN];
    (headers, include_str!("frontend_api.js")).into_response()
}

async fn client(
    State(shared): State<Arc<Shared>>,
    Query(query): Query<Vec<(String, String)>>,
) -> Response {
    let key = query.into_iter().find(|(name, _)| name == "key").unwrap().1;
    shared.keys.lock().unwrap().push(key);
    let user = shared.user.lock().unwrap();
    let email = user.signed_in.then(|| user.email.clone());
    told(&json!({ "email": email }))
}

async fn give_token(State(shared): State<Arc<Shared>>) -> Response {
    let token = shared.token.lock().unwrap().clone();
    told(&json!({ "jwt": token }))
}

async fn sign_in(
    State(shared): State<Arc<Shared>>,
    Query(query): Query<Vec<(String, String)>>,
) -> Redirect {
    shared.user.lock().unwrap().signed_in = true;
    let back = query.into_iter().find(|(name, _)| name == "redirect_url").unwrap().1;
    Redirect::to(&back)
}

async fn sign_out(State(shared): State<Arc<Shared>>) -> Response {
    shared.user.lock().unwrap().signed_in = false;
    told(&json!({}))
}

fn told(answer: &Value) -> Response {
    ([ANY_ORIGIN], Json(answer)).into_response()
}

pub(crate) const HOST: &str = "clerk.example.test";
const ANY_ORIGIN: (header::HeaderName, &str) = (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*");
