//! Key sources: the trait that finds a key by its id, and the sources that need no network.

mod jwk;
mod pem;
#[cfg(feature = "remote")]
mod remote;

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

pub use super::public_key::PublicKey;
pub use jwk::StaticKeys;
pub use pem::PemKey;
#[cfg(feature = "remote")]
pub use remote::{Fetch, FetchError, FetchFuture, Fetched, RemoteKeys};

/// A source of verification keys.
///
/// [`PemKey`] and [`StaticKeys`] need no network; `RemoteKeys` fetches the keys that an instance
/// publishes and keeps them up to date.
pub trait KeySource: fmt::Debug + Send + Sync + 'static {
    /// Looks up the key with the `kid` of a token whose header is acceptable. The signature is not
    /// verified yet, so any client may have written the `kid`.
    ///
    /// Called for each request, so a key that is at hand must be returned without a lock or a wait.
    /// The same key must be returned as the same `Arc`, because a cached token is accepted only
    /// while it is.
    fn lookup(&self, kid: Option<&str>) -> Lookup;

    /// Returns whether [`lookup`](Self::lookup) would now return this very key. Called for each
    /// request whose token is cached. A source that can tell without cloning the `Arc` should do
    /// so: on many threads, counting references to one key is the largest cost of a cache hit. A
    /// wrong `true` accepts the cached tokens of a key that was withdrawn.
    fn is_current(&self, kid: Option<&str>, key: &Arc<PublicKey>) -> bool {
        matches!(self.lookup(kid), Lookup::Known(known) if Arc::ptr_eq(&known, key))
    }

    /// Fetches keys unless they are at hand, for servers that should not start without them.
    /// Sources that always have theirs need not implement it.
    fn warm_up(&self) -> WarmUp<'_> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// Notes that a token names this `kid` and that the key that [`lookup`](Self::lookup) returned
    /// for it did not sign it. Most likely the token is forged; possibly the `kid` has a new key.
    fn signature_failed(&self, kid: Option<&str>) {
        let _ = kid;
    }
}

impl<K: KeySource + ?Sized> KeySource for Arc<K> {
    fn lookup(&self, kid: Option<&str>) -> Lookup {
        K::lookup(self, kid)
    }

    fn is_current(&self, kid: Option<&str>, key: &Arc<PublicKey>) -> bool {
        K::is_current(self, kid, key)
    }

    fn warm_up(&self) -> WarmUp<'_> {
        K::warm_up(self)
    }

    fn signature_failed(&self, kid: Option<&str>) {
        K::signature_failed(self, kid);
    }
}

/// The result of a lookup.
#[non_exhaustive]
pub enum Lookup {
    /// A key that is at hand.
    Known(Arc<PublicKey>),
    /// No key: it does not exist, or none is available.
    Missing(MissingKey),
    /// A key that is being fetched.
    Pending(PendingKey),
}

/// The reason why there is no key. It decides between 401 and 503.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MissingKey {
    /// A `kid` that none of the instance's known keys has: the client's fault.
    Unknown,
    /// Unavailable keys: the server's fault.
    Unavailable {
        /// The time to wait before the next try.
        retry_after: Duration,
    },
}

/// The future of a key. Dropping it does not stop the fetch, because others may wait for it too.
pub type PendingKey = Pin<Box<dyn Future<Output = Result<Arc<PublicKey>, MissingKey>> + Send>>;

/// The future of [`KeySource::warm_up`].
pub type WarmUp<'a> = Pin<Box<dyn Future<Output = Result<(), MissingKey>> + Send + 'a>>;

impl From<Result<Arc<PublicKey>, MissingKey>> for Lookup {
    fn from(result: Result<Arc<PublicKey>, MissingKey>) -> Self {
        match result {
            Ok(key) => Self::Known(key),
            Err(missing) => Self::Missing(missing),
        }
    }
}

impl fmt::Debug for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(_) => f.write_str("Known"),
            Self::Missing(missing) => f.debug_tuple("Missing").field(missing).finish(),
            Self::Pending(_) => f.write_str("Pending"),
        }
    }
}
