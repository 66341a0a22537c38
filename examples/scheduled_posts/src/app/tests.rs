//! The layers around all routes, over a real socket.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::*;

#[expect(clippy::panic, reason = "that is what is to be survived")]
async fn panics() -> Response {
    panic!("canary: what a panic says stays here");
}

async fn serve(routes: Router) -> (SocketAddr, watch::Sender<bool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(serving::serve(
        listener,
        around(routes, CorsConfig { origins: Vec::new(), headers: Vec::new() }),
        stopped,
    ));
    (address, stop)
}

#[tokio::test]
async fn f39_a_handler_that_panics_answers_500_and_the_connection_goes_on() {
    let routes = Router::new().route("/panics", get(panics)).route("/", get(async || "here"));
    let (address, _stop) = serve(routes).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let panics = "GET /panics HTTP/1.1\r\nHost: a\r\n\r\n";
    let end = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    stream.write_all(format!("{panics}{panics}{end}").as_bytes()).await.unwrap();
    let mut answers = String::new();
    stream.read_to_string(&mut answers).await.unwrap();
    assert_eq!(answers.matches("HTTP/1.1 500 ").count(), 2, "{answers}");
    assert_eq!(answers.matches(r#"{"detail":"Internal server error"}"#).count(), 2, "{answers}");
    assert_eq!(answers.matches("x-request-id: ").count(), 3, "{answers}");
    assert!(answers.ends_with("\r\n\r\nhere"), "{answers}");
    assert!(!answers.contains("canary") && !answers.contains(".rs"), "{answers}");
}
