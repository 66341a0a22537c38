//! Key sources: the trait that finds a key by its id, and the sources that need no network.

mod candidates;
mod jwk;
mod pem;
#[cfg(feature = "remote")]
mod remote;

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

pub use super::public_key::PublicKey;
pub use candidates::Candidates;
pub use jwk::StaticKeys;
pub use pem::PemKey;
#[cfg(feature = "remote")]
pub use remote::{Fetch, FetchError, FetchFuture, FetchTimes, Fetched, RemoteKeys};

/// A source of verification keys.
///
/// [`PemKey`] and [`StaticKeys`] need no network; `RemoteKeys` fetches the keys that an instance
/// publishes and keeps them up to date.
pub trait KeySource: fmt::Debug + Send + Sync + 'static {
    /// Looks up the keys with the `kid` of a token whose header is acceptable. The signature is not
    /// verified yet, so any client may have written the `kid`.
    ///
    /// Called for each request, so keys that are at hand must be returned without a lock or a wait.
    /// The same key must be returned as the same `Arc`, because a cached token is accepted only
    /// while it is.
    fn lookup(&self, kid: Option<&str>) -> Lookup;

    /// Looks up the keys with this `kid` again, since none of `tried` signed a token that names it.
    /// Most likely the token is forged; possibly the instance has replaced its key, which keeps the
    /// `kid`. Returns [`Lookup::Known`] only if there is a key that `tried` lacks, and
    /// [`MissingKey::Unknown`] to refuse the token for its signature.
    ///
    /// Anybody can cause this call with a made-up token, so a source that fetches must limit how
    /// often it does. Sources whose keys never change need not implement it.
    fn lookup_again(&self, kid: Option<&str>, tried: &Candidates) -> Lookup {
        let _ = (kid, tried);
        Lookup::Missing(MissingKey::Unknown)
    }

    /// Returns whether [`lookup`](Self::lookup) would now return this very key. Called for each
    /// request whose token is cached. A source that can tell without cloning an `Arc` should do
    /// so: on many threads, counting references to one key is the largest cost of a cache hit. A
    /// wrong `true` accepts the cached tokens of a key that was withdrawn.
    fn is_current(&self, kid: Option<&str>, key: &Arc<PublicKey>) -> bool {
        matches!(self.lookup(kid), Lookup::Known(known) if known.contains(key))
    }

    /// Returns why the last attempt to get keys failed; `None` if it succeeded, or if there was none.
    /// It becomes the source of the [`AuthError`](crate::session::AuthError) of a token that cannot be
    /// verified, so it must not contain a secret.
    fn last_failure(&self) -> Option<Arc<dyn Error + Send + Sync>> {
        None
    }

    /// Fetches keys unless they are at hand, for servers that should not start without them.
    /// Sources that always have theirs need not implement it.
    fn warm_up(&self) -> WarmUp<'_> {
        Box::pin(std::future::ready(Ok(())))
    }
}

impl<K: KeySource + ?Sized> KeySource for Arc<K> {
    fn lookup(&self, kid: Option<&str>) -> Lookup {
        K::lookup(self, kid)
    }

    fn lookup_again(&self, kid: Option<&str>, tried: &Candidates) -> Lookup {
        K::lookup_again(self, kid, tried)
    }

    fn is_current(&self, kid: Option<&str>, key: &Arc<PublicKey>) -> bool {
        K::is_current(self, kid, key)
    }

    fn last_failure(&self) -> Option<Arc<dyn Error + Send + Sync>> {
        K::last_failure(self)
    }

    fn warm_up(&self) -> WarmUp<'_> {
        K::warm_up(self)
    }
}

/// The result of a lookup.
#[non_exhaustive]
pub enum Lookup {
    /// Keys that are at hand.
    Known(Candidates),
    /// No key: it does not exist, or none is available.
    Missing(MissingKey),
    /// Keys that are being fetched.
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

/// The future of keys. Dropping it does not stop the fetch, because others may wait for it too.
pub type PendingKey = Pin<Box<dyn Future<Output = Result<Candidates, MissingKey>> + Send>>;

/// The future of [`KeySource::warm_up`].
pub type WarmUp<'a> = Pin<Box<dyn Future<Output = Result<(), MissingKey>> + Send + 'a>>;

impl From<Result<Candidates, MissingKey>> for Lookup {
    fn from(result: Result<Candidates, MissingKey>) -> Self {
        match result {
            Ok(keys) => Self::Known(keys),
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
