//! An orderly end: not ready at once, what is in flight is finished, exit code 0.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{Backend, World, on_every_backend, until};

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

async fn a_second_signal_ends_it_at_once(world: World) {
    let mut server = world.serve().await;
    let mut slow = TcpStream::connect(("127.0.0.1", world.port)).await.unwrap();
    slow.write_all(b"GET /healthz HTTP/1.1\r\n").await.unwrap();
    server.terminate();
    until("the first signal is heard", async || {
        server.err().contains("told to stop").then_some(())
    })
    .await;
    server.terminate();
    assert_eq!(server.exit_code().await, 1, "{}", server.err());
}

/// Only a database server can be away while the process lives.
#[tokio::test]
async fn without_its_database_the_server_lives_and_says_so() {
    World::run(Backend::Postgres, database_away).await;
}

async fn database_away(world: World) {
    let server = world.serve().await;
    let (_, api) = world.clerk().user(&world.api(), "away@example.com").await;
    world.let_in(false).await;

    api.get("/readyz").await.is_error(503, "Database unavailable");
    let me = api.get("/api/me").await;
    me.is_error(503, "Database unavailable");
    assert!(me.header("retry-after").is_some());
    assert_eq!(api.get("/healthz").await.status, 200);
    world.let_in(true).await;
    until("the server recovers", async || (api.get("/readyz").await.status == 200).then_some(()))
        .await;
    assert_eq!(api.get("/api/me").await.status, 200, "{}", server.err());
}

on_every_backend!(what_is_in_flight_is_finished, a_second_signal_ends_it_at_once);
