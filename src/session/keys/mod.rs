//! A key id → the key. What a source of keys is, and the sources that need no network.

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

/// Where verification keys come from.
///
/// [`PemKey`] and [`StaticKeys`] need no network, `RemoteKeys` fetches and keeps what an instance
/// publishes.
pub trait KeySource: fmt::Debug + Send + Sync + 'static {
    /// Looks a key up by the `kid` of a token whose header is acceptable and whose signature is
    /// not known yet: anybody can have written it.
    ///
    /// Called for each request, so a key that is at hand must come without a lock or a wait. The
    /// same key must come as the same `Arc`: a token that was verified is remembered only as long
    /// as it does.
    fn lookup(&self, kid: Option<&str>) -> Lookup;

    /// Whether [`lookup`](Self::lookup) would now give this very key: asked for each request whose
    /// token is remembered. A source that can say so without handing out a reference should: on
    /// many threads, counting references to one key is what a hit costs most.
    fn is_current(&self, kid: Option<&str>, key: &Arc<PublicKey>) -> bool {
        matches!(self.lookup(kid), Lookup::Known(known) if Arc::ptr_eq(&known, key))
    }

    /// Has keys at hand, fetching them if need be, for servers that would rather not start than
    /// start without. Sources that always have theirs need not say anything.
    fn warm_up(&self) -> WarmUp<'_> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// A token named this `kid` and the key that [`lookup`](Self::lookup) gave for it did not sign
    /// it. Most likely somebody made the token up; perhaps the `kid` has a new key.
    fn signature_failed(&self, kid: Option<&str>) {
        let _ = kid;
    }
}

/// What a key source answers.
#[non_exhaustive]
pub enum Lookup {
    /// The key is at hand.
    Known(Arc<PublicKey>),
    /// There is no such key, or none can be had.
    Missing(MissingKey),
    /// It is being fetched.
    Pending(PendingKey),
}

/// Why there is no key. Whose fault it is decides between 401 and 503.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MissingKey {
    /// The instance's keys are known, and this is none of them: the client's fault.
    Unknown,
    /// The instance's keys could not be had: ours.
    Unavailable {
        /// When it is worth asking again.
        retry_after: Duration,
    },
}

/// A key on its way. Dropping it does not stop the fetch that others wait for too.
pub type PendingKey = Pin<Box<dyn Future<Output = Result<Arc<PublicKey>, MissingKey>> + Send>>;

/// Keys that are to be at hand when it ends.
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
