//! The Clerk instance whose deliveries a service takes, and those of others. Counts and logs what is
//! left out.

use std::sync::{Arc, OnceLock};

use crate::clock::Clock;
use crate::ids::{InstanceId, InvalidId};
use crate::meter::count;
use crate::sampling::Samples;
use crate::trace::event;

/// A server's own Clerk instance, which may become known while the server runs. Clones share it.
///
/// Until it is known, deliveries of every instance are taken. It must come from a place that is
/// certain, such as a setting or `GET /v1/instance` of the Backend API, and never from a delivery.
#[derive(Clone, Debug, Default)]
pub struct OwnInstance {
    id: Arc<OnceLock<InstanceId>>,
}

impl OwnInstance {
    /// Returns an instance that is not known yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the instance's id, `ins_…`. The first one stays.
    ///
    /// # Errors
    ///
    /// The text is no such id.
    pub fn set(&self, id: &str) -> Result<(), InvalidId> {
        // Whoever was first is right: a server has one instance.
        let _ = self.id.set(InstanceId::parse(id)?);
        Ok(())
    }

    /// Returns the instance's id, if it is known.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.id.get().map(|id| &**id)
    }
}

/// Decides which deliveries are a server's own.
#[derive(Debug)]
pub(super) struct Addressee {
    own: OwnInstance,
    clock: Arc<dyn Clock>,
    samples: Samples<Ignored>,
}

/// Why a delivery is acknowledged and changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ignored {
    Example,
    OtherInstance,
}

impl Addressee {
    pub(super) fn new(own: OwnInstance, clock: Arc<dyn Clock>) -> Self {
        Self { own, clock, samples: Samples::default() }
    }

    /// Returns whether a delivery is this server's: unless it is an example, or names another
    /// instance than the known one. One that names none is. Counts and logs any other.
    pub(super) fn is_of(&self, _delivery: &str, instance_id: Option<&str>) -> bool {
        let Some(named) = instance_id else { return true };
        let ignored = if named == EXAMPLE {
            Ignored::Example
        } else if self.own.id().is_some_and(|own| own != named) {
            Ignored::OtherInstance
        } else {
            return true;
        };
        count!("clerk_webhook_ignored_total", "reason" => ignored.as_str());
        let Some(_left_out) = self.samples.left_out_before(ignored, self.clock.monotonic()) else {
            return false;
        };
        match ignored {
            Ignored::Example => event!(
                info,
                delivery = _delivery,
                left_out = _left_out,
                "an example from Clerk's Dashboard is acknowledged and changes nothing",
            ),
            Ignored::OtherInstance => event!(
                warn,
                delivery = _delivery,
                instance = named,
                left_out = _left_out,
                "a delivery of another Clerk instance is acknowledged and changes nothing: the signing \
                 secret of one environment is used in another",
            ),
        }
        false
    }
}

impl Ignored {
    #[cfg_attr(not(feature = "metrics"), expect(dead_code, reason = "only a metric names it"))]
    fn as_str(self) -> &'static str {
        match self {
            Self::Example => "example",
            Self::OtherInstance => "other_instance",
        }
    }
}

/// The instance that the Dashboard's examples ("Send Example") name.
pub(crate) const EXAMPLE: &str = "ins_123";
