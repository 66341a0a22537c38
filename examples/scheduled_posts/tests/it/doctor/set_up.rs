//! Running `doctor`, and a fake Clerk with chosen faults.

use axum::Router;
use axum::http::header;
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tower_clerk::clock::{Clock as _, SystemClock};
use tower_clerk::test_util::Issuer;

use crate::support::{Process, World};

pub(super) type Variables = Vec<(String, String)>;

/// The output of `doctor --json`.
pub(super) struct Told {
    pub(super) code: i32,
    pub(super) json: Value,
    pub(super) text: String,
}

impl Told {
    pub(super) fn outcome(&self, name: &str) -> &str {
        let checks = self.json["checks"].as_array().unwrap();
        let check = checks.iter().find(|check| check["name"] == name);
        check.unwrap_or_else(|| panic!("{name} in {}", self.json))["outcome"].as_str().unwrap()
    }

    /// Asserts that a check of this name failed and that its `todo` contains this text.
    #[track_caller]
    pub(super) fn fails(&self, name: &str, todo: &str) {
        let failed = |check: &&Value| {
            let text = check["todo"].as_str().unwrap_or_default();
            check["name"] == name && check["outcome"] == "fail" && text.contains(todo)
        };
        let checks = self.json["checks"].as_array().unwrap();
        assert!(checks.iter().any(|check| failed(&check)), "{name}, {todo} in {:#}", self.json);
        assert_eq!((self.code, &self.json["ok"]), (1, &json!(false)));
    }
}

/// Runs `doctor`, and asserts that its output contains no secret.
pub(super) async fn doctor(
    world: &World,
    name: &str,
    options: &[&str],
    variables: &Variables,
) -> Told {
    let args = [&["doctor", "--json"], options].concat();
    let env = [world.env(), variables.clone()].concat();
    let mut process = Process::start(world.folder(), name, &args, &env);
    let code = process.exit_code().await;
    let text = process.out() + &process.err();
    assert!(!text.contains("canary"), "{text}");
    let is_secret = |name: &str| name.contains("SECRET") || name == "DATABASE_URL";
    for (name, value) in env.iter().filter(|(name, _)| is_secret(name)) {
        assert!(!text.contains(&**value), "{name} in {text}");
    }
    for option in options.iter().filter(|option| option.len() > 20) {
        assert!(!text.contains(option.rsplit('.').next().unwrap()), "{text}");
    }
    let json = serde_json::from_str(&process.out()).unwrap_or_else(|_| panic!("JSON: {text}"));
    Told { code, json, text }
}

pub(super) async fn migrate(world: &World) {
    let mut process = Process::start(world.folder(), "migrate", &["migrate"], &world.env());
    assert_eq!(process.exit_code().await, 0, "{}", process.err());
}

pub(super) fn set(variables: &Variables, name: &str, value: &str) -> Variables {
    let mut variables = variables.clone();
    variables.retain(|(known, _)| known != name);
    variables.push((name.to_owned(), value.to_owned()));
    variables
}

pub(super) fn publishable_key(kind: &str, host: &str) -> String {
    format!("pk_{kind}_{}", STANDARD.encode(format!("{host}$")))
}

/// A Frontend API with the test's keys and clock.
pub(super) struct Instance {
    pub(super) issuer: Issuer,
    pub(super) url: String,
}

impl Instance {
    /// Starts it with a clock that is `behind` seconds slow.
    pub(super) async fn start(behind: i64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let issuer = Issuer::new(&url, "ins_test");
        let jwks = issuer.jwks().to_string();
        let keys = async move || {
            let now = DateTime::<Utc>::from(SystemClock::new().now());
            let date = now - chrono::TimeDelta::seconds(behind);
            let date = date.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
            ([(header::DATE, date)], jwks.clone())
        };
        let app = Router::new().route("/.well-known/jwks.json", get(keys));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { issuer, url }
    }

    pub(super) fn variables(&self) -> Variables {
        let host = self.url.strip_prefix("http://").unwrap();
        [
            ("CLERK_PUBLISHABLE_KEY", publishable_key("test", host)),
            ("CLERK_ISSUER", self.url.clone()),
            ("CLERK_JWKS_URL", format!("{}/.well-known/jwks.json", self.url)),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }
}
