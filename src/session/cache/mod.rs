//! Verified tokens, remembered. Without the feature `moka` nothing is, and no other file knows.

#[cfg(feature = "moka")]
mod store;

use std::fmt;

use super::session::Session;

/// The tokens that one verifier has found good, by the whole token's text.
///
/// Only good tokens come in, so that a flood of bad ones neither grows it nor drives a good one
/// out. Bounded by bytes. What comes out is to be judged again, by its key and by the wall clock.
pub(super) struct TokenCache {
    #[cfg(feature = "moka")]
    tokens: Option<store::Tokens>,
}

#[cfg(feature = "moka")]
impl TokenCache {
    /// A cache of at most so many bytes, or none at all for zero.
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

    /// Of several who verify one token at the same moment the first is kept: the store would keep
    /// the first as the key beside the last as the value, and weigh one of them.
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
