//! An orderly end: not ready at once, what is in flight is finished, exit code 0.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{World, on_every_backend, until};

async fn what_is_in_flight_is_finished(world: World) {
    let mut server = world.serve().await;
    let (_, api) = world.clerk().user(&world.api(), "flight@example.com").await;
    let token =
        world.clerk().token(api.get("/api/me").await.json()["user_id"].as_str().unwrap()).await;

    // The body's end is still to come when the server is told to stop.
    let body = r#"{"handle":"@inflight"}"#;
    let (begin, end) = body.split_at(5);
    let mut slow = TcpStream::connect(("127.0.0.1", world.port)).await.unwrap();
    let head = format!(
        "POST /api/x-accounts HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{begin}",
        body.len()
    );
    slow.write_all(head.as_bytes()).await.unwrap();
    // One that never says anything must not hold up the end.
    let _idle = TcpStream::connect(("127.0.0.1", world.port)).await.unwrap();
    assert_eq!(world.api().get("/healthz").await.status, 200);

    server.terminate();
    until("readiness turns", async || {
        world.api().try_get("/readyz").await.filter(|answer| answer.status == 503)
    })
    .await;
    until("the listener closes", async || {
        TcpStream::connect(("127.0.0.1", world.port)).await.is_err().then_some(())
    })
    .await;
    slow.write_all(end.as_bytes()).await.unwrap();
    let mut answer = String::new();
    slow.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    assert_eq!(server.exit_code().await, 0, "{}", server.err());
    assert_eq!(world.count("x_accounts").await, 1);
}

on_every_backend!(what_is_in_flight_is_finished);
