//! The cache of verified tokens. Without the feature `moka` it has the same methods and stores
//! nothing.

#[cfg(feature = "moka")]
mod store;

use std::fmt;

use super::session::Session;

/// The tokens that one verifier has accepted, found by their whole text.
///
/// Only good tokens are stored, so that a flood of bad ones neither grows the cache nor evicts a
/// good one. Its size is limited in bytes. A cached session must be checked again, by its key and
/// by the wall clock.
pub(super) struct TokenCache {
    #[cfg(feature = "moka")]
    tokens: Option<store::Tokens>,
}

#[cfg(feature = "moka")]
impl TokenCache {
    /// Returns a cache of at most this many bytes, or none for zero.
    pub(super) fn new(bytes: u64) -> Self {
        Self { tokens: (bytes > 0).then(|| store::tokens(bytes)) }
    }

    pub(super) fn get(&self, token: &[u8]) -> Option<Session> {
        self.tokens.as_ref()?.get(token)
    }

    pub(super) fn forget(&self, token: &[u8]) {
        if let Some(tokens) = &self.tokens {
            tokens.invalidate(token);
        }
    }

    /// Stores a session unless its token has one. If several requests verify one token at the same
    /// moment, the first session is kept: the store would otherwise keep the first as the key and
    /// the last as the value, and count the size of one of them.
    pub(super) fn put(&self, session: &Session) {
        let tokens = self.tokens.as_ref();
        if let Some(tokens) = tokens.filter(|all| !all.contains_key(session.claims().token())) {
            tokens.insert(store::ByToken(session.clone()), session.clone());
        }
    }
}

#[cfg(not(feature = "moka"))]
impl TokenCache {
    pub(super) fn new(_bytes: u64) -> Self {
        Self {}
    }

    pub(super) fn get(&self, _token: &[u8]) -> Option<Session> {
        None
    }

    pub(super) fn forget(&self, _token: &[u8]) {}

    pub(super) fn put(&self, _session: &Session) {}
}

impl fmt::Debug for TokenCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenCache")
    }
}
