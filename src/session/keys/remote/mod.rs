//! ③ The keys that an instance publishes: fetched once for all who wait, kept, refreshed ahead of
//! time. This file answers lookups; `state` decides when to fetch, `refresh` has it done, `task`
//! does it.

#[cfg(feature = "reqwest")]
mod jwks_client;
mod shared;
mod state;
mod task;

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use self::shared::Shared;
use super::{KeySource, Lookup, MissingKey, PublicKey, WarmUp};
use crate::clock::{Clock, SystemClock};

/// The keys of a JWKS document that somebody else keeps up to date.
///
/// - Any number of requests that wait for the same document cause one fetch; a request that goes
///   away does not stop it.
/// - A key that is at hand is answered without a lock and without the network, also while the
///   document's server is down: up to 24 hours after the last successful fetch.
/// - The document is fetched again every five minutes, give or take a tenth, or as often as its
///   `Cache-Control: max-age` says, within one and fifteen minutes. A key that is no longer in it
///   stops working. After a failure the pause grows from one second to a minute; a `Retry-After`
///   is honoured up to five.
/// - A `kid` that the document lacks causes a fetch at most every 30 seconds, and so does a bad
///   signature under a `kid` that it has: the key may be a new one. While fetches fail, and for a
///   `kid` that was looked for in those 30 seconds, it causes none.
///
/// The first lookup starts the work, on the tokio runtime it is called in, which needs its timers
/// enabled; should that runtime end or stand still, a later lookup has it done on its own. The work
/// ends with the last clone.
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
        jwks_client::JwksClient::new(url, None).map(Self::new)
    }

    /// The keys by way of the Backend API, for servers that may reach that and not the Frontend
    /// API: `GET {api_url}/v1/jwks`, where `api_url` is `https://api.clerk.com` unless the account
    /// says otherwise.
    ///
    /// # Errors
    ///
    /// A URL of another form, or a system without usable root certificates.
    #[cfg(feature = "reqwest")]
    pub fn from_backend_api(
        api_url: &str,
        secret_key: &crate::secret::SecretKey,
    ) -> Result<Self, crate::ConfigError> {
        let url = format!("{}/v1/jwks", api_url.trim_end_matches('/'));
        jwks_client::JwksClient::new(&url, Some(secret_key)).map(Self::new)
    }

    /// Fetches the keys now, unless they are here: for servers that would rather not start than
    /// start without them. Joins an attempt that is under way; makes none in the pause after one
    /// that failed.
    ///
    /// # Errors
    ///
    /// The keys could not be had; when to try again. The attempts go on by themselves.
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

    fn still_gives(&self, kid: Option<&str>, key: &Arc<PublicKey>) -> bool {
        kid.is_some_and(|kid| self.shared.still_gives(kid, key))
    }

    fn warm_up(&self) -> WarmUp<'_> {
        Box::pin(self.shared.warm_up())
    }

    fn signature_failed(&self, _kid: Option<&str>) {
        self.shared.look_for_a_new_key();
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

/// An attempt on its way.
pub type FetchFuture<'a> = Pin<Box<dyn Future<Output = Result<Fetched, FetchError>> + Send + 'a>>;

/// A document that was brought.
#[derive(Clone)]
pub struct Fetched {
    body: Bytes,
    max_age: Option<Duration>,
}

impl Fetched {
    /// A document's bytes, undecoded.
    pub fn new(body: impl Into<Bytes>) -> Self {
        Self { body: body.into(), max_age: None }
    }

    /// How long its server says that it is fresh.
    #[must_use]
    pub fn with_max_age(self, max_age: Duration) -> Self {
        Self { max_age: Some(max_age), ..self }
    }
}

/// Some publish more of a key than they should.
impl fmt::Debug for Fetched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetched").field("bytes", &self.body.len()).finish_non_exhaustive()
    }
}

/// Why a document could not be brought. It is logged, so it must not hold a secret.
#[derive(Clone, Debug)]
pub struct FetchError {
    problem: Box<str>,
    retry_after: Option<Duration>,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl FetchError {
    /// An error with a message for the log.
    pub fn new(problem: impl Into<Box<str>>) -> Self {
        Self { problem: problem.into(), retry_after: None, source: None }
    }

    /// When its server would like to be asked again.
    #[must_use]
    pub fn with_retry_after(self, retry_after: Duration) -> Self {
        Self { retry_after: Some(retry_after), ..self }
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
