//! Recognizable secrets, and a search for them in all output of the server at its most verbose.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use sea_orm::ConnectionTrait as _;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tower_clerk::clock::{Clock as _, SystemClock};
use tower_clerk::secret::SigningSecret;
use tower_clerk::test_util::{Issuer, SignedDelivery, user_created, user_deleted};

use crate::support::{Answer, Api, Backend, Frames, Raw, Try, World, answer, free_port};

const BYTES: &[u8] = b"canary-of-a-signing-secret-32-by";
const KEY: &str = "sk_test_canaryOfASecretKey";
const COOKIE: &str = "canary-cookie";
const PASSWORD: &str = "canary-password";

/// Asks for everything, rightly and wrongly, and keeps what came.
struct Walk {
    api: Api,
    answers: Vec<Answer>,
}

impl Walk {
    async fn ask(&mut self, method: &str, path: &str, token: Option<&str>, body: Option<&Value>) {
        let api = token.map_or_else(|| self.api.clone(), |token| self.api.with_token(token));
        let request = api.request(method, path).header("cookie", format!("__session={COOKIE}"));
        let request = request.header("user-agent", "agent");
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        self.answers.push(answer(request).await);
    }

    async fn deliver(&mut self, secret: &SigningSecret, id: &str, body: String) {
        let signed = SignedDelivery::new(secret, id, SystemClock::new().now(), body);
        let request = self.api.request("POST", "/api/webhooks/clerk");
        let request = request.headers(signed.headers().clone()).body(signed.body().clone());
        self.answers.push(answer(request).await);
    }
}

#[tokio::test]
async fn f22_f23_f25_no_secret_is_in_any_answer_or_in_the_log_at_its_most_talkative() {
    World::run(Backend::Postgres, canaries).await;
}

async fn canaries(world: World) {
    let issuer = Issuer::new("https://clerk.example.com", "ins_1");
    let secret_text = format!("whsec_{}", STANDARD.encode(BYTES));
    let secret = SigningSecret::parse(&secret_text).unwrap();
    let (admin, database_url) = with_password(&world).await;
    let variables = [
        ("RUST_LOG", "trace"),
        ("CLERK_ISSUER", issuer.iss()),
        ("CLERK_JWT_KEY", &issuer.pem()),
        ("CLERK_SECRET_KEY", KEY),
        ("CLERK_WEBHOOK_SIGNING_SECRET", &secret_text),
        ("DATABASE_URL", &database_url),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let mut server = world.serve_with(&variables).await;

    let token = |user: &str| issuer.token(user).issued_at(SystemClock::new().now());
    let good = token("user_canary").mint();
    let expired =
        issuer.token("user_canary").claim("exp", 1).claim("iat", 0).claim("nbf", 0).mint();
    // Log lines that an attacker would like to write.
    let forged_line = "x\r\n2026-01-01T00:00:00Z ERROR forged: by_kid";
    let odd = Issuer::new("https://clerk.example.com", "ins_2");
    let odd = odd.token("user_canary").header("kid", forged_line).mint();
    let bent = format!("{}A", &good[..good.len() - 1]);
    let tokens = [good.as_str(), &expired, &odd, &bent, "canary.no.token"];
    let mut walk = Walk { api: world.api(), answers: Vec::new() };
    for path in ["/api/me", "/api/x-accounts", "/api/scheduled-posts?user_id=x", "/", "/readyz"] {
        walk.ask("GET", path, None, None).await;
        for token in tokens {
            walk.ask("GET", path, Some(token), None).await;
        }
    }
    let account = json!({ "handle": "@canary" });
    walk.ask("POST", "/api/x-accounts", Some(&good), Some(&account)).await;
    walk.ask("POST", "/api/x-accounts", Some(&good), Some(&json!({ "handle": 5 }))).await;
    walk.ask("DELETE", "/api/x-accounts/nobody%0d%0aforged:%20by_path", Some(&good), None).await;
    walk.deliver(&secret, "msg_1", user_created("user_1", Some("a@example.com"), 5).to_string())
        .await;
    walk.deliver(&secret, "msg_1", user_created("user_1", Some("a@example.com"), 5).to_string())
        .await;
    walk.deliver(&secret, "msg_2", user_deleted("user_1").to_string()).await;
    walk.deliver(&secret, "msg_3", "{".to_owned()).await;
    let other = SigningSecret::parse(&format!("whsec_{}", STANDARD.encode([7; 32]))).unwrap();
    walk.deliver(&other, "msg_4", user_deleted("user_2").to_string()).await;
    // HTTP/2 is read by another library, which has its own lines in the log.
    let mut raw = Raw::open(world.port).await;
    let header = b"\x0f\x08\x16Bearer canary.no.token";
    let get = [&b"\x82\x86\x41\x01a\x44\x07/api/me"[..], header].concat();
    raw.send(Frames::preface(&[]).frame(1, 5, 1, &get).0).await;
    assert!(raw.frame_of(&[1]).await.is_some());
    drop(raw);
    // Everything again without the database: errors that come from deep within.
    let (_, name) = world.database_url.rsplit_once('/').unwrap();
    admin
        .execute_unprepared(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false"))
        .await
        .unwrap();
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = ";
    admin.execute_unprepared(&format!("{end}'{name}'")).await.unwrap();
    for path in ["/api/me", "/api/x-accounts", "/readyz"] {
        walk.ask("GET", path, Some(&good), None).await;
    }
    walk.deliver(&secret, "msg_5", user_created("user_5", None, 5).to_string()).await;
    admin
        .execute_unprepared(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true"))
        .await
        .unwrap();
    server.terminate();
    assert_eq!(server.exit_code().await, 0);
    let db = world.database().await;
    for statement in [format!("DROP OWNED BY role_of_{name}"), format!("DROP ROLE role_of_{name}")]
    {
        db.execute_unprepared(&statement).await.unwrap();
    }

    // A Clerk that answers something else than keys, and something else than users.
    let clerk = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", clerk.local_addr().unwrap());
    let answering = tokio::task::spawn_local(async move {
        loop {
            Try::receive_any(&clerk, "200 OK", "canary-of-clerk {").await;
        }
    });
    let variables =
        [("RUST_LOG", "trace"), ("CLERK_ISSUER", issuer.iss()), ("CLERK_JWKS_URL", &url)]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let port = free_port();
    let (mut second, api) = world.instance("second", port, &variables);
    second.ready(&api).await;
    walk.api = api;
    walk.ask("GET", "/api/me", Some(&good), None).await;
    walk.answers.last().unwrap().is_error(503, "Authentication keys unavailable");
    answering.abort();
    second.terminate();
    assert_eq!(second.exit_code().await, 0);

    for status in [200, 201, 204, 400, 401, 404, 422, 503] {
        assert!(walk.answers.iter().any(|answer| answer.status == status), "no {status}");
    }
    let signature = |token: &str| token.rsplit_once('.').unwrap().1[..24].to_owned();
    let payload = |token: &str| token.split('.').nth(1).unwrap()[..24].to_owned();
    let canaries = [
        STANDARD.encode(BYTES),
        URL_SAFE_NO_PAD.encode(BYTES),
        String::from_utf8(BYTES.to_vec()).unwrap(),
        format!("{BYTES:?}"),
        KEY.to_owned(),
        COOKIE.to_owned(),
        PASSWORD.to_owned(),
        payload(&good),
        signature(&good),
        signature(&expired),
        signature(&odd),
        "canary.no.token".to_owned(),
        "v1,".to_owned(),
        "canary-of-clerk".to_owned(),
    ];
    let log = [server.out(), server.err(), second.out(), second.err()].concat();
    assert!(log.contains("TRACE"), "the log is not at its most talkative");
    for canary in &canaries {
        let told = log.lines().find(|line| line.contains(canary));
        assert_eq!(told, None, "{canary} is in the log");
    }
    let inside =
        ["panicked", ".rs:", "SELECT ", "postgres", "clerk_user", "sqlx", "rustc", "/root"];
    let inside = inside.map(str::to_owned);
    for answer in &walk.answers {
        let whole = format!("{:?} {}", answer.headers, answer.text);
        for canary in canaries.iter().chain(&inside) {
            assert!(!whole.contains(canary), "{canary} is in {answer:?}");
        }
        assert_eq!(answer.header("server"), None);
    }
    for line in log.lines() {
        assert!(!line.trim_start().starts_with("forged:"), "{line}");
        assert!(!line.starts_with("2026-01-01T00:00:00Z ERROR forged"), "{line}");
    }
    assert!(!log.contains('\r'), "a carriage return is in the log");
}

/// A role of the test's own, whose password is a canary, and the URL that logs in with it.
async fn with_password(world: &World) -> (sea_orm::DatabaseConnection, String) {
    let db = world.database().await;
    let (base, name) = world.database_url.rsplit_once('/').unwrap();
    let admin = sea_orm::Database::connect(format!("{base}/postgres")).await.unwrap();
    let role = format!("role_of_{name}");
    for statement in [
        format!("CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'"),
        format!("GRANT {role} TO CURRENT_USER"),
    ] {
        admin.execute_unprepared(&statement).await.unwrap();
    }
    db.execute_unprepared(&format!("GRANT ALL ON SCHEMA public TO {role}")).await.unwrap();
    let (scheme, rest) = base.split_once("://").unwrap();
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    (admin, format!("{scheme}://{role}:{PASSWORD}@{host}/{name}"))
}
