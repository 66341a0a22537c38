//! Signed deliveries of user events to the server: retried, and in order for each user unless
//! faults are requested.

mod delivery;
mod faults;
mod log;
mod queue;
mod sender;

pub(super) use delivery::Delivery;
pub(super) use faults::{Faults, GivenFaults, Order};
pub(super) use log::{Attempt, Entry, Outcome};
pub(super) use sender::Endpoint;

use std::sync::Arc;

use serde_json::Value;
use tower_clerk::secret::SigningSecret;

use crate::webhooks::log::Log;
use crate::webhooks::queue::{Queue, Turn};
use crate::webhooks::sender::Sender;

/// A sender of deliveries in the background. Deliveries in flight when the process ends are lost.
pub(super) struct Outbox {
    log: Arc<Log>,
    queue: Queue,
}

/// The id of a delivery that is sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReplayId {
    /// A new id: the server cannot recognize the delivery.
    New,
    /// The same id, as Svix keeps it.
    Same,
}

impl Outbox {
    /// Creates an outbox. Without an endpoint, deliveries are logged and not sent.
    pub(super) fn new(endpoint: Option<Endpoint>, secret: SigningSecret) -> Self {
        let log = Arc::new(Log::default());
        let sender = Sender::new(endpoint, secret, Arc::clone(&log));
        Self { log, queue: Queue::new(sender) }
    }

    /// Returns the endpoint of deliveries.
    pub(super) fn endpoint(&self) -> Option<&Endpoint> {
        self.queue.endpoint()
    }

    /// Sends one event. Must be called in the order of the events.
    pub(super) fn send(&self, kind: &'static str, user_id: &str, envelope: &Value) {
        let delivery = Arc::new(Delivery::new(kind, user_id, envelope.to_string()));
        self.log.add(Arc::clone(&delivery), None);
        self.queue.push(delivery, Turn::AfterItsUsersOthers);
    }

    /// Sends a delivery of the log again; `None` when the log does not contain it, or no longer.
    pub(super) fn replay(&self, id: &str, naming: ReplayId) -> Option<Entry> {
        let again = self.log.find(id)?.delivery;
        let again = match naming {
            ReplayId::Same => again,
            ReplayId::New => {
                let renamed = Arc::new(again.renamed());
                self.log.add(Arc::clone(&renamed), Some(id.to_owned()));
                renamed
            }
        };
        let id = again.id.clone();
        self.queue.push(again, Turn::AtOnce);
        self.log.find(&id)
    }

    /// Returns the recent deliveries, the newest first.
    pub(super) fn deliveries(&self) -> Vec<Entry> {
        self.log.newest_first()
    }

    pub(super) fn delivery(&self, id: &str) -> Option<Entry> {
        self.log.find(id)
    }

    pub(super) fn faults(&self) -> Faults {
        self.queue.faults()
    }

    /// Sets the faults of deliveries from now on.
    pub(super) fn set_faults(&self, faults: Faults) {
        tracing::info!("the dev Clerk's deliveries from now on: {faults}");
        self.queue.set_faults(faults);
    }
}
