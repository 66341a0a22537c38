//! The Clerk instances that this process has recorded as sources of users. Asks no database.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLock};

use crate::ids::InstanceId;
use crate::webhook::Delivery;

/// Instances that a committed transaction recorded. Clones share what they know.
#[derive(Clone, Debug, Default)]
pub(super) struct Recorded(Arc<RwLock<HashSet<InstanceId>>>);

impl Recorded {
    /// Returns the delivery's instance if it is not recorded yet.
    pub(super) fn unrecorded(&self, delivery: &Delivery) -> Option<InstanceId> {
        let id = delivery.instance_id()?;
        let recorded = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if recorded.contains(id) { None } else { InstanceId::parse(id).ok() }
    }

    /// Adds an instance. To be called after the commit: after a rollback, the next delivery records
    /// the instance.
    pub(super) fn add(&self, id: InstanceId) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(id);
    }
}
