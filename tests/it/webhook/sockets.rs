//! Hostile senders over real sockets, and the others who go on meanwhile.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tower_clerk::secret::SigningSecret;
use tower_clerk::session::{ClerkAuthLayer, StaticKeys, Verifier};
use tower_clerk::test_util::user_created;
use tower_clerk::webhook::WebhookService;

use crate::support::delivery::{Recorder, SECRET, signed_now};
use crate::support::servers::{ISS, issuer};
use crate::webhook::transport::{live, post};

async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

/// A server whose bodies may hold 64 KiB and take 400 ms.
async fn strict(recorder: &Arc<Recorder>) -> SocketAddr {
    let service = WebhookService::builder(SigningSecret::parse(SECRET), Arc::clone(recorder))
        .body_limit(64 * 1024)
        .body_timeout(Duration::from_millis(400))
        .build()
        .unwrap();
    serve(Router::new().route_service("/webhook", service)).await
}

/// The head of a genuine delivery, up to where a header about its body follows.
fn head(id: &str) -> String {
    let mut head = "POST /webhook HTTP/1.1\r\nhost: test\r\n".to_owned();
    for (name, value) in signed_now(id, &user_created("user_1", None, 1)).headers() {
        head.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap()));
    }
    head
}

/// Reads until the server closes, in whatever way; gives the status.
async fn status(mut stream: impl tokio::io::AsyncRead + Unpin) -> String {
    let mut answer = Vec::new();
    while let Ok(1..) = stream.read_buf(&mut answer).await {}
    String::from_utf8_lossy(&answer).split(' ').nth(1).unwrap_or("no answer").to_owned()
}

async fn in_time<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(30), future).await.expect("it takes too long")
}

#[tokio::test]
async fn e18_the_webhook_beside_protected_routes_needs_no_bearer_token() {
    let issuer = issuer();
    let keys = StaticKeys::from_jwks(&issuer.jwks().to_string()).unwrap();
    let layer = ClerkAuthLayer::new(Verifier::builder(ISS, keys).build().unwrap());
    let recorder = Arc::new(Recorder::default());
    let app = Router::new()
        .route("/", get(async || "protected"))
        .layer(layer)
        .route_service("/webhook", live(&recorder));
    let address = serve(app).await;

    let delivery = signed_now("msg_1", &user_created("user_1", None, 1));
    assert_eq!(post(address, &delivery, false).await, 204);
    assert_eq!(recorder.only().id(), "msg_1");
    for (line, expected) in [("GET /", "401"), ("GET /webhook", "405"), ("PUT /webhook", "405")] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request =
            format!("{line} HTTP/1.1\r\nhost: t\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        assert_eq!(in_time(status(stream)).await, expected, "{line}");
    }
}

#[tokio::test]
async fn e19_a_body_over_the_limit_is_answered_and_cut_off_chunked_or_announced() {
    let recorder = Arc::new(Recorder::default());
    let address = strict(&recorder).await;

    let (reader, mut writer) = TcpStream::connect(address).await.unwrap().into_split();
    let request = format!("{}content-length: 104857600\r\n\r\n", head("msg_1"));
    writer.write_all(request.as_bytes()).await.unwrap();
    assert_eq!(in_time(status(reader)).await, "413", "announced, and nothing of it sent");

    let (reader, mut writer) = TcpStream::connect(address).await.unwrap().into_split();
    let request = format!("{}transfer-encoding: chunked\r\n\r\n", head("msg_2"));
    writer.write_all(request.as_bytes()).await.unwrap();
    // For as long as the server lets it.
    let sender = tokio::spawn(async move {
        let chunk = format!("2000\r\n{}\r\n", " ".repeat(0x2000));
        while writer.write_all(chunk.as_bytes()).await.is_ok() {}
    });
    assert_eq!(in_time(status(reader)).await, "413", "chunked");
    in_time(sender).await.unwrap();

    let delivery = signed_now("msg_3", &user_created("user_1", None, 1));
    assert_eq!(post(address, &delivery, true).await, 204);
    assert_eq!(recorder.only().id(), "msg_3");
}

#[tokio::test]
async fn e20_a_hundred_senders_of_single_bytes_are_cut_off_and_hold_nobody_up() {
    let recorder = Arc::new(Recorder::default());
    let address = strict(&recorder).await;
    let mut answers = JoinSet::new();
    let mut writers = Vec::new();
    for number in 0..100 {
        let (reader, mut writer) = TcpStream::connect(address).await.unwrap().into_split();
        let request = format!("{}content-length: 60000\r\n\r\n", head(&format!("slow_{number}")));
        writer.write_all(request.as_bytes()).await.unwrap();
        answers.spawn(status(reader));
        writers.push(writer);
    }

    let (mut genuine, mut cut_off) = (0, 0);
    in_time(async {
        while cut_off < 100 {
            for writer in &mut writers {
                // Fails once the server has closed.
                let _ = writer.write_all(b" ").await;
            }
            let id = format!("msg_{genuine}");
            let delivery = signed_now(&id, &user_created("user_1", None, 1));
            assert_eq!(post(address, &delivery, genuine % 2 == 0).await, 204);
            genuine += 1;
            while let Some(answer) = answers.try_join_next() {
                assert_eq!(answer.unwrap(), "408");
                cut_off += 1;
            }
        }
    })
    .await;
    assert_eq!(recorder.deliveries().len(), genuine);
}
