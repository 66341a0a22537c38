//! Retries after a conflict between two transactions. Knows no statements.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::time::Duration;

use ::sea_orm::DbErr;

use super::failure;
use crate::clock::Clock;

/// Runs a whole transaction, and retries it when the database gives it up in favour of another: a
/// few times with short pauses, as long as a last try fits within a delivery's deadline.
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

/// Returns a random pause from half of `longest` to `longest`, so that two transactions do not meet
/// again.
fn jitter(longest: Duration) -> Duration {
    // Each `RandomState` has keys of its own.
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
/// The time after which no retry begins. With a lock timeout of 5 s for the last try, a delivery
/// stays well under its 14 s.
const ENOUGH: Duration = Duration::from_secs(6);
