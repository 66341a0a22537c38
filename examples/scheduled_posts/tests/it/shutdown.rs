//! An orderly end: `/readyz` fails at once, requests in flight are finished, and exit code 0.

use sea_orm::{ConnectionTrait as _, Statement, TransactionTrait as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tower_clerk::clock::{Clock as _, SystemClock};
use tower_clerk::test_util::Issuer;

use crate::support::{Backend, Frames, Raw, State, Webhook, World, on_every_backend, until};

async fn f32_f34_what_is_in_flight_is_finished_and_readiness_turns_first(world: World) {
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
    assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
    assert_eq!(server.exit_code().await, 0, "{}", server.err());
    assert_eq!(world.count("x_accounts").await, 1);
}

/// Whoever will not end is not waited for beyond the grace period.
#[tokio::test]
async fn f32_no_client_can_hold_up_the_end() {
    World::run(Backend::Sqlite, async |world: World| {
        let mut server = world.serve().await;
        let (_, api) = world.clerk().user(&world.api(), "stuck@example.com").await;
        let id = api.get("/api/me").await.json()["user_id"].as_str().unwrap().to_owned();
        let token = world.clerk().token(&id).await;
        let port = world.port;

        let mut kept = Raw::open(port).await;
        kept.send("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert!(kept.answer().await.starts_with("HTTP/1.1 200 "));
        let mut head = Raw::open(port).await;
        head.send("GET /healthz HTTP/1.1\r\nX-A: ").await;
        let mut upload = Raw::open(port).await;
        let begin = format!(
            "POST /api/x-accounts HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: 60000\r\n\r\n{{"
        );
        upload.send(begin).await;
        // Asks for the page again and again, and takes none of the answers.
        let mut stuck = Raw::open(port).await;
        stuck.try_send("GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(100_000).as_bytes()).await;
        let mut http2 = Raw::open(port).await;
        http2.send(Frames::preface(&[]).get(1).0).await;
        assert!(http2.frame_of(&[1]).await.is_some());
        let _silent = Raw::open(port).await;

        server.terminate();
        // The one that is idle ends at once, and is told so.
        assert_eq!(kept.rest().await, "");
        let (head, upload) = tokio::join!(head.dribble(b'a'), upload.dribble(b' '));
        assert!(!head.contains(" 200 ") && !upload.contains(" 201 "), "{head}{upload}");
        assert_eq!(server.exit_code().await, 0, "{}", server.err());
        let log = server.err();
        assert!(log.contains("told to stop"), "{log}");
        assert!(log.contains("did not end within"), "{log}");
        assert!(log.trim_end().ends_with("stopped"), "{log}");
        assert_eq!(world.count("x_accounts").await, 0);
    })
    .await;
}

/// A webhook whose rows somebody else has locked, and a request whose keys are on their way.
#[tokio::test]
async fn f32_a_webhook_in_its_transaction_and_a_request_without_keys_are_finished() {
    World::run(Backend::Postgres, finished_late).await;
}

async fn finished_late(world: World) {
    let keys = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let clerk = format!("http://{}", keys.local_addr().unwrap());
    let issuer = Issuer::new(&clerk, "ins_late");
    let variables = Webhook::variables().into_iter().filter(|(name, _)| name.contains("WEBHOOK"));
    let clerk_variables = [("CLERK_ISSUER", clerk.clone()), ("CLERK_JWKS_URL", clerk + "/jwks")];
    let clerk_variables = clerk_variables.map(|(name, value)| (name.to_owned(), value));
    let variables: Vec<_> = variables.chain(clerk_variables).collect();
    let mut server = world.serve_with(&variables).await;

    let db = world.database().await;
    let lock = db.begin().await.unwrap();
    lock.execute_unprepared("LOCK TABLE clerk_user_versions, users").await.unwrap();
    let webhook = Webhook { user: "user_late".to_owned(), state: State::Version(0) };
    let hook_api = world.api();
    let hook = tokio::task::spawn_local(async move { webhook.post(&hook_api).await });
    let waiting = "SELECT count(*) FROM pg_stat_activity \
                   WHERE datname = current_database() AND wait_event_type = 'Lock'";
    until("the webhook waits for its rows", async || {
        let waiting = Statement::from_string(db.get_database_backend(), waiting);
        let count: i64 = db.query_one_raw(waiting).await.unwrap()?.try_get_by_index(0).unwrap();
        (count > 0).then_some(())
    })
    .await;
    let token = issuer.token("user_late").issued_at(SystemClock::new().now()).mint();
    let api = world.api().with_token(&token);
    let me = tokio::task::spawn_local(async move { api.get("/api/me").await });
    let (mut fetch, _) = keys.accept().await.unwrap();

    server.terminate();
    until("the listener closes", async || {
        TcpStream::connect(("127.0.0.1", world.port)).await.is_err().then_some(())
    })
    .await;
    lock.commit().await.unwrap();
    let jwks = issuer.jwks().to_string();
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{jwks}",
        jwks.len()
    );
    fetch.write_all(answer.as_bytes()).await.unwrap();
    let hook = hook.await.unwrap().expect("an answer");
    assert_eq!(hook.status, 204, "{hook:?}\n{}", server.err());
    let me = me.await.unwrap();
    assert_eq!(me.status, 200, "{me:?}\n{}", server.err());
    assert_eq!(server.exit_code().await, 0, "{}", server.err());
    assert_eq!(world.count("users").await, 1);
}

async fn f33_a_second_signal_ends_it_at_once(world: World) {
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
async fn f34_without_its_database_the_server_lives_and_says_so() {
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

on_every_backend!(
    f32_f34_what_is_in_flight_is_finished_and_readiness_turns_first,
    f33_a_second_signal_ends_it_at_once,
);
