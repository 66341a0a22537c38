//! ③ The keys that an instance publishes: fetched once for all who wait, kept, refreshed ahead of
//! time. This file answers lookups; `state` decides when to fetch, `refresh` does it.

mod refresh;
mod state;

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use self::refresh::Shared;
use super::{KeySource, Lookup, MissingKey};
use crate::clock::{Clock, SystemClock};

/// The keys of a JWKS document that somebody else keeps up to date.
///
/// - Any number of requests that wait for the same document cause one fetch; a request that goes
///   away does not stop it.
/// - A key that is at hand is answered without a lock and without the network, also while the
///   document's server is down: up to 24 hours after the last successful fetch.
/// - The document is fetched again every five minutes, give or take a tenth, and a key that is no
///   longer in it stops working. After a failure the pause grows from one second to a minute.
/// - A `kid` that the document lacks causes a fetch at most every 30 seconds.
///
/// The first lookup starts the work, on the tokio runtime it is called in; the work ends with the
/// last clone.
#[derive(Clone)]
pub struct RemoteKeys {
    shared: Arc<Shared>,
}

impl RemoteKeys {
    /// The keys of the document that `fetch` brings.
    pub fn new(fetch: impl Fetch) -> Self {
        Self { shared: Shared::new(Arc::new(fetch), Arc::new(SystemClock::new())) }
    }

    /// The same document by another clock: what is old is judged by its monotonic time. Nothing
    /// that was fetched before is taken along.
    #[must_use]
    pub fn aging_by(self, clock: Arc<dyn Clock>) -> Self {
        Self { shared: Shared::new(self.shared.fetch(), clock) }
    }

    /// The document at `url`, fetched with this crate's own HTTP client: `https:` (or `http:` on a
    /// loopback address), no redirects, 5 s in all, 256 KiB.
    ///
    /// # Errors
    ///
    /// A URL of another form, or a system without usable root certificates.
    #[cfg(feature = "reqwest")]
    pub fn from_url(url: &str) -> Result<Self, crate::ConfigError> {
        crate::http_client::JwksClient::new(url).map(Self::new)
    }

    /// Fetches the keys now, unless they are here: for servers that would rather not start than
    /// start without them.
    ///
    /// # Errors
    ///
    /// The keys could not be had; when to try again.
    pub async fn warm_up(&self) -> Result<(), MissingKey> {
        self.shared.warm_up().await
    }
}

impl KeySource for RemoteKeys {
    fn lookup(&self, kid: Option<&str>) -> Lookup {
        // A published key always has an id, so a token without one cannot be worth a fetch.
        let Some(kid) = kid else { return Lookup::Missing(MissingKey::Unknown) };
        match self.shared.known(kid) {
            Some(key) => Lookup::Known(key),
            None => self.shared.miss(kid),
        }
    }
}

impl fmt::Debug for RemoteKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteKeys").finish_non_exhaustive()
    }
}

/// Brings a JWKS document from wherever it is kept.
pub trait Fetch: Send + Sync + 'static {
    /// One attempt. It is given up after 5 s, by dropping the future.
    fn fetch(&self) -> FetchFuture<'_>;
}

/// An attempt on its way: the document's bytes, undecoded.
pub type FetchFuture<'a> = Pin<Box<dyn Future<Output = Result<Bytes, FetchError>> + Send + 'a>>;

/// Why a document could not be brought. It is logged, so it must not hold a secret.
#[derive(Clone, Debug)]
pub struct FetchError {
    problem: Box<str>,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl FetchError {
    /// An error with a message for the log.
    pub fn new(problem: impl Into<Box<str>>) -> Self {
        Self { problem: problem.into(), source: None }
    }

    /// What caused it.
    #[must_use]
    pub fn with_source(self, source: impl Error + Send + Sync + 'static) -> Self {
        Self { source: Some(Arc::new(source)), ..self }
    }
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem)?;
        let mut cause = self.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl Error for FetchError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// How long one attempt may take.
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
