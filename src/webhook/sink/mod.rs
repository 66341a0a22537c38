//! The trait for destinations of deliveries, and its outcomes. Sinks made of other sinks are in the
//! submodules.

mod function;
mod router;

use std::sync::Arc;

pub use function::{SinkFn, SinkFnWithState, sink_fn, sink_fn_with_state};
pub use router::EventRouter;

use super::error::SinkError;
use super::verify::{Delivery, UnreadableDelivery};

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

    /// Applies a delivery after another sink, with the outcome there; default: [`apply`](Self::apply),
    /// which does not look at it. [`then`](Self::then) calls it.
    ///
    /// The other sink has committed by then. If this one fails, the outcome there is
    /// [`Duplicate`](Outcome::Duplicate) when the delivery comes again: what must happen once for each
    /// inserted record has to be committed together with the record, as an `InTransaction` of
    /// `SeaOrmSink` is.
    ///
    /// # Errors
    ///
    /// As [`apply`](Self::apply).
    fn apply_after(
        &self,
        delivery: &Delivery,
        earlier: Outcome,
    ) -> impl Future<Output = Result<Outcome, SinkError>> + Send {
        let _ = earlier;
        self.apply(delivery)
    }

    /// Returns whether the sink does anything about events of this type, such as `user.created`; default:
    /// `true`. An event whose data lacks what every record of its kind needs, such as a usable id, cannot
    /// be given to a sink: the sink is asked to [park](Self::park) it if it acts on its type, and it is
    /// acknowledged otherwise.
    fn acts_on(&self, kind: &str) -> bool {
        let _ = kind;
        true
    }

    /// Keeps a delivery that no try will ever make readable, for an operator, and returns the outcome,
    /// [`Outcome::Parked`] as a rule. `None`, the default, refuses it with 400: Svix tries again for a
    /// day or so, in vain, and then it is gone.
    ///
    /// It is asked for types only that the sink [acts on](Self::acts_on). The body holds personal data: a
    /// sink that keeps it must also delete it, at the latest with the user.
    ///
    /// # Errors
    ///
    /// Fails if the delivery cannot be kept now. It is then sent again.
    fn park(
        &self,
        delivery: &UnreadableDelivery,
    ) -> impl Future<Output = Result<Option<Outcome>, SinkError>> + Send {
        let _ = delivery;
        std::future::ready(Ok(None))
    }

    /// Returns a sink that passes every delivery to this one and then to `next`.
    ///
    /// If this sink fails, `next` is not called; after any outcome it is, and is
    /// [given](Self::apply_after) the outcome. If `next` fails, Svix sends the delivery again and both
    /// are called again, so this sink must recognise a repetition. The outcome is that of the first of
    /// the two that [applied](Outcome::Applied) it; otherwise it is this sink's, or `next`'s if this
    /// sink [ignored](Outcome::Ignored) the delivery. One that either sink parked is
    /// [`Parked`](Outcome::Parked); each is asked to park the types that it acts on.
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

    fn apply_after(
        &self,
        delivery: &Delivery,
        earlier: Outcome,
    ) -> impl Future<Output = Result<Outcome, SinkError>> + Send {
        S::apply_after(self, delivery, earlier)
    }

    fn acts_on(&self, kind: &str) -> bool {
        S::acts_on(self, kind)
    }

    fn park(
        &self,
        delivery: &UnreadableDelivery,
    ) -> impl Future<Output = Result<Option<Outcome>, SinkError>> + Send {
        S::park(self, delivery)
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
        Ok(first.and(self.second.apply_after(delivery, first).await?))
    }

    async fn apply_after(
        &self,
        delivery: &Delivery,
        earlier: Outcome,
    ) -> Result<Outcome, SinkError> {
        let first = self.first.apply_after(delivery, earlier).await?;
        Ok(first.and(self.second.apply_after(delivery, earlier.and(first)).await?))
    }

    fn acts_on(&self, kind: &str) -> bool {
        self.first.acts_on(kind) || self.second.acts_on(kind)
    }

    async fn park(&self, delivery: &UnreadableDelivery) -> Result<Option<Outcome>, SinkError> {
        let first = park_if_acts_on(&self.first, delivery).await?;
        let second = park_if_acts_on(&self.second, delivery).await?;
        Ok(match (first, second) {
            (_, Some(Outcome::Parked)) | (None, _) => second,
            _ => first,
        })
    }
}

async fn park_if_acts_on(
    sink: &impl Sink,
    delivery: &UnreadableDelivery,
) -> Result<Option<Outcome>, SinkError> {
    if sink.acts_on(delivery.kind()) { sink.park(delivery).await } else { Ok(None) }
}

impl Outcome {
    /// Returns the outcome as one word, for logs and metric labels. The effect is not part of it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Applied(_) => "applied",
            Self::Duplicate => "duplicate",
            Self::Ignored => "ignored",
            Self::Parked => "parked",
            Self::Stale => "stale",
        }
    }

    /// Returns the outcome of two sinks in sequence: the one that says more, and of two that say as
    /// much the first.
    fn and(self, next: Self) -> Self {
        match (self, next) {
            (Self::Parked, _) | (_, Self::Parked) => Self::Parked,
            (Self::Applied(_), _) => self,
            (_, Self::Applied(_)) | (Self::Ignored, _) => next,
            _ => self,
        }
    }
}

/// The outcome of a delivery. Svix receives the same answer for each: 204.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// The event changed the sink's data.
    Applied(Effect),
    /// The same delivery was applied before.
    Duplicate,
    /// The sink does not act on events of this kind.
    Ignored,
    /// The sink could never apply the delivery, and has kept it for an operator.
    Parked,
    /// The sink knows a newer state, or the record is deleted.
    Stale,
}

/// What an applied delivery did to the record that its event is about.
///
/// Events arrive in any order: the type of an event does not tell whether its record was known.
/// `user.updated` inserts a user if it arrives first, and `user.created` is stale after that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Effect {
    /// The delivery made the record's row.
    Inserted,
    /// The record had a row, which the delivery changed.
    Updated,
    /// The record is deleted from this delivery on, whether or not it had a row.
    Deleted,
    /// Something other than a change to one record: for sinks that keep none.
    Other,
}
