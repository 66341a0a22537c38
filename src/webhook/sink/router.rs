//! A sink that chooses among others by the event's type.

use std::fmt;
use std::pin::Pin;

use super::{Outcome, Sink};
use crate::webhook::error::SinkError;
use crate::webhook::verify::{Delivery, UnreadableDelivery};

/// Hands each delivery to the first sink whose type it has.
///
/// What no route wants is [`Outcome::Ignored`]: Svix is told that it arrived, and does not send it
/// again.
///
/// ```
/// use tower_clerk::webhook::{Delivery, Effect, EventRouter, Outcome, Sink, sink_fn};
///
/// # fn router(users: impl Sink) -> EventRouter {
/// EventRouter::new()
///     .on_user(users)
///     .on("session.revoked", sink_fn(async |_: Delivery| Ok(Outcome::Applied(Effect::Other))))
///     .on("subscription.*", sink_fn(async |_: Delivery| Ok(Outcome::Applied(Effect::Other))))
/// # }
/// ```
#[derive(Default)]
#[must_use = "a router does nothing until it is given to a service"]
pub struct EventRouter {
    routes: Vec<Route>,
    otherwise: Option<Box<dyn AnySink>>,
}

impl EventRouter {
    /// A router without routes, which ignores everything.
    pub fn new() -> Self {
        Self::default()
    }

    /// Hands events of a type to a sink. `user.created` is that type alone, `user.*` every type
    /// that begins with `user.`, those included that Clerk may add. Letters count as they are
    /// written: `organizationMembership.created`.
    pub fn on(mut self, kind: impl Into<String>, sink: impl Sink) -> Self {
        self.routes.push(Route { pattern: kind.into(), sink: Box::new(sink) });
        self
    }

    /// Hands `organizationMembership.*` to a sink.
    pub fn on_membership(self, sink: impl Sink) -> Self {
        self.on("organizationMembership.*", sink)
    }

    /// Hands `organization.*` to a sink; domains, invitations and memberships are not among them.
    pub fn on_organization(self, sink: impl Sink) -> Self {
        self.on("organization.*", sink)
    }

    /// Hands `session.*` to a sink.
    pub fn on_session(self, sink: impl Sink) -> Self {
        self.on("session.*", sink)
    }

    /// Hands `user.*` to a sink.
    pub fn on_user(self, sink: impl Sink) -> Self {
        self.on("user.*", sink)
    }

    /// Hands what no route wants to a sink.
    pub fn otherwise(self, sink: impl Sink) -> Self {
        Self { otherwise: Some(Box::new(sink)), ..self }
    }
}

impl Sink for EventRouter {
    async fn apply(&self, delivery: &Delivery) -> Result<Outcome, SinkError> {
        match self.sink_for(delivery.event().kind()) {
            Some(sink) => sink.apply_boxed(delivery).await,
            None => Ok(Outcome::Ignored),
        }
    }

    async fn apply_after(
        &self,
        delivery: &Delivery,
        earlier: Outcome,
    ) -> Result<Outcome, SinkError> {
        match self.sink_for(delivery.event().kind()) {
            Some(sink) => sink.apply_after_boxed(delivery, earlier).await,
            None => Ok(Outcome::Ignored),
        }
    }

    fn acts_on(&self, kind: &str) -> bool {
        self.sink_for(kind).is_some_and(|sink| sink.acts_on(kind))
    }

    async fn park(&self, delivery: &UnreadableDelivery) -> Result<Option<Outcome>, SinkError> {
        match self.sink_for(delivery.kind()) {
            Some(sink) => sink.park_boxed(delivery).await,
            None => Ok(None),
        }
    }
}

impl EventRouter {
    /// Returns the sink that is given events of a type.
    fn sink_for(&self, kind: &str) -> Option<&dyn AnySink> {
        let route = self.routes.iter().find(|route| route.wants(kind)).map(|route| &route.sink);
        route.or(self.otherwise.as_ref()).map(|sink| &**sink)
    }
}

impl fmt::Debug for EventRouter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let patterns: Vec<&str> = self.routes.iter().map(|route| &*route.pattern).collect();
        f.debug_struct("EventRouter").field("routes", &patterns).finish_non_exhaustive()
    }
}

struct Route {
    pattern: String,
    sink: Box<dyn AnySink>,
}

impl Route {
    fn wants(&self, kind: &str) -> bool {
        match self.pattern.strip_suffix('*') {
            Some(beginning) => kind.starts_with(beginning),
            None => kind == self.pattern,
        }
    }
}

/// A sink whose future is boxed, so that sinks of several types fit into one list.
trait AnySink: Send + Sync {
    fn apply_boxed<'a>(&'a self, delivery: &'a Delivery) -> BoxFuture<'a, Outcome>;

    fn apply_after_boxed<'a>(
        &'a self,
        delivery: &'a Delivery,
        earlier: Outcome,
    ) -> BoxFuture<'a, Outcome>;

    fn acts_on(&self, kind: &str) -> bool;

    fn park_boxed<'a>(&'a self, delivery: &'a UnreadableDelivery)
    -> BoxFuture<'a, Option<Outcome>>;
}

impl<S: Sink> AnySink for S {
    fn apply_boxed<'a>(&'a self, delivery: &'a Delivery) -> BoxFuture<'a, Outcome> {
        Box::pin(self.apply(delivery))
    }

    fn apply_after_boxed<'a>(
        &'a self,
        delivery: &'a Delivery,
        earlier: Outcome,
    ) -> BoxFuture<'a, Outcome> {
        Box::pin(self.apply_after(delivery, earlier))
    }

    fn acts_on(&self, kind: &str) -> bool {
        Sink::acts_on(self, kind)
    }

    fn park_boxed<'a>(
        &'a self,
        delivery: &'a UnreadableDelivery,
    ) -> BoxFuture<'a, Option<Outcome>> {
        Box::pin(self.park(delivery))
    }
}

type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, SinkError>> + Send + 'a>>;
