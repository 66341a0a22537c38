//! ⑤ Verified tokens, remembered. The only file that names moka; without the feature nothing is.

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

    pub(super) fn get(&self, token: &str) -> Option<Arc<Entry>> {
        self.tokens.as_ref()?.get(token)
    }

    pub(super) fn forget(&self, token: &str) {
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
        tokens.insert(token.text().into(), Arc::new(entry));
    }
}

#[cfg(not(feature = "moka"))]
impl TokenCache {
    pub(super) fn new(_bytes: u64) -> Self {
        Self {}
    }

    pub(super) fn get(&self, _token: &str) -> Option<Arc<Entry>> {
        None
    }

    pub(super) fn forget(&self, _token: &str) {}

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

#[cfg(feature = "moka")]
mod store {
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use ahash::RandomState;
    use moka::Expiry;
    use moka::sync::Cache;

    use super::Entry;

    /// Seeded at random: who chooses tokens cannot choose which of them collide.
    pub(super) type Tokens = Cache<Box<str>, Arc<Entry>, RandomState>;

    pub(super) fn tokens(bytes: u64) -> Tokens {
        Cache::builder()
            .max_capacity(bytes)
            .weigher(|token: &Box<str>, entry: &Arc<Entry>| weight(token, entry))
            .expire_after(UntilExpired)
            .build_with_hasher(RandomState::new())
    }

    /// About what an entry takes: the token, what was decoded from it, and their surroundings.
    fn weight(token: &str, entry: &Entry) -> u32 {
        let bytes = token.len() + entry.session.claims().approximate_bytes() + SURROUNDINGS;
        u32::try_from(bytes).unwrap_or(u32::MAX)
    }

    /// Frees the memory of tokens whose time is over. Whether it is, no answer depends on: this
    /// clock stands still while a machine sleeps, and hits are judged by the wall clock.
    struct UntilExpired;

    impl Expiry<Box<str>, Arc<Entry>> for UntilExpired {
        fn expire_after_create(
            &self,
            _token: &Box<str>,
            entry: &Arc<Entry>,
            _created_at: Instant,
        ) -> Option<Duration> {
            Some(entry.remembered_for)
        }
    }

    /// Clerk's tokens live for a minute. One that lives longer is verified again now and then.
    pub(super) const LONGEST: Duration = Duration::from_secs(300);

    /// Entry, keys and the cache's own bookkeeping.
    const SURROUNDINGS: usize = 512;
}
