//! The state that handlers share. Cheap to clone; built once at the start.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tower_clerk::sea_orm::SeaOrmSink;

use crate::ai::Ai;
use crate::page_config::PageConfig;
use crate::store::Store;

/// The state of all requests.
#[derive(Clone)]
pub(crate) struct AppState {
    pub(crate) store: Store,
    /// The crate's table of Clerk's users.
    pub(crate) users: SeaOrmSink,
    /// The AI service; `None` if none is configured.
    pub(crate) ai: Option<Ai>,
    pub(crate) page: Arc<PageConfig>,
    pub(crate) stopping: Stopping,
}

/// Whether the server was told to stop. `/readyz` reports it to load balancers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stopping(Arc<AtomicBool>);

impl Stopping {
    pub(crate) fn begin(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(crate) fn has_begun(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
