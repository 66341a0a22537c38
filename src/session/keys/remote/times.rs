//! The times by which keys are fetched, with their bounds beside each other. Decides nothing.

use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::ConfigError;

/// The times by which [`RemoteKeys`](super::RemoteKeys) fetches, with their defaults.
///
/// ```
/// use std::time::Duration;
///
/// use tower_clerk::session::keys::FetchTimes;
///
/// let mut times = FetchTimes::default();
/// times.max_staleness = Duration::from_secs(6 * 60 * 60);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FetchTimes {
    /// The time from a successful fetch to the next, give or take a tenth, if the server sends no
    /// `Cache-Control: max-age`. From 10 s to 1 h; default: 5 min. A key that is no longer published
    /// works for about as long.
    pub refresh_interval: Duration,
    /// The shortest time between the starts of two fetches that tokens cause: tokens whose `kid` the
    /// document lacks, and tokens that none of its keys signed. From 1 s to 5 min; default: 5 s. The
    /// first token under a new key may be refused for as long while forged ones use up the fetches.
    pub cool_down: Duration,
    /// The time that one fetch may take. From 100 ms to 1 min; default: 5 s. A request that needs a
    /// key waits for at most two fetches, and for twice this time where the runtime of a fetch no longer
    /// runs.
    pub timeout: Duration,
    /// The time after the last successful fetch for which its keys are used while the server is
    /// down. From 1 min to 30 days; default: 24 h. They are fetched again after about half of it at most.
    pub max_staleness: Duration,
}

impl Default for FetchTimes {
    fn default() -> Self {
        Self {
            refresh_interval: Duration::from_secs(5 * MINUTE),
            cool_down: Duration::from_secs(5),
            timeout: Duration::from_secs(5),
            max_staleness: Duration::from_secs(24 * HOUR),
        }
    }
}

impl FetchTimes {
    /// Checks the bounds; the error names the field.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let within = |value: Duration, least: Duration, most: Duration, problem| {
            if (least..=most).contains(&value) {
                Ok(())
            } else {
                Err(ConfigError::new("fetch times", problem))
            }
        };
        let seconds = Duration::from_secs;
        within(
            self.refresh_interval,
            seconds(10),
            seconds(HOUR),
            "`refresh_interval` must be from 10 s to 1 h",
        )?;
        within(
            self.cool_down,
            seconds(1),
            seconds(5 * MINUTE),
            "`cool_down` must be from 1 s to 5 min",
        )?;
        within(
            self.timeout,
            Duration::from_millis(100),
            seconds(MINUTE),
            "`timeout` must be from 100 ms to 1 min",
        )?;
        within(
            self.max_staleness,
            seconds(MINUTE),
            seconds(30 * 24 * HOUR),
            "`max_staleness` must be from 1 min to 30 days",
        )
    }

    /// Returns the time after which an attempt counts as lost: twice its timeout.
    pub(super) fn lost_after(&self) -> Duration {
        self.timeout.saturating_mul(2)
    }

    /// Waits until an attempt has ended; returns `false` when it counts as lost, because its runtime
    /// does not run. Without a runtime here nothing tells the time, and it waits for the end.
    pub(super) async fn attempt_ended(&self, attempts_ended: &mut watch::Receiver<u64>) -> bool {
        if Handle::try_current().is_err() {
            return attempts_ended.changed().await.is_ok();
        }
        timeout(self.lost_after(), attempts_ended.changed()).await.is_ok()
    }
}

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
