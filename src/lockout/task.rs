//! The task that looks once a second, as long as tokens are judged.

use std::pin::pin;
use std::sync::{Arc, MutexGuard, Weak};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::shared::{Looks, Shared};
use crate::trace::event;

/// Starts a task that looks now and then once a second. Returns false if there is no current runtime.
///
/// Takes the guard by value and drops it before `spawn`: a runtime that is shutting down drops the future at
/// once, and `Running::drop` takes the same lock.
pub(super) fn start(shared: &Arc<Shared>, mut looks: MutexGuard<'_, Looks>) -> bool {
    let Ok(runtime) = Handle::try_current() else {
        drop(looks);
        event!(error, "lock-outs cannot be looked for: no tokio runtime is running here");
        return false;
    };
    let (number, end) = shared.register(&mut looks);
    drop(looks);
    runtime.spawn(keep_looking(Running { shared: Arc::downgrade(shared), number }, end));
    true
}

/// A running task's hold on what is shared.
struct Running {
    shared: Weak<Shared>,
    number: u64,
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.upgrade() {
            shared.task_ended(self.number);
        }
    }
}

async fn keep_looking(running: Running, end: watch::Sender<bool>) {
    // A failure is told by the look itself.
    if let Some(shared) = running.shared.upgrade() {
        let mut look = pin!(shared.look());
        let at_once = timeout(FIRST, look.as_mut()).await;
        shared.first_look_ended();
        end.send_replace(true);
        if at_once.is_err() {
            let _ = look.await;
        }
    }
    loop {
        sleep(PERIOD).await;
        let Some(shared) = running.shared.upgrade() else { return };
        if shared.rests() {
            return;
        }
        let _ = shared.look().await;
    }
}

/// How long requests wait for the first look.
const FIRST: Duration = Duration::from_millis(250);

/// The time from one look to the next.
pub(super) const PERIOD: Duration = Duration::from_secs(1);
