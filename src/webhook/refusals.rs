//! What the operator is told about refused deliveries: each one is counted, and those that anybody
//! on the internet can cause are logged in samples. Builds no response.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::error::{DeliveryError, DeliveryErrorKind};
use crate::clock::Clock;
use crate::meter::count;
use crate::trace::event;

/// Counts refused deliveries, and decides which of them get a line in the log.
///
/// A refusal that needs no signing secret gets at most one line every ten seconds for each kind; the
/// next line of that kind says how many were left out. All others get a line each.
#[derive(Debug)]
pub(super) struct Refusals {
    clock: Arc<dyn Clock>,
    /// By kind. There are few, and a lock is held for a moment, on refusals only.
    samples: Mutex<Vec<(DeliveryErrorKind, Sample)>>,
}

/// What was logged of one kind.
#[derive(Clone, Copy, Debug)]
struct Sample {
    logged_at: Instant,
    left_out: u64,
}

impl Refusals {
    /// Returns a record that has seen no refusal.
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, samples: Mutex::default() }
    }

    /// Counts a refusal, and logs it unless one of its kind was logged a moment ago.
    pub(super) fn record(&self, error: &DeliveryError) {
        count!("clerk_webhook_refused_total", "reason" => error.kind().as_str());
        let Some(_left_out) = self.left_out_before(error.kind()) else { return };
        event!(
            warn,
            delivery = error.delivery_id(),
            kind = ?error.kind(),
            left_out = _left_out,
            "webhook delivery refused: {}",
            error.report()
        );
    }

    /// Returns how many refusals of this kind were left out since the last line, or none where this
    /// one is to be left out too.
    fn left_out_before(&self, kind: DeliveryErrorKind) -> Option<u64> {
        if kind.needs_secret() {
            return Some(0);
        }
        let now = self.clock.monotonic();
        let mut samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((_, sample)) = samples.iter_mut().find(|(of, _)| *of == kind) else {
            samples.push((kind, Sample { logged_at: now, left_out: 0 }));
            return Some(0);
        };
        if now.saturating_duration_since(sample.logged_at) < PAUSE {
            sample.left_out = sample.left_out.saturating_add(1);
            return None;
        }
        let left_out = sample.left_out;
        *sample = Sample { logged_at: now, left_out: 0 };
        Some(left_out)
    }
}

const PAUSE: Duration = Duration::from_secs(10);
