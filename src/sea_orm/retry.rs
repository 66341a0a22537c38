//! Trying again when two transactions were in each other's way. Knows no statements.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::time::Duration;

use ::sea_orm::DbErr;

use super::failure;
use crate::clock::Clock;

/// Runs a whole transaction until it is not given up in favour of another: a few times with short
/// pauses, and not beyond what leaves a last try its time within a delivery's deadline.
pub(super) async fn on_conflict<T, F>(
    clock: &dyn Clock,
    mut transaction: impl FnMut() -> F,
) -> Result<T, DbErr>
where
    F: Future<Output = Result<T, DbErr>>,
{
    let start = clock.monotonic();
    for longest_pause in PAUSES {
        match transaction().await {
            Err(error) if failure::is_conflict(&error) => {
                if clock.monotonic().saturating_duration_since(start) > ENOUGH {
                    return Err(error);
                }
                tokio::time::sleep(jitter(longest_pause)).await;
            }
            other => return other,
        }
    }
    transaction().await
}

/// From half of it to all of it, so that two do not meet again.
fn jitter(longest: Duration) -> Duration {
    // Each such hasher has keys of its own.
    let random = RandomState::new().build_hasher().finish() % 1024;
    let half = longest / 2;
    half + half.mul_f64(f64::from(u32::try_from(random).unwrap_or_default()) / 1024.0)
}

const PAUSES: [Duration; 5] = [
    Duration::from_millis(10),
    Duration::from_millis(30),
    Duration::from_millis(90),
    Duration::from_millis(270),
    Duration::from_millis(810),
];
/// With a lock timeout of 5 s for the last try well under the 14 s of a delivery.
const ENOUGH: Duration = Duration::from_secs(6);
