//! The faults that a developer can cause in deliveries to watch how the server copes. No sending.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::ClerkError;
use crate::random;

/// The faults of deliveries. The default is none.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Faults {
    /// The number of copies of each delivery, which are sent at once.
    pub(crate) copies: u32,
    /// The shortest and the longest random pause before a first attempt, in milliseconds.
    pub(crate) delay_ms: [u32; 2],
    pub(crate) order: Order,
    /// The number of deliveries that are held back to be shuffled.
    pub(crate) window: u32,
    /// The longest time that they are held back, in milliseconds.
    pub(crate) window_ms: u32,
    /// The probability, 0 to 1, that a 2xx counts as lost, so that the delivery is sent again.
    pub(crate) drop_answers: f64,
}

/// The order of deliveries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Order {
    /// The order of the events, for each user.
    InOrder,
    /// A random order, even for one user.
    Shuffled,
}

/// Faults as requested. A member that is missing has its default, which is no fault.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GivenFaults {
    pub(crate) copies: Option<u32>,
    pub(crate) delay_ms: Option<[u32; 2]>,
    pub(crate) order: Option<Order>,
    pub(crate) window: Option<u32>,
    pub(crate) window_ms: Option<u32>,
    pub(crate) drop_answers: Option<f64>,
}

impl GivenFaults {
    /// Checks the values.
    ///
    /// # Errors
    ///
    /// Returns a refusal that names the value that is out of range, and the range.
    pub(crate) fn check(self) -> Result<Faults, ClerkError> {
        let usual = Faults::default();
        let delay_ms = self.delay_ms.unwrap_or(usual.delay_ms);
        for delay in delay_ms {
            within("delay_ms", delay, DELAY)?;
        }
        let [shortest, longest] = delay_ms;
        if shortest > longest {
            return Err(refused(
                "the longest delay must not be below the shortest (delay_ms: [shortest, longest])"
                    .to_owned(),
            ));
        }
        let drop_answers = self.drop_answers.unwrap_or(usual.drop_answers);
        if !(0.0..=1.0).contains(&drop_answers) {
            return Err(refused("drop_answers must be between 0 and 1".to_owned()));
        }
        Ok(Faults {
            copies: within("copies", self.copies.unwrap_or(usual.copies), COPIES)?,
            delay_ms,
            order: self.order.unwrap_or(usual.order),
            window: within("window", self.window.unwrap_or(usual.window), WINDOW)?,
            window_ms: within("window_ms", self.window_ms.unwrap_or(usual.window_ms), WINDOW_MS)?,
            drop_answers,
        })
    }
}

impl Faults {
    /// Returns a random pause before the first attempt.
    pub(super) fn delay(&self) -> Duration {
        let [shortest, longest] = self.delay_ms;
        let extra = random::fraction() * f64::from(longest.saturating_sub(shortest));
        Duration::from_millis(shortest.into()) + Duration::from_secs_f64(extra / 1000.0)
    }

    /// Returns whether an answer is to be lost, at random.
    pub(super) fn drops_the_answer(&self) -> bool {
        random::fraction() < self.drop_answers
    }
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            copies: 1,
            delay_ms: [0, 0],
            order: Order::InOrder,
            window: 10,
            window_ms: 2000,
            drop_answers: 0.0,
        }
    }
}

/// Describes the faults in words.
impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [shortest, longest] = self.delay_ms;
        match self.copies {
            1 => f.write_str("sent once")?,
            copies => write!(f, "sent {copies} times at once")?,
        }
        if longest > 0 {
            write!(f, ", {shortest} to {longest} ms late")?;
        }
        match self.order {
            Order::InOrder => f.write_str(", in order for each user")?,
            Order::Shuffled => {
                let Self { window, window_ms, .. } = self;
                write!(f, ", shuffled by {window} or every {window_ms} ms")?;
            }
        }
        if self.drop_answers > 0.0 {
            write!(f, ", answers lost with probability {}", self.drop_answers)?;
        }
        Ok(())
    }
}

fn within(name: &str, value: u32, range: RangeInclusive<u32>) -> Result<u32, ClerkError> {
    if range.contains(&value) {
        return Ok(value);
    }
    Err(refused(format!("{name} must be {} to {}", range.start(), range.end())))
}

fn refused(message: String) -> ClerkError {
    ClerkError::invalid("form_param_invalid", message)
}

const COPIES: RangeInclusive<u32> = 1..=20;
/// At most a minute.
const DELAY: RangeInclusive<u32> = 0..=60_000;
const WINDOW: RangeInclusive<u32> = 2..=100;
const WINDOW_MS: RangeInclusive<u32> = 1..=60_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_between_the_shortest_and_the_longest() {
        let faults = Faults { delay_ms: [20, 30], ..Faults::default() };
        let pauses: Vec<u128> = (0..200).map(|_| faults.delay().as_millis()).collect();
        assert!(pauses.iter().all(|pause| (20..=30).contains(pause)), "{pauses:?}");
        assert!(pauses.iter().any(|pause| *pause != pauses[0]));
        assert_eq!(Faults::default().delay(), Duration::ZERO);
    }

    #[test]
    fn answers_get_lost_as_often_as_asked_for() {
        let lost = |drop_answers| {
            let faults = Faults { drop_answers, ..Faults::default() };
            (0..200).filter(|_| faults.drops_the_answer()).count()
        };
        assert_eq!((lost(0.0), lost(1.0)), (0, 200));
        assert!((1..200).contains(&lost(0.5)));
    }
}
