//! What is around all routes, over a real socket.

use std::net::SocketAddr;

use tokio::net::TcpListener;
use tokio::sync::watch;

use super::*;
use crate::server;

#[expect(clippy::panic, reason = "that is what is to be survived")]
async fn panics() -> Response {
    panic!("canary: what a panic says stays here");
}

async fn serve(routes: Router) -> (SocketAddr, watch::Sender<bool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(server::serve(listener, around(routes, Vec::new()), stopped));
    (address, stop)
}

#[tokio::test]
async fn f39_a_handler_that_panics_answers_500_and_the_connection_goes_on() {
    let routes = Router::new().route("/panics", get(panics)).route("/", get(async || "here"));
    let (address, _stop) = serve(routes).await;
    // One connection at a time is enough for one client: the same one each time.
    let client = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(1).build().unwrap();
    let mut ports = Vec::new();
    for _ in 0..3 {
        let answer = client.get(format!("http://{address}/panics")).send().await.unwrap();
        assert_eq!(answer.status(), 500);
        assert_eq!(answer.headers()[header::CONTENT_TYPE], "application/json");
        assert!(answer.headers().contains_key("x-request-id"));
        ports.push(answer.headers().get(header::CONNECTION).cloned());
        assert_eq!(answer.text().await.unwrap(), r#"{"detail":"Internal server error"}"#);
        let here = client.get(format!("http://{address}/")).send().await.unwrap();
        assert_eq!(here.text().await.unwrap(), "here");
    }
    assert_eq!(ports, [None, None, None], "the server asked to close the connection");
}
