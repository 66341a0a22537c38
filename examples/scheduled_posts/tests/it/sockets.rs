//! Slow, silent and greedy clients over sockets, with the limits of production.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use uuid::Uuid;

use crate::support::{Backend, Raw, Webhook, World, answer, until};

/// All that take longest, at the same time.
#[tokio::test]
async fn f26_f27_no_client_that_dribbles_or_says_nothing_keeps_its_connection() {
    World::run(Backend::Sqlite, async |world: World| {
        let server = world.serve().await;
        let (id, _) = world.clerk().user(&world.api(), "slow@example.com").await;
        let token = world.clerk().token(&id).await;
        let port = world.port;
        let dribble = async |begin: &str| {
            let mut raw = Raw::open(port).await;
            raw.send(begin).await;
            raw.dribble(b'a').await
        };
        let silent = async |begin: &str| {
            let mut raw = Raw::open(port).await;
            raw.send(begin).await;
            raw.rest().await
        };
        let upload = format!(
            "POST /api/x-accounts HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: 60000\r\n\r\n{{"
        );
        let hook = format!(
            "POST /api/webhooks/clerk HTTP/1.1\r\nHost: a\r\n{}Content-Length: 60000\r\n\r\n{{",
            Webhook::forged_headers()
        );
        let keep = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n";
        let again = format!("{keep}GET /healthz HTTP/1.1\r\nX-A: ");
        let mut kept = Raw::open(port).await;
        kept.send(keep).await;
        assert!(kept.answer().await.starts_with("HTTP/1.1 200 "));
        let (head, second, nothing, body, hook) = tokio::join!(
            dribble("GET /healthz HTTP/1.1\r\nX-A: "),
            dribble(&again),
            silent(""),
            dribble(&upload),
            dribble(&hook),
        );
        assert!(!head.contains("HTTP/1.1 2"), "{head}");
        assert_eq!(second.matches("HTTP/1.1 200").count(), 1, "{second}");
        assert_eq!(nothing, "");
        // What is between two requests is not dribbling: proxies keep their connections.
        kept.send(keep).await;
        assert!(kept.answer().await.starts_with("HTTP/1.1 200 "), "{}", server.err());
        for answer in [body, hook] {
            assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
            assert!(answer.contains(r#"{"detail":""#), "{answer}");
        }
        assert_eq!(world.api().get("/healthz").await.status, 200, "{}", server.err());
    })
    .await;
}

#[tokio::test]
async fn f26_a_thousand_dribbling_clients_keep_nobody_from_being_answered() {
    World::run(Backend::Sqlite, async |world: World| {
        raise_open_files();
        let server = world.serve().await;
        let mut dribbling = Vec::new();
        for _ in 0..1000 {
            let mut stream = TcpStream::connect(("127.0.0.1", world.port)).await.unwrap();
            stream.write_all(b"GET /healthz HTTP/1.1\r\nX-A: ").await.unwrap();
            dribbling.push(stream);
        }
        for _ in 0..3 {
            for stream in &mut dribbling {
                // The first ones may have had enough time already.
                let _ = stream.write_all(b"a").await;
            }
            // On a connection of its own.
            let genuine = "GET /readyz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
            let answer = Raw::ask(world.port, genuine).await;
            assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}\n{}", server.err());
        }
        assert!(!server.err().contains("cannot accept"), "{}", server.err());
    })
    .await;
}

#[tokio::test]
async fn f30_what_is_too_large_is_refused_and_takes_no_memory() {
    World::run(Backend::Sqlite, async |world: World| {
        let server = world.serve().await;
        let (id, _) = world.clerk().user(&world.api(), "large@example.com").await;
        let token = world.clerk().token(&id).await;
        let before = server.memory_kib();
        let head = |path: &str, more: &str| {
            format!(
                "POST {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\
                 Content-Type: application/json\r\n{}{more}\r\n\r\n",
                Webhook::forged_headers()
            )
        };
        let chunks = format!("10000\r\n{}\r\n", "a".repeat(0x10000)).repeat(100);
        for path in ["/api/x-accounts", "/api/scheduled-posts", "/api/webhooks/clerk"] {
            // A terabyte, of which nothing comes.
            let announced = head(path, "Content-Length: 1099511627776");
            let refused = Raw::ask(world.port, announced).await;
            assert!(refused.starts_with("HTTP/1.1 413 "), "{path}: {refused}");
            assert!(refused.contains(r#"{"detail":""#), "{path}: {refused}");
            // Six megabytes, and no end. The answer may be lost: the server does not read on.
            let mut raw = Raw::open(world.port).await;
            raw.send(head(path, "Transfer-Encoding: chunked") + &chunks).await;
            let refused = raw.rest().await;
            assert!(refused.is_empty() || refused.contains(" 413 "), "{path}: {refused}");
        }
        let get = |path: &str, more: &str| format!("GET {path} HTTP/1.1\r\nHost: a\r\n{more}\r\n");
        let many: String = (0..101).map(|n| format!("x-{n}: a\r\n")).collect();
        let end = "Connection: close\r\n";
        for (status, request) in [
            ("431", get("/healthz", &format!("X-A: {}\r\n", "a".repeat(70_000)))),
            ("431", get("/healthz", &many)),
            ("431", get(&format!("/{}", "a".repeat(70_000)), end)),
            ("414", get(&format!("/{}", "a".repeat(10_000)), end)),
            ("414", get(&format!("/api/me?{}", "a".repeat(10_000)), end)),
            ("404", get(&format!("/{}", "a".repeat(8_000)), end)),
            ("414", get(&format!("/{}", "a".repeat(10_000)), &format!("{OWN_PAGE}{end}"))),
            ("200", get("/healthz", &format!("X-A: {}\r\n{end}", "a".repeat(40_000)))),
        ] {
            let answer = Raw::ask(world.port, request.clone()).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{status}: {answer}");
            let json = answer.contains("content-type: application/json");
            assert!(json || status == "431", "{status}: {answer}");
            // What comes before any route is readable by the own page too.
            let readable = answer.contains("access-control-allow-origin: http://localhost:3000");
            assert!(readable || status != "414" || !request.contains(OWN_PAGE), "{answer}");
            assert!(status == "431" || answer.contains("nosniff"), "{answer}");
        }
        let grown = server.memory_kib() - before;
        assert!(grown < 32 * 1024, "{grown} KiB more than before");
    })
    .await;
}

#[tokio::test]
async fn f31_a_compressed_body_is_not_unpacked() {
    World::run(Backend::Sqlite, async |world: World| {
        let _server = world.serve().await;
        let (_, api) = world.clerk().user(&world.api(), "packed@example.com").await;
        // `{"handle":"@a"}`, by gzip.
        const PACKED: &[u8] = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff\xabV\xcaH\xccK\xc9IU\xb2RrHT\xaa\x05\x00\x5e\xedA\x21\x0f\x00\x00\x00";
        for encoding in ["gzip", "br", "deflate", "zstd", "x-gzip, gzip"] {
            let request = api.request("POST", "/api/x-accounts");
            let request = request.header("content-type", "application/json");
            let refused = answer(request.header("content-encoding", encoding).body(PACKED)).await;
            refused.is_error(415, "The body must not be compressed");
        }
        // Without the header it is just no JSON; and a webhook's signature is over bytes.
        let request = api.request("POST", "/api/x-accounts");
        let request = request.header("content-type", "application/json").body(PACKED);
        assert_eq!(answer(request).await.status, 400);
        let hook = api.request("POST", "/api/webhooks/clerk").header("content-encoding", "gzip");
        assert_eq!(answer(hook.body(PACKED)).await.status, 400);
    })
    .await;
}

#[tokio::test]
async fn f36_every_answer_says_what_browsers_may_do_with_it() {
    World::run(Backend::Sqlite, async |world: World| {
        let _server = world.serve().await;
        let (_, api) = world.clerk().user(&world.api(), "headers@example.com").await;
        for path in [
            "/",
            "/healthz",
            "/readyz",
            "/nothing",
            "/api/me",
            "/api/nothing",
            "/api/x-accounts",
            "/api/scheduled-posts",
            "/api/webhooks/clerk",
            "/app-config.json",
        ] {
            for api in [&api, &world.api()] {
                let answer = api.get(path).await;
                assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
                assert!(answer.header("referrer-policy").is_some(), "{path}");
                let policy = answer.header("content-security-policy").unwrap();
                assert!(policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
                let cached = answer.header("cache-control");
                let personal = path.starts_with("/api/");
                assert_eq!(cached == Some("no-store"), personal, "{path}: {cached:?}");
                for absent in ["set-cookie", "server", "x-powered-by", "strict-transport-security"]
                {
                    assert_eq!(answer.header(absent), None, "{path}");
                }
            }
        }
    })
    .await;
}

#[tokio::test]
async fn f38_a_request_keeps_its_id_if_that_is_harmless_and_gets_one_otherwise() {
    World::run(Backend::Sqlite, async |world: World| {
        let variables = [("RUST_LOG".to_owned(), "debug".to_owned())];
        let server = world.serve_also(&variables).await;
        let ask = async |id: &str, path: &str| {
            let request =
                format!("GET {path} HTTP/1.1\r\nHost: a\r\n{id}Connection: close\r\n\r\n");
            let answer = Raw::ask(world.port, request).await;
            let id = answer.lines().find_map(|line| line.strip_prefix("x-request-id: "));
            id.unwrap_or_else(|| panic!("{answer}")).to_owned()
        };
        let longest = "a".repeat(64);
        for id in ["abc-1", "A.b_c-9", longest.as_str()] {
            for path in ["/healthz", "/api/me", "/nothing", "/"] {
                assert_eq!(ask(&format!("X-Request-Id: {id}\r\n"), path).await, id);
            }
        }
        let long = format!("X-Request-Id: {longest}a\r\n");
        for given in [
            "",
            "X-Request-Id: \r\n",
            "X-Request-Id: a b\r\n",
            "X-Request-Id: canary\"x\r\n",
            "X-Request-Id: canary%0d%0aX: y\r\n",
            "X-Request-Id: canary\u{e9}\r\n",
            "X-Request-Id: one\r\nX-Request-Id: two\r\n",
            &long,
        ] {
            let id = ask(given, "/healthz").await;
            assert!(Uuid::try_parse(&id).is_ok(), "{given}: {id}");
        }
        until("the log has the id", async || server.err().contains("abc-1").then_some(())).await;
        assert!(!server.err().contains("canary"), "{}", server.err());
        // Browsers may read it.
        let request =
            world.api().request("GET", "/api/me").header("origin", "http://localhost:3000");
        let exposed = answer(request).await;
        let exposed = exposed.header("access-control-expose-headers").unwrap();
        assert!(exposed.contains("x-request-id"), "{exposed}");
    })
    .await;
}

/// As many sockets as this test opens are more than many systems let a process have unasked.
fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
}

const OWN_PAGE: &str = "Origin: http://localhost:3000\r\n";
