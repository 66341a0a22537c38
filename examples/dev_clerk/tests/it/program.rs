//! The program from the outside: what it prints, what it refuses, and how it ends.

use std::fs;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::support::{Program, until};

#[tokio::test]
async fn what_it_prints_points_a_server_at_it_and_ends_when_it_can_be_asked() {
    let program = Program::new();
    let mut running = program.running().await;
    let names: Vec<&str> =
        running.out.lines().map(|line| line.split_once('=').unwrap().0).collect();
    let expected = [
        "export CLERK_PUBLISHABLE_KEY",
        "export CLERK_SECRET_KEY",
        "export CLERK_ISSUER",
        "export CLERK_JWKS_URL",
        "export CLERK_API_URL",
        "export CLERK_WEBHOOK_SIGNING_SECRET",
    ];
    assert_eq!(names, expected);
    let url = running.variable("CLERK_API_URL").to_owned();
    assert_eq!(running.variable("CLERK_ISSUER"), url);
    assert_eq!(running.variable("CLERK_JWKS_URL"), format!("{url}/.well-known/jwks.json"));
    let key = running.variable("CLERK_PUBLISHABLE_KEY").strip_prefix("pk_test_").unwrap();
    let host = String::from_utf8(STANDARD.decode(key).unwrap()).unwrap();
    assert_eq!(format!("http://{host}"), format!("{url}$"));
    // Without waiting: it is ready.
    assert_eq!(running.open().get("/.well-known/jwks.json").await.status, 200);

    let told = running.process.err();
    for part in [
        format!("listens on {url}").as_str(),
        "keeps its users in users.json",
        format!("{url}/dev shows").as_str(),
        "posts no webhooks: to get them, set DEV_CLERK_WEBHOOK_URL",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    running.process.signal("-TERM");
    assert_eq!(running.process.exit_code().await, 0);
}

#[tokio::test]
async fn options_win_over_variables_and_an_empty_variable_is_none() {
    let program = Program::new().with("DEV_CLERK_FILE", "").with("DEV_CLERK_WEBHOOK_URL", "");
    let running = program.running().await;
    assert!(program.path("dev-clerk.json").exists());
    assert!(running.process.err().contains("posts no webhooks"));

    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_dev-clerk"));
    command.args(["--file", "other.json", "--webhook-url", "http://127.0.0.1:9/hook"]);
    let other = program.start_by(&mut command, std::process::Stdio::null(), None);
    until("the other listens", async || other.err().contains("posts webhooks to").then_some(()))
        .await;
    assert!(program.path("other.json").exists());
}

#[tokio::test]
async fn a_setting_that_cannot_be_used_is_named_with_what_to_do() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let damaged = Program::new();
    fs::write(damaged.path("users.json"), "{}").unwrap();
    let folder = Program::new();
    fs::create_dir(folder.path("users.json")).unwrap();
    let url = |url: &str| Program::new().with("DEV_CLERK_WEBHOOK_URL", url);
    let no_url = "DEV_CLERK_WEBHOOK_URL (--webhook-url): the URL for webhooks must begin with http";
    for (program, parts) in [
        (
            Program::new().with("DEV_CLERK_PORT", &port.to_string()),
            ["DEV_CLERK_PORT (--port): cannot listen on 127.0.0.1:", "or choose another port"],
        ),
        (
            Program::new().with("DEV_CLERK_PORT", "65536"),
            ["DEV_CLERK_PORT (--port)", "must be a number from 0 to 65535"],
        ),
        (
            Program::new().with("DEV_CLERK_FILE", "missing/users.json"),
            ["DEV_CLERK_FILE (--file): missing/users.json cannot be used", "Choose a file in"],
        ),
        (folder, ["DEV_CLERK_FILE (--file): users.json cannot be used", "Choose a file in"]),
        (
            damaged,
            ["DEV_CLERK_FILE (--file): users.json cannot be used", "move it away to start afresh"],
        ),
        (Program::new().with("RUST_LOG", "loud=very"), ["RUST_LOG (--log)", "must be a level"]),
        (url("ftp://127.0.0.1/secret"), [no_url, ""]),
        (url("127.0.0.1:8002/secret"), [no_url, ""]),
        (url("http://user:secret@127.0.0.1/"), [no_url, "no password"]),
    ] {
        let (code, told) = program.refused().await;
        assert_eq!(code, 2, "{told}");
        assert!(parts.iter().all(|part| told.contains(part)), "{parts:?}: {told}");
        assert!(!told.contains("secret"), "{told}");
    }
}

#[tokio::test]
async fn either_signal_ends_it_with_0_and_requests_that_hang_do_not_keep_it() {
    let ends = async |signal: &str| {
        let program = Program::new();
        let mut running = program.running().await;
        let _hanging = half_a_request(running.variable("CLERK_API_URL"));
        running.process.signal(signal);
        assert_eq!(running.process.exit_code().await, 0, "{signal}");
    };
    tokio::join!(ends("-TERM"), ends("-INT"));
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let program = Program::new();
    let mut running = program.running().await;
    let _hanging = half_a_request(running.variable("CLERK_API_URL"));
    running.process.signal("-TERM");
    let open = running.open();
    until("nobody listens any more", async || {
        open.try_get("/.well-known/jwks.json").await.is_none().then_some(())
    })
    .await;
    assert!(!running.process.has_ended());
    running.process.signal("-TERM");
    assert_eq!(running.process.exit_code().await, 1);
    assert!(running.process.err().contains("second signal: ended at once"));
}

#[tokio::test]
async fn without_a_url_deliveries_are_kept_to_be_looked_at_and_posted_to_nobody() {
    let program = Program::new();
    let running = program.running().await;
    let backend = running.backend();
    let id = backend.sign_up("kept@example.com").await;
    let deliveries = backend.get("/dev/deliveries").await.json();
    assert_eq!(deliveries.as_array().unwrap().len(), 1);
    let [kind, state, user] = ["type", "state", "user_id"].map(|name| &deliveries[0][name]);
    assert_eq!((kind, state, user), (&json!("user.created"), &json!("not_sent"), &json!(id)));
    let delivery = format!("/dev/deliveries/{}", deliveries[0]["id"].as_str().unwrap());
    assert_eq!(backend.get(&delivery).await.json()["payload"]["data"]["id"], id);
    let replayed = backend.post(&format!("{delivery}/replay"), &json!({})).await.json();
    assert_eq!((&replayed["state"], &replayed["tries"]), (&json!("not_sent"), &json!(0)));
    let page = running.open().get("/dev").await.text;
    assert!(page.contains("without a URL for webhooks"), "{page}");
}

/// Opens a connection with an unfinished request, which the stand-in waits for.
fn half_a_request(url: &str) -> TcpStream {
    let mut stream = TcpStream::connect(url.strip_prefix("http://").unwrap()).unwrap();
    stream.write_all(b"GET /dev HTTP/1.1\r\nHost: 127").unwrap();
    stream
}
