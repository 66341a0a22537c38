//! A dozen stacks of axum, hyper and tonic, with CORS, timeouts, traces and compression outside of the
//! layer and inside of it. That they compile is half of what they show.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod on_axum;
mod on_hyper;
mod on_tonic;

use std::net::SocketAddr;
use std::time::Duration;

use http::{HeaderValue, Method, StatusCode};
use tower_clerk::session::ClerkAuthLayer;
use tower_clerk::test_util::Issuer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::SizeAbove;
use tower_http::cors::CorsLayer;
use tower_http::timeout::TimeoutLayer;
use tower_http::trace::{HttpMakeClassifier, TraceLayer};

const ORIGIN: &str = "https://app.example.com";

/// An issuer, and a layer that lets its users pass.
fn guard() -> (Issuer, ClerkAuthLayer) {
    let issuer = Issuer::new("https://clerk.example.com", "ins_1");
    let layer = ClerkAuthLayer::new(issuer.verifier());
    (issuer, layer)
}

fn cors() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(HeaderValue::from_static(ORIGIN))
        .allow_methods([Method::GET])
        .allow_headers([http::header::AUTHORIZATION])
}

fn timeout() -> TimeoutLayer {
    TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, Duration::from_secs(30))
}

fn trace() -> TraceLayer<HttpMakeClassifier> {
    TraceLayer::new_for_http()
}

fn compression() -> CompressionLayer<SizeAbove> {
    CompressionLayer::new().compress_when(SizeAbove::new(1))
}

/// What a stack has for its clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Expected {
    /// Preflights are answered, and answers are for other origins.
    cors: bool,
    /// Answers are compressed, those of the layer too.
    refusals_compressed: bool,
}

/// Asks as a user, as nobody and as a browser that asks whether it may.
async fn try_out(addr: SocketAddr, issuer: &Issuer, expected: Expected) {
    let url = format!("http://{addr}/");
    let client = reqwest::Client::new();
    let ask = async |token: Option<&str>| {
        let mut request =
            client.get(&url).header("origin", ORIGIN).header("accept-encoding", "gzip");
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        request.send().await.unwrap()
    };
    let signed_in = ask(Some(&issuer.token("user_1").mint())).await;
    assert_eq!(signed_in.status(), 200);
    assert!(!signed_in.bytes().await.unwrap().is_empty());

    for token in [None, Some("garbage"), Some(&*issuer.rotated("ins_1").token("user_1").mint())] {
        let refused = ask(token).await;
        assert_eq!(refused.status(), 401, "{token:?}");
        let headers = refused.headers();
        let challenge = token.map_or("Bearer", |_| r#"Bearer error="invalid_token""#);
        assert_eq!(headers["www-authenticate"], challenge);
        assert_eq!(headers.contains_key("access-control-allow-origin"), expected.cors);
        assert_eq!(headers.contains_key("content-encoding"), expected.refusals_compressed);
        let body = refused.bytes().await.unwrap();
        assert_eq!(body.starts_with(&[0x1f, 0x8b]), expected.refusals_compressed);
        assert!(expected.refusals_compressed || body.starts_with(br#"{"detail":"#));
    }

    let preflight = client
        .request(Method::OPTIONS, &url)
        .header("origin", ORIGIN)
        .header("access-control-request-method", "GET")
        .header("access-control-request-headers", "authorization");
    let answer = preflight.send().await.unwrap();
    assert_eq!(answer.status(), if expected.cors { 200 } else { 401 });
    assert_eq!(answer.headers().contains_key("access-control-allow-origin"), expected.cors);
}
