//! The trait for destinations of deliveries, and its outcomes. Sinks made of other sinks are in the
//! submodules.

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
/// 1. does nothing if it has applied a delivery with this [`Delivery::id`] before;
/// 2. does nothing if it knows a newer state ([`User::updated_at`](super::User::updated_at), and of two
///    with the same time an update is newer than a creation) or a deletion of the record;
/// 3. returns only when its changes would survive a crash, because Svix does not retry after that.
///
/// It should return within a few seconds. Its future is dropped if the client disconnects or the
/// service's deadline passes. The delivery must then be applied in full, by a task of the sink, or
/// not at all: a transaction that is part of the future has to roll back when it is dropped.
///
/// [`sink_fn`] and [`sink_fn_with_state`] make a sink from a closure, [`EventRouter`] chooses among
/// several by the event's type, and [`then`](Self::then) runs one after another.
pub trait Sink: Send + Sync + 'static {
    /// Applies a delivery and returns the outcome.
    ///
    /// # Errors
    ///
    /// Fails if the sink cannot apply the delivery. Nothing of it may remain then, so that its next
    /// try is applied in full.
    fn apply(&self, delivery: &Delivery)
    -> impl Future<Output = Result<Outcome, SinkError>> + Send;

    /// Returns whether the sink does anything about events of this type, such as `user.created`; default:
    /// `true`. An event whose data lacks what every record of its kind needs, such as a usable id, cannot
    /// be given to a sink: it is refused with 400 if the sink acts on its type, and acknowledged
    /// otherwise.
    fn acts_on(&self, kind: &str) -> bool {
        let _ = kind;
        true
    }

    /// Returns a sink that passes every delivery to this one and then to `next`.
    ///
    /// If this sink fails, `next` is not called; after any outcome it is. If `next` fails, Svix
    /// sends the delivery again and both are called again, so this sink must recognise a
    /// repetition. The outcome is [`Applied`](Outcome::Applied) if either sink applied it; otherwise
    /// it is this sink's, or `next`'s if this sink [ignored](Outcome::Ignored) the delivery.
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

    fn acts_on(&self, kind: &str) -> bool {
        S::acts_on(self, kind)
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

    /// Returns the sink that receives every delivery first.
    #[must_use]
    pub fn first(&self) -> &A {
        &self.first
    }

    /// Returns the sink that receives the delivery after the first one has succeeded.
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

    fn acts_on(&self, kind: &str) -> bool {
        self.first.acts_on(kind) || self.second.acts_on(kind)
    }
}

impl Outcome {
    /// Returns the outcome as one word, for logs and metric labels.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Duplicate => "duplicate",
            Self::Ignored => "ignored",
            Self::Stale => "stale",
        }
    }
}

/// The outcome of a delivery. Svix receives the same answer for each: 204.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// The event changed the sink's data.
    Applied,
    /// The same delivery was applied before.
    Duplicate,
    /// The sink does not act on events of this kind.
    Ignored,
    /// The sink knows a newer state, or the record is deleted.
    Stale,
}
