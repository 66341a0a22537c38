//! How a delivery travels: methods, bodies, failures of the sink, and real sockets.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::Full;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tower_clerk::test_util::{SignedDelivery, user_created};
use tower_clerk::webhook::{
    Delivery, DeliveryError, DeliveryErrorKind, Outcome, Sink, SinkError, WebhookService,
};

use crate::support::body::{Broken, Endless, Stalled, Untouchable};
use crate::support::delivery::{Recorder, builder, secret, send, signed, signed_now};

/// A genuine request whose body is exchanged for another.
fn with_body<B>(body: B) -> Request<B> {
    signed("msg_1", &json!({ "type": "x.y" })).into_request().map(|_| body)
}

fn recording() -> WebhookService<Arc<Recorder>> {
    builder(Arc::new(Recorder::default())).body_limit(64 * 1024).build().unwrap()
}

#[tokio::test]
async fn e18_a_webhook_is_a_post() {
    for method in [Method::GET, Method::HEAD, Method::PUT, Method::DELETE, Method::OPTIONS] {
        let mut request = with_body(Untouchable);
        *request.method_mut() = method;
        let answer = send(&recording(), request).await;
        assert_eq!(answer.status(), 405);
        assert_eq!(answer.parts.headers["allow"], "POST");
        assert_eq!(answer.refusal(), DeliveryErrorKind::MethodNotAllowed);
    }
}

#[tokio::test]
async fn e19_an_announced_length_over_the_limit_is_refused_with_nothing_read() {
    for length in ["65537", "18446744073709551615"] {
        let mut request = with_body(Untouchable);
        request.headers_mut().insert("content-length", length.parse().unwrap());
        assert_eq!(send(&recording(), request).await.status(), 413);
    }
}

#[tokio::test]
async fn e19_an_unannounced_length_is_read_no_further_than_the_limit() {
    let chunks = Arc::new(AtomicUsize::new(0));
    let answer = send(&recording(), with_body(Endless(Arc::clone(&chunks)))).await;
    assert_eq!(answer.status(), 413);
    assert_eq!(answer.refusal(), DeliveryErrorKind::BodyTooLarge);
    assert!(chunks.load(Ordering::Relaxed) <= 65);
}

#[tokio::test]
async fn e19_a_body_of_exactly_the_limit_is_taken() {
    for (length, status) in [(64 * 1024, 204), (64 * 1024 + 1, 413)] {
        let mut body = r#"{"type":"x.y"}"#.to_owned();
        body.push_str(&" ".repeat(length - body.len()));
        let request = SignedDelivery::new(
            &secret(),
            "msg_1",
            crate::support::delivery::at(crate::support::delivery::NOW),
            body,
        );
        assert_eq!(send(&recording(), request.into_request()).await.status(), status);
    }
}

#[tokio::test(start_paused = true)]
async fn e20_a_stalled_body_is_given_up() {
    let answer = send(&recording(), with_body(Stalled)).await;
    assert_eq!(answer.status(), 408);
    assert_eq!(answer.refusal(), DeliveryErrorKind::BodyTimeout);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_refused() {
    let answer = send(&recording(), with_body(Broken)).await;
    assert_eq!(answer.status(), 400);
    assert_eq!(answer.refusal(), DeliveryErrorKind::BodyUnreadable);
}

enum Fails {
    For(&'static str),
    Never(&'static str),
    Hangs,
}

impl Sink for Fails {
    async fn apply(&self, _: &Delivery) -> Result<Outcome, SinkError> {
        match self {
            Self::For(text) => Err(SinkError::transient(*text)),
            Self::Never(text) => Err(SinkError::permanent(*text)),
            Self::Hangs => std::future::pending().await,
        }
    }
}

#[tokio::test]
async fn a_failing_sink_is_never_answered_with_success_and_leaks_nothing() {
    for (sink, status, retry) in [
        (Fails::For("postgres://user:pass@host"), 503, true),
        (Fails::Never("relation \"users\" does not exist"), 500, false),
    ] {
        let service = builder(sink).build().unwrap();
        let answer = send(&service, signed("msg_1", &json!({"type":"x.y"})).into_request()).await;
        assert_eq!(answer.status(), status);
        assert_eq!(answer.parts.headers.contains_key("retry-after"), retry);
        let text = String::from_utf8(answer.body.to_vec()).unwrap();
        assert!(!text.contains("host") && !text.contains("users"), "{text}");

        let error = answer.parts.extensions.get::<DeliveryError>().unwrap();
        assert_eq!(error.delivery_id(), Some("msg_1"));
        assert_eq!(error.retry_helps(), retry);
        assert!(error.report().to_string().contains(if retry { "host" } else { "users" }));
    }
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_hangs_is_answered_before_the_sender_gives_up() {
    let service = builder(Fails::Hangs).build().unwrap();
    let started = tokio::time::Instant::now();
    let answer = send(&service, signed("msg_1", &json!({ "type": "x.y" })).into_request()).await;
    assert_eq!(answer.status(), 503);
    assert_eq!(answer.refusal(), DeliveryErrorKind::DeadlinePassed);
    assert!(started.elapsed() < Duration::from_secs(15));
}

/// Posts a delivery over a socket, chunked or with its length; gives the status.
pub(crate) async fn post(
    address: std::net::SocketAddr,
    delivery: &SignedDelivery,
    chunked: bool,
) -> u16 {
    let mut request = "POST /webhook HTTP/1.1\r\nhost: test\r\nconnection: close\r\n".to_owned();
    for (name, value) in delivery.headers() {
        request.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap()));
    }
    let body = std::str::from_utf8(delivery.body()).unwrap();
    let length = body.len();
    if chunked {
        let (a, b) = body.split_at(10);
        request.push_str("transfer-encoding: chunked\r\n\r\n");
        request.push_str(&format!("a\r\n{a}\r\n{:x}\r\n{b}\r\n0\r\n\r\n", length - 10));
    } else {
        request.push_str(&format!("content-length: {length}\r\n\r\n{body}"));
    }
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    response.split(' ').nth(1).unwrap().parse().unwrap()
}

/// A genuine and a forged delivery over a socket; only the genuine one reaches the sink.
async fn check(address: std::net::SocketAddr, recorder: &Recorder) {
    let body = user_created("user_1", Some("ann@example.com"), 1);
    for (id, chunked) in [("msg_1", false), ("msg_2", true)] {
        assert_eq!(post(address, &signed_now(id, &body), chunked).await, 204);
    }
    let other = tower_clerk::secret::SigningSecret::parse(crate::support::delivery::OTHER_SECRET);
    let forged = SignedDelivery::new(
        &other.unwrap(),
        "msg_3",
        recorder.deliveries()[0].sent_at(),
        body.to_string(),
    );
    assert_eq!(post(address, &forged, false).await, 400);
    let ids: Vec<_> = recorder.deliveries().iter().map(|d| d.id().to_owned()).collect();
    assert_eq!(ids, ["msg_1", "msg_2"]);
}

pub(crate) fn live(recorder: &Arc<Recorder>) -> WebhookService<Arc<Recorder>> {
    WebhookService::builder([secret()], Arc::clone(recorder)).build().unwrap()
}

#[tokio::test]
async fn a_delivery_arrives_through_axum() {
    let recorder = Arc::new(Recorder::default());
    let app: axum::Router = axum::Router::new().route_service("/webhook", live(&recorder));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move { axum::serve(listener, app).await });
    check(address, &recorder).await;
    server.abort();
}

#[tokio::test]
async fn a_delivery_arrives_through_plain_hyper() {
    let recorder = Arc::new(Recorder::default());
    let service = live(&recorder);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let service = TowerToHyperService::new(service.clone());
            let connection = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service);
            tokio::spawn(connection);
        }
    });
    check(address, &recorder).await;
    server.abort();
}

#[tokio::test]
async fn a_delivery_arrives_beside_a_tonic_service_on_the_same_port() {
    use tonic_health::pb::HealthCheckRequest;
    use tonic_health::pb::health_client::HealthClient;

    let recorder = Arc::new(Recorder::default());
    let (_reporter, health) = tonic_health::server::health_reporter();
    let app = tonic::service::Routes::new(health)
        .into_axum_router()
        .route_service("/webhook", live(&recorder));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let service = TowerToHyperService::new(app.clone());
            tokio::spawn(async move {
                let executor = hyper_util::rt::TokioExecutor::new();
                let _closed = hyper_util::server::conn::auto::Builder::new(executor)
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    });
    check(address, &recorder).await;
    let endpoint = tonic::transport::Endpoint::new(format!("http://{address}")).unwrap();
    let mut client = HealthClient::new(endpoint.connect().await.unwrap());
    let answer = client.check(HealthCheckRequest { service: String::new() }).await.unwrap();
    assert_eq!(answer.into_inner().status, 1, "serving");
    server.abort();
}

#[test]
fn a_service_can_be_shared_whatever_its_sink_is() {
    fn shareable<T: Clone + Send + Sync + 'static>(_: &T) {}
    struct NotClone;
    impl Sink for NotClone {
        async fn apply(&self, _: &Delivery) -> Result<Outcome, SinkError> {
            Ok(Outcome::Ignored)
        }
    }
    let service = builder(NotClone).build().unwrap();
    shareable(&service);
    let _: &NotClone = service.sink();
    let _: Request<Full<Bytes>> = signed("msg_1", &json!({})).into_request();
}
