//! The format of numbers and times.

use super::*;

#[test]
fn times_and_rates_are_shown_as_a_person_says_them() {
    for (millis, text) in [(0, "0.0 s"), (1_250, "1.2 s"), (61_900, "1 min 1 s")] {
        assert_eq!(shown(Duration::from_millis(millis)), text);
    }
    assert_eq!(rate(0, Duration::ZERO).to_string(), "0");
    assert_eq!(rate(40_000, Duration::from_secs(16)).to_string(), "2,500");
}
