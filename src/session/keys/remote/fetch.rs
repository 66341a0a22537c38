//! The trait that fetches a JWKS document, and the result of an attempt. No implementation.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

/// A client that fetches a JWKS document.
pub trait Fetch: Send + Sync + 'static {
    /// Makes one attempt. After [`FetchTimes::timeout`](super::FetchTimes::timeout) it is abandoned,
    /// by dropping the future.
    fn fetch(&self) -> FetchFuture<'_>;
}

/// The future of an attempt.
pub type FetchFuture<'a> = Pin<Box<dyn Future<Output = Result<Fetched, FetchError>> + Send + 'a>>;

/// A document that was fetched.
#[derive(Clone)]
pub struct Fetched {
    pub(super) body: Bytes,
    pub(super) max_age: Option<Duration>,
}

impl Fetched {
    /// Returns a document of these bytes, undecoded.
    pub fn new(body: impl Into<Bytes>) -> Self {
        Self { body: body.into(), max_age: None }
    }

    /// Sets how long the document is fresh, as its server says; default: unknown.
    #[must_use]
    pub fn with_max_age(self, max_age: Duration) -> Self {
        Self { max_age: Some(max_age), ..self }
    }
}

/// Shows only the size: some servers publish more of a key than they should.
impl fmt::Debug for Fetched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetched").field("bytes", &self.body.len()).finish_non_exhaustive()
    }
}

/// The reason why a document could not be fetched. It is logged, so it must not contain a secret.
#[derive(Clone, Debug)]
pub struct FetchError {
    problem: Box<str>,
    pub(super) retry_after: Option<Duration>,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl FetchError {
    /// Returns an error with a message for the log.
    pub fn new(problem: impl Into<Box<str>>) -> Self {
        Self { problem: problem.into(), retry_after: None, source: None }
    }

    /// Sets the time after which its server wants to be asked again; default: none.
    #[must_use]
    pub fn with_retry_after(self, retry_after: Duration) -> Self {
        Self { retry_after: Some(retry_after), ..self }
    }

    /// Sets the cause; default: none.
    #[must_use]
    pub fn with_source(self, source: impl Error + Send + Sync + 'static) -> Self {
        Self { source: Some(Arc::new(source)), ..self }
    }
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem)
    }
}

impl Error for FetchError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
