//! The Node program that asks Clerk's own SDK, run to its end.

use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, from_str};
use tower_clerk::session::{PemKey, StaticKeys};

/// What the SDK says of generated inputs.
pub(crate) struct Theirs<T> {
    pub(crate) keys: Keys,
    pub(crate) inputs: Vec<T>,
}

/// The version of the SDK, and the keys by which it judges.
#[derive(Deserialize)]
pub(crate) struct Keys {
    pub(crate) version: String,
    jwks: String,
    pem: String,
}

impl Keys {
    pub(crate) fn jwks(&self) -> StaticKeys {
        StaticKeys::from_jwks(&self.jwks).unwrap()
    }

    pub(crate) fn pem(&self) -> PemKey {
        PemKey::parse(&self.pem).unwrap()
    }
}

/// Returns what the SDK says of as many inputs of a category as are wanted; `None` if the SDK is
/// missing and nothing requires it.
pub(crate) fn ask<T: DeserializeOwned>(category: &str, default_count: usize) -> Option<Theirs<T>> {
    let installed = installed()?;
    let count = number("CLERK_SDK_INPUTS").unwrap_or(default_count);
    let seed = number("TEST_SEED").unwrap_or(1);
    println!("{category}: {count} inputs, TEST_SEED={seed}");
    let program = format!("{ROOT}/tests/clerk_sdk/theirs/main.mjs");
    let arguments = [&*program, &*installed, category, &seed.to_string(), &count.to_string()];
    let done = Command::new("node")
        .args(arguments)
        // No proxy, and no keys of the environment.
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(done.status.success(), "node {arguments:?}: {}", done.status);
    let said = String::from_utf8(done.stdout).unwrap();
    let mut lines = said.lines();
    let keys = from_str(lines.next().expect("the line of keys")).unwrap();
    let inputs: Vec<T> = lines.map(|line| from_str(line).expect(line)).collect();
    Some(Theirs { keys, inputs })
}

/// Returns the folder in which the SDK is installed.
fn installed() -> Option<String> {
    let script = format!("{ROOT}/scripts/outside-programs");
    let done = Command::new(&script).arg("node").stderr(Stdio::inherit()).output();
    let done = done.unwrap_or_else(|error| panic!("{script}: {error}"));
    if done.status.success() {
        return Some(String::from_utf8(done.stdout).unwrap().trim().to_owned());
    }
    assert_eq!(done.status.code(), Some(MISSING), "scripts/outside-programs node");
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let required = ["CI", "TEST_REQUIRE_SERVERS"].into_iter().any(is_set);
    assert!(!required, "@clerk/backend is missing, and CI or TEST_REQUIRE_SERVERS is set");
    eprintln!("NOT RUN: a comparison with Clerk's SDK: scripts/outside-programs install");
    None
}

/// Returns the claims of a token, unverified.
pub(crate) fn payload(token: &str) -> Option<Value> {
    let payload = token.split('.').nth(1)?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
}

fn number(variable: &str) -> Option<usize> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is no number: {text}")))
}

/// The issuer, and the second, of `theirs/world.mjs`.
pub(crate) const ISS: &str = "https://clerk.example.com";
pub(crate) const NOW: u64 = 1_790_000_000;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The exit code of `scripts/outside-programs` when it finds nothing.
const MISSING: i32 = 3;
