//! Shared by the benchmarks. Each one declares the parts that it needs.
#![allow(dead_code, reason = "no benchmark needs all of it")]
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a benchmark stops on errors")]

pub(crate) mod clerk;
pub(crate) mod database;
pub(crate) mod service;
pub(crate) mod turns;

use aws_lc_rs::signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use tower_clerk::session::keys::{Fetch, FetchFuture, Fetched};

/// A JWKS in memory: fetching it takes no time.
pub(crate) struct Document(pub(crate) String);

impl Fetch for Document {
    fn fetch(&self) -> FetchFuture<'_> {
        Box::pin(std::future::ready(Ok(Fetched::new(self.0.clone()))))
    }
}

/// Returns the key for the RSA check that every verification needs.
pub(crate) fn parsed_key(jwk: &Value) -> ParsedPublicKey {
    let part =
        |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str().expect("text")).expect("base64url");
    RsaPublicKeyComponents { n: part("n"), e: part("e") }
        .to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)
        .expect("a key")
}

/// Returns the signed part of a token, and the signature.
pub(crate) fn signed_parts(token: &str) -> (&[u8], Vec<u8>) {
    let (signed, signature) = token.rsplit_once('.').expect("three parts");
    (signed.as_bytes(), URL_SAFE_NO_PAD.decode(signature).expect("base64url"))
}

/// Returns whether to measure fully: `cargo bench` passes `--bench`; `cargo test --benches` does
/// not, and runs must be quick.
pub(crate) fn in_earnest() -> bool {
    std::env::args().any(|argument| argument == "--bench")
}

/// Returns whether to run this group of cases: all run unless the command line names some.
pub(crate) fn wanted(group: &str) -> bool {
    let mut named = std::env::args().skip(1).filter(|argument| !argument.starts_with("--"));
    named.next().is_none_or(|first| first == group || named.any(|name| name == group))
}
