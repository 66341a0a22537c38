//! A public key in PEM, for verification without network access.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Candidates, KeySource, Lookup, PublicKey};
use crate::ConfigError;

/// An instance's public key in PEM, as the Dashboard shows it under API keys (`CLERK_JWT_KEY`).
///
/// It is the source's only key, so a token's `kid` is ignored, as in Clerk's own SDKs. A rotation
/// needs a restart with the new key.
#[derive(Clone, Debug)]
pub struct PemKey {
    key: Candidates,
}

impl PemKey {
    /// Parses a PEM document, SubjectPublicKeyInfo or PKCS#1, in the forms that fit into an
    /// environment variable: with line breaks, with `\n` written out, on one line, in quotes, its
    /// base64 alone, or the base64 of the whole file.
    ///
    /// # Errors
    ///
    /// The text is not an RSA public key of 2048 to 8192 bits.
    pub fn parse(pem: &str) -> Result<Self, ConfigError> {
        let text = pem.trim().trim_matches(['"', '\'']).replace("\\r", "").replace("\\n", "\n");
        let mut der = content(text.trim())?;
        // Platforms without variables of several lines are given the base64 of the file.
        if der.starts_with(FRAME.as_bytes()) {
            let file = str::from_utf8(&der).map_err(|_| problem(BAD_BASE64))?;
            der = content(file.trim())?;
        }
        Ok(Self { key: Arc::new(PublicKey::from_der(&der)?).into() })
    }

    /// Returns the key itself, for a [`KeySource`] of your own.
    #[must_use]
    pub fn candidates(&self) -> Candidates {
        self.key.clone()
    }
}

impl KeySource for PemKey {
    fn lookup(&self, _kid: Option<&str>) -> Lookup {
        Lookup::Known(self.key.clone())
    }

    fn is_current(&self, _kid: Option<&str>, key: &Arc<PublicKey>) -> bool {
        self.key.contains(key)
    }
}

/// Returns what a PEM document contains, or its base64 alone.
fn content(text: &str) -> Result<Vec<u8>, ConfigError> {
    let body = match text.strip_prefix(FRAME) {
        None => text,
        Some(rest) => {
            let (label, rest) = rest.split_once("-----").ok_or_else(|| problem(BAD_FRAME))?;
            if !matches!(label, "PUBLIC KEY" | "RSA PUBLIC KEY") {
                return Err(problem("must be a `PUBLIC KEY`, not a private key or a certificate"));
            }
            let (body, end) = rest.split_once("-----END ").ok_or_else(|| problem(BAD_FRAME))?;
            if end.trim().strip_suffix("-----") != Some(label) {
                return Err(problem(BAD_FRAME));
            }
            body
        }
    };
    let base64: String = body.split_ascii_whitespace().collect();
    STANDARD.decode(base64).map_err(|_| problem(BAD_BASE64))
}

fn problem(text: &'static str) -> ConfigError {
    ConfigError::new("JWT key", text)
}

const FRAME: &str = "-----BEGIN ";

const BAD_BASE64: &str = "is not PEM: its content is not base64; copy the whole key again";

const BAD_FRAME: &str = "is not PEM: its first and last line must match; copy the whole key again";
