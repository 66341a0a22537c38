//! Parsing of a JWKS document, entry by entry: one unusable key does not invalidate the others.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{AlgorithmParameters, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Candidates, KeySource, Lookup, MissingKey, PublicKey};
use crate::ConfigError;
use crate::session::json::json_object;

/// The usable keys of a JWKS, by `kid`.
#[derive(Clone, Debug, Default)]
pub(super) struct KeySet {
    // An instance has one `kid`, or two for a while: a list is searched faster than a map.
    kids: Vec<KeysOfKid>,
}

/// The reason why a document gives no keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UnusableDocument {
    NotJwks,
    NoUsableKey,
    TooManyKeysOfOneKid,
}

impl KeySet {
    /// Parses a document of the form `{"keys": […]}` (RFC 7517 5).
    ///
    /// Skips entries that are not an RS256 verification key of 2048 to 8192 bits with a `kid`,
    /// whatever is wrong with them. An instance may publish two keys with one `kid` while it
    /// replaces one by the other; more than [`MAX_CANDIDATES`] are a mistake.
    pub(super) fn parse(json: &[u8]) -> Result<Self, UnusableDocument> {
        #[derive(Deserialize)]
        struct Document<'a> {
            #[serde(borrow)]
            keys: Vec<&'a RawValue>,
        }
        let document: Document<'_> = json_object(json).ok_or(UnusableDocument::NotJwks)?;
        let mut found: Vec<(Box<str>, Vec<PublishedKey>)> = Vec::new();
        for raw in document.keys {
            let Some((kid, key)) = read_entry(raw) else { continue };
            match found.iter_mut().find(|(known, _)| *known == kid) {
                None => found.push((kid, vec![key])),
                Some((_, keys)) if keys.iter().any(|known| known.is_same_key(&key)) => {}
                Some((_, keys)) if keys.len() == MAX_CANDIDATES => {
                    return Err(UnusableDocument::TooManyKeysOfOneKid);
                }
                Some((_, keys)) => keys.push(key),
            }
        }
        if found.is_empty() {
            return Err(UnusableDocument::NoUsableKey);
        }
        Ok(Self { kids: found.into_iter().map(|(kid, keys)| KeysOfKid::new(kid, keys)).collect() })
    }

    /// Returns the same set, with the `Arc`s of keys that an older one has too, so that tokens
    /// verified by them stay in the cache.
    #[cfg(feature = "remote")]
    pub(super) fn keeping(mut self, older: &Self) -> Self {
        for of_kid in &mut self.kids {
            if let Some(known) = older.kids.iter().find(|known| known.kid == of_kid.kid) {
                of_kid.keep(known);
            }
        }
        self
    }

    pub(super) fn get(&self, kid: &str) -> Option<&Candidates> {
        self.kids.iter().find(|of_kid| *of_kid.kid == *kid).map(|of_kid| &of_kid.candidates)
    }
}

impl fmt::Display for UnusableDocument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotJwks => "is not a JSON object with a list `keys`",
            Self::NoUsableKey => "holds no RS256 key of 2048 bits or more",
            Self::TooManyKeysOfOneKid => "holds more than four different keys with one `kid`",
        })
    }
}

/// A source with the keys of a fixed JWKS document.
#[derive(Clone, Debug)]
pub struct StaticKeys {
    keys: KeySet,
}

impl StaticKeys {
    /// Parses a JWKS document, `{"keys": […]}`.
    ///
    /// # Errors
    ///
    /// The document has another form, contains no usable key, or has more than four with one `kid`.
    pub fn from_jwks(json: &str) -> Result<Self, ConfigError> {
        KeySet::parse(json.as_bytes())
            .map(|keys| Self { keys })
            .map_err(|problem| ConfigError::new("JWKS", problem.to_string()))
    }

    /// Returns the keys with this id, for a [`KeySource`] of your own.
    #[must_use]
    pub fn candidates(&self, kid: &str) -> Option<Candidates> {
        self.keys.get(kid).cloned()
    }
}

impl KeySource for StaticKeys {
    fn lookup(&self, kid: Option<&str>) -> Lookup {
        kid.and_then(|kid| self.keys.get(kid)).cloned().ok_or(MissingKey::Unknown).into()
    }

    fn is_current(&self, kid: Option<&str>, key: &Arc<PublicKey>) -> bool {
        kid.and_then(|kid| self.keys.get(kid)).is_some_and(|known| known.contains(key))
    }
}

/// The keys with one `kid`.
#[derive(Clone, Debug)]
struct KeysOfKid {
    kid: Box<str>,
    #[cfg_attr(not(feature = "remote"), expect(dead_code, reason = "only refreshes compare keys"))]
    published: Vec<PublishedKey>,
    /// The keys of `published`, as lookups return them.
    candidates: Candidates,
}

/// A usable key, with the numbers that tell it from others.
#[derive(Clone, Debug)]
struct PublishedKey {
    n: Box<[u8]>,
    e: Box<[u8]>,
    key: Arc<PublicKey>,
}

impl KeysOfKid {
    fn new(kid: Box<str>, published: Vec<PublishedKey>) -> Self {
        let candidates = published.iter().map(|known| Arc::clone(&known.key)).collect();
        Self { kid, published, candidates }
    }

    /// Takes over the `Arc`s of keys that are the same in `older`, and its list if all are.
    #[cfg(feature = "remote")]
    fn keep(&mut self, older: &Self) {
        let mut changed = self.published.len() != older.published.len();
        for key in &mut self.published {
            match older.published.iter().find(|known| known.is_same_key(key)) {
                Some(known) => key.key = Arc::clone(&known.key),
                None => changed = true,
            }
        }
        self.candidates = if changed {
            self.published.iter().map(|known| Arc::clone(&known.key)).collect()
        } else {
            older.candidates.clone()
        };
    }
}

impl PublishedKey {
    fn is_same_key(&self, other: &Self) -> bool {
        self.n == other.n && self.e == other.e
    }
}

/// Parses an entry. Checks what the JWK type does not: `use`, `key_ops` and `alg` (RFC 7517 4.2 to
/// 4.4), and through [`PublicKey`] the size and the exponent.
fn read_entry(raw: &RawValue) -> Option<(Box<str>, PublishedKey)> {
    let jwk: Jwk = serde_json::from_str(raw.get()).ok()?;
    let AlgorithmParameters::RSA(rsa) = jwk.algorithm else { return None };
    let common = jwk.common;
    let for_signatures = common.public_key_use.is_none_or(|u| u == PublicKeyUse::Signature);
    let for_verifying =
        common.key_operations.is_none_or(|ops| ops.contains(&KeyOperations::Verify));
    let for_rs256 = common.key_algorithm.is_none_or(|alg| alg == KeyAlgorithm::RS256);
    if !for_signatures || !for_verifying || !for_rs256 {
        return None;
    }
    let n = URL_SAFE_NO_PAD.decode(rsa.n).ok()?;
    let e = URL_SAFE_NO_PAD.decode(rsa.e).ok()?;
    let key = Arc::new(PublicKey::from_components(&n, &e)?);
    Some((common.key_id?.into(), PublishedKey { n: n.into(), e: e.into(), key }))
}

/// The number of different keys that one `kid` may have. Each is tried, so it bounds the work that
/// a forged token causes.
const MAX_CANDIDATES: usize = 4;
