//! ⑤ Where deliveries go. The trait and what it answers; no implementation.

use std::sync::Arc;

use super::error::SinkError;
use super::verify::Delivery;

/// Takes deliveries in.
///
/// Svix delivers at least once and in no order. An implementation therefore
///
/// 1. does nothing when it has seen [`Delivery::id`] before;
/// 2. does nothing when it knows a newer state ([`User::updated_at`](super::User::updated_at)),
///    and lets nothing follow a deletion;
/// 3. answers only when what it did would survive a crash: the answer to Svix stops the retries.
///
/// It should answer within a few seconds. Its future is dropped when the client goes away or the
/// service's deadline passes; a dropped transaction has to roll back.
pub trait UserSink: Send + Sync + 'static {
    /// Takes a delivery in.
    ///
    /// # Errors
    ///
    /// Whatever keeps the sink from doing its part. Nothing of the delivery may remain then, so
    /// that its next try is applied in full.
    fn apply(&self, delivery: &Delivery)
    -> impl Future<Output = Result<Outcome, SinkError>> + Send;
}

impl<S: UserSink> UserSink for Arc<S> {
    fn apply(
        &self,
        delivery: &Delivery,
    ) -> impl Future<Output = Result<Outcome, SinkError>> + Send {
        S::apply(self, delivery)
    }
}

/// What became of a delivery. Svix is told the same in every case: it arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// The event changed what the sink knows.
    Applied,
    /// The same delivery has been taken in before.
    Duplicate,
    /// The event is none that the sink acts on.
    Ignored,
    /// The sink knows a newer state, or the user is gone.
    Stale,
}
