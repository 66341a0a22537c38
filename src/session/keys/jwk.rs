//! Parsing of a JWKS document, entry by entry: one unusable key does not invalidate the others.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{AlgorithmParameters, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{KeySource, Lookup, MissingKey, PublicKey};
use crate::ConfigError;
use crate::session::json::json_object;

/// The usable keys of a JWKS, by `kid`.
#[derive(Clone, Debug, Default)]
pub(super) struct KeySet {
    // An instance has one key, or two while it rotates: a list is searched faster than a map.
    keys: Vec<Entry>,
}

impl KeySet {
    /// Parses a document of the form `{"keys": […]}` (RFC 7517 5); returns `None` if it is not one.
    ///
    /// Skips entries that are not an RS256 verification key of 2048 to 8192 bits with a `kid`,
    /// whatever is wrong with them. Skips both of two different keys with the same `kid`, because
    /// it is unknown which one is meant.
    pub(super) fn parse(json: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Document<'a> {
            #[serde(borrow)]
            keys: Vec<&'a RawValue>,
        }
        let document: Document<'_> = json_object(json)?;
        let mut found: Vec<Entry> = Vec::new();
        for raw in document.keys {
            let Some(entry) = Entry::read(raw) else { continue };
            match found.iter_mut().find(|other| other.kid == entry.kid) {
                Some(other) => other.ambiguous |= !other.is_same_key(&entry),
                None => found.push(entry),
            }
        }
        found.retain(|entry| !entry.ambiguous);
        Some(Self { keys: found })
    }

    /// Returns the same set, with the `Arc`s of keys that an older one has too, so that tokens
    /// verified by them stay in the cache.
    #[cfg(feature = "remote")]
    pub(super) fn keeping(mut self, older: &Self) -> Self {
        for entry in &mut self.keys {
            let known = older.keys.iter().find(|known| known.kid == entry.kid);
            if let Some(known) = known.filter(|known| known.is_same_key(entry)) {
                entry.key = Arc::clone(&known.key);
            }
        }
        self
    }

    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    pub(super) fn get(&self, kid: &str) -> Option<&Arc<PublicKey>> {
        self.keys.iter().find(|entry| *entry.kid == *kid).map(|entry| &entry.key)
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
    /// The document has another form or contains no usable key.
    pub fn from_jwks(json: &str) -> Result<Self, ConfigError> {
        match KeySet::parse(json.as_bytes()) {
            Some(keys) if !keys.is_empty() => Ok(Self { keys }),
            Some(_) => Err(ConfigError::new("JWKS", "holds no RS256 key of 2048 bits or more")),
            None => Err(ConfigError::new("JWKS", "is not a JSON object with a list `keys`")),
        }
    }

    /// Returns a key by its id, for a [`KeySource`] of your own.
    #[must_use]
    pub fn public_key(&self, kid: &str) -> Option<Arc<PublicKey>> {
        self.keys.get(kid).cloned()
    }
}

impl KeySource for StaticKeys {
    fn lookup(&self, kid: Option<&str>) -> Lookup {
        kid.and_then(|kid| self.keys.get(kid)).cloned().ok_or(MissingKey::Unknown).into()
    }

    fn is_current(&self, kid: Option<&str>, key: &Arc<PublicKey>) -> bool {
        kid.and_then(|kid| self.keys.get(kid)).is_some_and(|known| Arc::ptr_eq(known, key))
    }
}

/// A usable entry.
#[derive(Clone, Debug)]
struct Entry {
    kid: Box<str>,
    n: Box<[u8]>,
    e: Box<[u8]>,
    key: Arc<PublicKey>,
    ambiguous: bool,
}

impl Entry {
    /// Parses an entry. Checks what the JWK type does not: `use`, `key_ops` and `alg` (RFC 7517 4.2
    /// to 4.4), and through [`PublicKey`] the size and the exponent.
    fn read(raw: &RawValue) -> Option<Self> {
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
        let kid = common.key_id?.into();
        Some(Self { kid, n: n.into(), e: e.into(), key, ambiguous: false })
    }

    fn is_same_key(&self, other: &Self) -> bool {
        self.n == other.n && self.e == other.e
    }
}
