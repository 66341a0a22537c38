//! Which Clerk instances this process has already put down as having users here. Asks no database.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLock};

use crate::webhook::{Delivery, is_user_id};

/// Instances that a committed transaction recorded. Clones share what they know.
#[derive(Clone, Debug, Default)]
pub(super) struct Recorded(Arc<RwLock<HashSet<String>>>);

impl Recorded {
    /// The delivery's instance, if it is still to be recorded.
    pub(super) fn lacks<'a>(&self, delivery: &'a Delivery) -> Option<&'a str> {
        let id = delivery.instance_id().filter(|id| is_instance_id(id))?;
        let recorded = self.0.read().unwrap_or_else(PoisonError::into_inner);
        (!recorded.contains(id)).then_some(id)
    }

    /// To be called after the commit: what was rolled back is recorded with the next delivery.
    pub(super) fn add(&self, id: &str) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned());
    }
}

/// As the Backend API must name one.
fn is_instance_id(id: &str) -> bool {
    id.starts_with("ins_") && is_user_id(id)
}
