//! What the operator is told about refused deliveries: each one is counted, and those that anybody
//! on the internet can cause are logged in samples. Builds no response.

use std::sync::Arc;

use super::error::{DeliveryError, DeliveryErrorKind};
use crate::clock::Clock;
use crate::meter::count;
use crate::sampling::Samples;
use crate::trace::event;

/// Counts refused deliveries, and decides which of them get a line in the log.
///
/// A refusal that needs no signing secret gets at most one line every ten seconds for each kind; the
/// next line of that kind says how many were left out. All others get a line each.
#[derive(Debug)]
pub(super) struct Refusals {
    clock: Arc<dyn Clock>,
    samples: Samples<DeliveryErrorKind>,
}

impl Refusals {
    /// Returns a record that has seen no refusal.
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, samples: Samples::default() }
    }

    /// Counts a refusal, and logs it unless one of its kind was logged a moment ago.
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
