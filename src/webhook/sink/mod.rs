//! Where deliveries go. The trait and what it answers; sinks made of others are beside it.

mod function;
mod router;

use std::sync::Arc;

pub use function::{SinkFn, SinkFnWithState, sink_fn, sink_fn_with_state};
pub use router::EventRouter;

use super::error::SinkError;
use super::verify::Delivery;

/// A destination of deliveries.
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
///
/// [`sink_fn`] and [`sink_fn_with_state`] make one from a closure, [`EventRouter`] chooses among several
/// by the event's type, and [`then`](Self::then) runs one after another.
pub trait Sink: Send + Sync + 'static {
    /// Applies a delivery and returns the outcome.
    ///
    /// # Errors
    ///
    /// Whatever keeps the sink from doing its part. Nothing of the delivery may remain then, so
    /// that its next try is applied in full.
    fn apply(&self, delivery: &Delivery)
    -> impl Future<Output = Result<Outcome, SinkError>> + Send;

    /// Returns a sink that passes every delivery to this one and then to `next`.
    ///
    /// `next` is called unless this sink fails, whatever its outcome. When `next` fails, both are called
    /// again with the next attempt: this one then returns [`Outcome::Duplicate`], and `next` has another
    /// chance. The outcome is [`Applied`](Outcome::Applied) if either returns it, and otherwise this
    /// one's, unless that is [`Ignored`](Outcome::Ignored).
    fn then<N: Sink>(self, next: N) -> Then<Self, N>
    where
        Self: Sized,
    {
        Then::new(self, next)
    }
}

impl<S: Sink> Sink for Arc<S> {
    fn apply(
        &self,
        delivery: &Delivery,
    ) -> impl Future<Output = Result<Outcome, SinkError>> + Send {
        S::apply(self, delivery)
    }
}

/// The sink of [`Sink::then`].
#[derive(Clone, Copy, Debug)]
pub struct Then<A, B> {
    first: A,
    second: B,
}

impl<A, B> Then<A, B> {
    fn new(first: A, second: B) -> Self {
        Self { first, second }
    }

    /// The sink that every delivery goes to first.
    #[must_use]
    pub fn first(&self) -> &A {
        &self.first
    }

    /// The sink that gets what the first has taken in.
    #[must_use]
    pub fn second(&self) -> &B {
        &self.second
    }
}

impl<A: Sink, B: Sink> Sink for Then<A, B> {
    async fn apply(&self, delivery: &Delivery) -> Result<Outcome, SinkError> {
        let first = self.first.apply(delivery).await?;
        let second = self.second.apply(delivery).await?;
        Ok(match (first, second) {
            (_, Outcome::Applied) | (Outcome::Ignored, _) => second,
            _ => first,
        })
    }
}

/// The outcome of a delivery. Svix is told the same in every case: it arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// The event changed what the sink knows.
    Applied,
    /// The same delivery has been taken in before.
    Duplicate,
    /// The event is none that the sink acts on.
    Ignored,
    /// The sink knows a newer state, or what the event is about is gone.
    Stale,
}
