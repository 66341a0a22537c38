//! A closure as a sink, with a state or without.

use std::fmt;

use super::{Outcome, Sink};
use crate::webhook::error::SinkError;
use crate::webhook::verify::Delivery;

/// Makes a sink from a closure or an `async fn`. An `async` closure may capture nothing: for one that
/// needs a database, a channel or anything else, see [`sink_fn_with_state`].
///
/// ```
/// use tower_clerk::webhook::{Delivery, Effect, Event, Outcome, SinkError, sink_fn};
///
/// let sink = sink_fn(async |delivery: Delivery| match delivery.event() {
///     Event::SubscriptionPastDue(subscription) => {
///         println!("{:?} is overdue", subscription.id);
///         Ok(Outcome::Applied(Effect::Other))
///     }
///     _ => Ok(Outcome::Ignored),
/// });
/// # fn is_sink<S: tower_clerk::webhook::Sink>(_: S) {}
/// # is_sink(sink);
/// ```
///
/// The delivery is passed by value, which copies nothing.
pub fn sink_fn<F, R>(apply: F) -> SinkFn<F>
where
    F: Fn(Delivery) -> R + Send + Sync + 'static,
    R: Future<Output = Result<Outcome, SinkError>> + Send,
{
    SinkFn { apply }
}

/// Makes a sink from a state and a closure, or an `async fn`, that is given a clone of it with each
/// delivery.
///
/// ```
/// use tokio::sync::mpsc::Sender;
/// use tower_clerk::webhook::{
///     Delivery, Effect, Event, Outcome, Sink, SinkError, sink_fn_with_state,
/// };
///
/// /// Passes the ids of overdue subscriptions on.
/// fn reminders(overdue: Sender<String>) -> impl Sink {
///     sink_fn_with_state(overdue, async |overdue: Sender<String>, delivery: Delivery| {
///         let Event::SubscriptionPastDue(subscription) = delivery.event() else {
///             return Ok(Outcome::Ignored);
///         };
///         let id = subscription.id.clone().unwrap_or_default();
///         overdue.send(id).await.map_err(SinkError::transient)?;
///         Ok(Outcome::Applied(Effect::Other))
///     })
/// }
/// ```
///
/// The delivery is passed by value, which copies nothing. The state is cloned for each delivery: keep
/// what is large in an [`Arc`](std::sync::Arc).
pub fn sink_fn_with_state<S, F, R>(state: S, apply: F) -> SinkFnWithState<S, F>
where
    S: Clone + Send + Sync + 'static,
    F: Fn(S, Delivery) -> R + Send + Sync + 'static,
    R: Future<Output = Result<Outcome, SinkError>> + Send,
{
    SinkFnWithState { state, apply }
}

/// The sink of [`sink_fn`].
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

/// The sink of [`sink_fn_with_state`].
#[derive(Clone, Copy)]
pub struct SinkFnWithState<S, F> {
    state: S,
    apply: F,
}

impl<S, F, R> Sink for SinkFnWithState<S, F>
where
    S: Clone + Send + Sync + 'static,
    F: Fn(S, Delivery) -> R + Send + Sync + 'static,
    R: Future<Output = Result<Outcome, SinkError>> + Send,
{
    fn apply(
        &self,
        delivery: &Delivery,
    ) -> impl Future<Output = Result<Outcome, SinkError>> + Send {
        (self.apply)(self.state.clone(), delivery.clone())
    }
}

impl<S, F> fmt::Debug for SinkFnWithState<S, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SinkFnWithState").finish_non_exhaustive()
    }
}
