//! Users from the Backend API: over a real socket, into a target in memory.

pub(crate) mod api;
mod faults;
mod list;
mod log;
mod organizations;
mod organizations_gone;
mod reconcile;
mod removal;
mod resumption;
mod target;

use std::sync::Arc;
use std::time::Duration;

use tower_clerk::backfill::{BackendApi, Backfill};
use tower_clerk::secret::SecretKey;

use api::ClerkApi;
use target::Memory;

const KEY: &str = "sk_test_canary";

/// A backfill that loses no time.
fn backfill(api: &ClerkApi, target: &Arc<Memory>) -> Backfill<Arc<Memory>> {
    let key = SecretKey::parse(KEY).unwrap();
    let api = BackendApi::new(&api.url(), &key).unwrap();
    Backfill::new(api, Arc::clone(target))
        .page_size(2)
        .pace(Duration::ZERO)
        .first_pause(Duration::from_millis(1))
}
