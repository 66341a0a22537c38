//! The last verdict on whether the database can be written to.

use std::sync::Arc;

use tokio::sync::Mutex;
use tokio::time::Instant;

/// The reason why the server should get no requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotReady {
    /// The database does not answer.
    Unavailable,
    /// It answers, but what is written to it is refused or would be lost.
    Unwritable,
}

pub(super) type Verdict = Result<(), NotReady>;

/// The last verdict and its time. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct LastVerdict(pub(super) Arc<Mutex<Option<(Instant, Verdict)>>>);
