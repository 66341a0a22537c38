//! The trait for places that keep lock-outs.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use super::order::Lockout;

/// A place that keeps lock-outs where all instances of a server see them, for example
/// `sea_orm::SeaOrmSink`.
///
/// Whoever applies Clerk's events writes to it, in the transaction of the event:
/// `sync::lockout_of` says what an event locks out. A lock-out must be kept for 65 minutes.
pub trait LockoutStore: Send + Sync + 'static {
    /// Returns the lock-outs that were written within this time, by the store's own clock, in any order.
    /// Some may be older, and some may come again.
    ///
    /// # Errors
    ///
    /// Fails if the store cannot be read.
    fn within(
        &self,
        age: Duration,
    ) -> impl Future<Output = Result<Vec<Lockout>, LockoutError>> + Send;
}

/// The reason why a store cannot be read, for the operator.
#[derive(Debug)]
pub struct LockoutError(Box<dyn Error + Send + Sync>);

impl LockoutError {
    /// Creates an error from its reason, which must hold neither a secret nor somebody's data.
    #[must_use]
    pub fn new(reason: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(reason.into())
    }
}

impl fmt::Display for LockoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the lock-outs cannot be read: {}", self.0)
    }
}

impl Error for LockoutError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

/// A [`LockoutStore`] whose future is boxed, so that stores are of one type.
pub(super) trait Store: Send + Sync {
    fn within(&self, age: Duration) -> Read<'_>;
}

pub(super) type Read<'a> =
    Pin<Box<dyn Future<Output = Result<Vec<Lockout>, LockoutError>> + Send + 'a>>;

impl<S: LockoutStore> Store for S {
    fn within(&self, age: Duration) -> Read<'_> {
        Box::pin(LockoutStore::within(self, age))
    }
}
