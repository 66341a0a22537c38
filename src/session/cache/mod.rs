//! ⑤ Verified tokens, remembered. Without the feature `moka` nothing is, and no other file knows.

#[cfg(feature = "moka")]
mod store;

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use super::claims::Session;
use super::parse::UnverifiedToken;
use super::signature::PublicKey;
use super::window::Window;

/// The tokens that one verifier has found good, by the whole token's text.
///
/// Only good tokens come in, so that a flood of bad ones neither grows it nor drives a good one
/// out. Bounded by bytes. What comes out is judged again by key and time: see [`Entry::holds`].
pub(super) struct TokenCache {
    #[cfg(feature = "moka")]
    tokens: Option<store::Tokens>,
}

/// What is remembered of a token.
#[derive(Debug)]
pub(super) struct Entry {
    session: Session,
    kid: Option<Box<str>>,
    key: Arc<PublicKey>,
    window: Window,
    #[cfg(feature = "moka")]
    remembered_for: std::time::Duration,
}

impl Entry {
    /// Whether a fresh verification would say the same: its key is still the one that the source
    /// gives for its `kid`, and by the wall clock its time has come and is not over.
    pub(super) fn holds(&self, key: &Arc<PublicKey>, now: SystemTime) -> bool {
        Arc::ptr_eq(&self.key, key) && self.window.contains(now)
    }

    pub(super) fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    pub(super) fn session(&self) -> Session {
        self.session.clone()
    }
}

#[cfg(feature = "moka")]
impl TokenCache {
    /// A cache of at most so many bytes, or none at all for zero.
    pub(super) fn new(bytes: u64) -> Self {
        Self { tokens: (bytes > 0).then(|| store::tokens(bytes)) }
    }

    pub(super) fn get(&self, token: &[u8]) -> Option<Arc<Entry>> {
        self.tokens.as_ref()?.get(token)
    }

    pub(super) fn forget(&self, token: &[u8]) {
        if let Some(tokens) = &self.tokens {
            tokens.invalidate(token);
        }
    }

    pub(super) fn put(
        &self,
        token: &UnverifiedToken<'_>,
        session: &Session,
        key: &Arc<PublicKey>,
        window: Window,
        now: SystemTime,
    ) {
        let Some(tokens) = &self.tokens else { return };
        let entry = Entry {
            session: session.clone(),
            kid: token.kid.clone(),
            key: Arc::clone(key),
            window,
            remembered_for: window.remaining(now).min(store::LONGEST),
        };
        tokens.insert(token.text().as_bytes().into(), Arc::new(entry));
    }
}

#[cfg(not(feature = "moka"))]
impl TokenCache {
    pub(super) fn new(_bytes: u64) -> Self {
        Self {}
    }

    pub(super) fn get(&self, _token: &[u8]) -> Option<Arc<Entry>> {
        None
    }

    pub(super) fn forget(&self, _token: &[u8]) {}

    pub(super) fn put(
        &self,
        _token: &UnverifiedToken<'_>,
        _session: &Session,
        _key: &Arc<PublicKey>,
        _window: Window,
        _now: SystemTime,
    ) {
    }
}

impl fmt::Debug for TokenCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenCache")
    }
}
