//! Two sinks, one after the other.

use super::{Outcome, Sink};
use crate::webhook::error::SinkError;
use crate::webhook::verify::Delivery;

/// What [`Sink::then`] makes.
#[derive(Clone, Copy, Debug)]
pub struct Then<A, B> {
    first: A,
    second: B,
}

impl<A, B> Then<A, B> {
    pub(super) fn new(first: A, second: B) -> Self {
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
