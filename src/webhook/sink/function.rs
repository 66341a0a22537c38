//! A closure as a sink.

use std::fmt;

use super::{Outcome, Sink};
use crate::webhook::error::SinkError;
use crate::webhook::verify::Delivery;

/// Makes a sink of a closure.
///
/// ```
/// use tower_clerk::webhook::{Delivery, Event, Outcome, SinkError, sink_fn};
///
/// let sink = sink_fn(async |delivery: Delivery| match delivery.event() {
///     Event::SubscriptionPastDue(subscription) => {
///         println!("{:?} is overdue", subscription.id);
///         Ok(Outcome::Applied)
///     }
///     _ => Ok(Outcome::Ignored),
/// });
/// # fn is_sink<S: tower_clerk::webhook::Sink>(_: S) {}
/// # is_sink(sink);
/// ```
///
/// The delivery is handed over by value, which copies nothing.
pub fn sink_fn<F, R>(apply: F) -> SinkFn<F>
where
    F: Fn(Delivery) -> R + Send + Sync + 'static,
    R: Future<Output = Result<Outcome, SinkError>> + Send,
{
    SinkFn { apply }
}

/// What [`sink_fn`] makes.
#[derive(Clone, Copy)]
pub struct SinkFn<F> {
    apply: F,
}

impl<F, R> Sink for SinkFn<F>
where
    F: Fn(Delivery) -> R + Send + Sync + 'static,
    R: Future<Output = Result<Outcome, SinkError>> + Send,
{
    fn apply(
        &self,
        delivery: &Delivery,
    ) -> impl Future<Output = Result<Outcome, SinkError>> + Send {
        (self.apply)(delivery.clone())
    }
}

impl<F> fmt::Debug for SinkFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SinkFn").finish_non_exhaustive()
    }
}
