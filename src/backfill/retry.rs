//! The pace of requests and the pauses before retries. Knows neither requests nor users.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use crate::trace::event;
use crate::webhook::SinkError;

/// A pace for requests, which leaves the application its share of the rate limit.
#[derive(Debug)]
pub(super) struct Pace {
    apart: Duration,
    next: Option<Instant>,
}

impl Pace {
    pub(super) fn new(apart: Duration) -> Self {
        Self { apart, next: None }
    }

    /// Waits until the next request may start, and counts it as started.
    pub(super) async fn turn(&mut self) {
        if let Some(next) = self.next {
            sleep_until(next).await;
        }
        self.next = Instant::now().checked_add(self.apart);
    }
}

/// The pauses between the tries of a call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pauses {
    pub(super) first: Duration,
}

impl Pauses {
    /// Returns the pause after this many tries; `wish` is the pause that the server asks for.
    pub(super) fn after(self, tries: u32, wish: Option<Duration>) -> Duration {
        let doubled = self.first.saturating_mul(1 << tries.saturating_sub(1).min(16));
        jitter(doubled.min(LONGEST_PAUSE)).max(wish.unwrap_or_default().min(LONGEST_WISH))
    }

    /// Calls the target until it succeeds or fails permanently, or until the tries are used up.
    pub(super) async fn target<T, F>(self, mut ask: impl FnMut() -> F) -> Result<T, SinkError>
    where
        F: Future<Output = Result<T, SinkError>>,
    {
        let mut tries = 1;
        loop {
            match ask().await {
                Err(error) if error.retry_helps() && tries < TARGET_TRIES => {
                    let pause = self.after(tries, None);
                    event!(
                        warn,
                        error = std::error::Error::source(&error),
                        tries,
                        ?pause,
                        "a call to the backfill's target failed and will be retried"
                    );
                    sleep(pause).await;
                    tries += 1;
                }
                other => return other,
            }
        }
    }
}

/// Returns a random duration from half of `longest` to `longest`, so that two clients do not
/// collide again.
fn jitter(longest: Duration) -> Duration {
    // Each `RandomState` has its own random keys.
    let random = RandomState::new().build_hasher().finish() % 1024;
    let half = longest / 2;
    half + half.mul_f64(f64::from(u32::try_from(random).unwrap_or_default()) / 1024.0)
}

/// The number of tries of a request to the Backend API; the pauses are about a minute in all.
pub(super) const API_TRIES: u32 = 8;

const TARGET_TRIES: u32 = 5;

/// The longest pause that doubling reaches.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The longest pause that a server may ask for.
const LONGEST_WISH: Duration = Duration::from_secs(300);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn requests_keep_apart_from_each_other_and_the_first_comes_at_once() {
        let mut pace = Pace::new(Duration::from_millis(200));
        let start = Instant::now();
        let mut starts = Vec::new();
        for took in [0, 150, 0, 500, 0] {
            pace.turn().await;
            starts.push(start.elapsed().as_millis());
            sleep(Duration::from_millis(took)).await;
        }
        assert_eq!(starts, [0, 200, 400, 600, 1100]);
    }

    #[test]
    fn pauses_double_to_a_minute_and_obey_a_server_for_five() {
        let pauses = Pauses { first: Duration::from_millis(500) };
        for (tries, longest) in [(1, 500), (2, 1000), (7, 32_000), (8, 60_000), (200, 60_000)] {
            let pause = pauses.after(tries, None).as_millis();
            assert!((longest / 2..=longest).contains(&pause), "{tries}: {pause}");
        }
        for (wish, expected) in [(30, 30), (300, 300), (86_400, 300)] {
            let pause = pauses.after(1, Some(Duration::from_secs(wish)));
            assert_eq!(pause.as_secs(), expected);
        }
        let pause = pauses.after(7, Some(Duration::ZERO));
        assert!(pause >= Duration::from_secs(16), "{pause:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_target_is_asked_again_while_that_may_help() {
        let pauses = Pauses { first: Duration::from_millis(500) };
        let mut asked = 0;
        let refused = pauses.target(|| {
            asked += 1;
            std::future::ready(Err::<(), _>(SinkError::permanent("no such table")))
        });
        assert!(!refused.await.unwrap_err().retry_helps());
        assert_eq!(asked, 1);
        let mut asked = 0;
        let away = pauses.target(|| {
            asked += 1;
            std::future::ready(Err::<(), _>(SinkError::transient("away")))
        });
        assert!(away.await.unwrap_err().retry_helps());
        assert_eq!(asked, TARGET_TRIES);
    }
}
