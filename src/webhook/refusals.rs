//! The counting and logging of refused deliveries. All are counted; those that any client on the
//! internet can cause are logged in samples. Builds no response.

use std::sync::Arc;

use super::error::{DeliveryError, DeliveryErrorKind};
use crate::clock::Clock;
use crate::meter::count;
use crate::sampling::Samples;
use crate::trace::event;

/// A counter of refused deliveries, which also decides which of them are logged.
///
/// A refusal that can be caused without a signing secret is logged at most once every ten seconds
/// for each kind; the next line of that kind has the number that were left out. Every other refusal
/// is logged.
#[derive(Debug)]
pub(super) struct Refusals {
    clock: Arc<dyn Clock>,
    samples: Samples<DeliveryErrorKind>,
}

impl Refusals {
    /// Creates a counter without refusals.
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, samples: Samples::default() }
    }

    /// Counts a refusal, and logs it unless the sampling of its kind leaves it out.
    pub(super) fn record(&self, error: &DeliveryError) {
        count!("clerk_webhook_refused_total", "reason" => error.kind().as_str());
        let left_out = match error.needs_secret() {
            true => Some(0),
            false => self.samples.left_out_before(error.kind(), self.clock.monotonic()),
        };
        let Some(_left_out) = left_out else { return };
        event!(
            warn,
            delivery = error.delivery_id(),
            kind = ?error.kind(),
            left_out = _left_out,
            "webhook delivery refused: {}",
            error.report()
        );
    }
}
