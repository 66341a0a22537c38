use super::*;

const UNKNOWN: Decision = Decision::Refuse(MissingKey::Unknown);
const DUE: Decision = Decision::Fetch(Reason::Due);
const FOR_KID: Decision = Decision::Fetch(Reason::Kid);

fn unavailable(seconds: u64) -> Decision {
    Decision::Refuse(MissingKey::Unavailable { retry_after: secs(seconds) })
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[expect(clippy::disallowed_methods, reason = "the origin that the tests count from")]
fn origin() -> Instant {
    Instant::now()
}

/// Returns a state whose last attempt succeeded at `now`; the next is due 300 s later.
fn fresh(now: Instant) -> FetchState {
    let mut state = FetchState::default();
    state.started(now, Reason::Due);
    assert_eq!(state.succeeded(now, None, 0.5), secs(300));
    state
}

#[test]
fn what_to_do_about_a_kid_that_is_not_at_hand() {
    let t = origin();
    let after = |failures: usize| {
        let mut state = FetchState::default();
        for _ in 0..failures {
            state.started(t, Reason::Due);
            state.failed(t, None, 0.5);
        }
        state
    };
    let cooling = |state: &mut FetchState| {
        state.started(t, Reason::Kid);
        state.succeeded(t, None, 0.5);
    };
    let mut asked = FetchState::default();
    cooling(&mut asked);
    let mut failing = fresh(t);
    failing.failed(t, Some(secs(200)), 0.5);
    let mut under_way = fresh(t);
    under_way.started(t + secs(1), Reason::Kid);
    let mut absent = fresh(t);
    absent.note_absent("kid");

    for (situation, state, at, have_keys, expected) in [
        ("nothing has happened", FetchState::default(), 0, false, DUE),
        ("in the pause after a failure", after(1), 0, false, unavailable(1)),
        ("in a longer pause", after(4), 3, false, unavailable(5)),
        ("after the pause", after(1), 1, false, DUE),
        ("keys are fresh", fresh(t), 1, true, FOR_KID),
        ("keys are overdue", fresh(t), 300, true, DUE),
        ("keys are too old to be used", fresh(t), 86_400, false, DUE),
        ("a kid was asked for just now", asked, 29, true, UNKNOWN),
        (
            "...and the cool-down is over",
            {
                let mut s = FetchState::default();
                cooling(&mut s);
                s
            },
            30,
            true,
            FOR_KID,
        ),
        ("the server wished for quiet", failing, 199, true, unavailable(1)),
        ("an attempt is under way", under_way, 2, true, Decision::Wait),
        ("the young document lacks it", absent.clone(), 29, true, UNKNOWN),
        ("the document is no longer young", absent, 30, true, FOR_KID),
    ] {
        assert_eq!(state.decide("kid", t + secs(at), have_keys), expected, "{situation}");
    }
}

#[test]
fn deciding_uses_nothing_up_and_starting_does() {
    let t = origin();
    let mut state = fresh(t);
    for _ in 0..3 {
        assert_eq!(state.decide("kid", t, true), FOR_KID);
    }
    state.started(t, Reason::Kid);
    assert_eq!(state.decide("kid", t, true), Decision::Wait);
    state.succeeded(t + secs(1), None, 0.5);
    assert_eq!(state.decide("kid", t + secs(29), true), UNKNOWN);
    // A scheduled attempt neither restarts the cool-down nor ends it.
    state.started(t + secs(10), Reason::Due);
    state.succeeded(t + secs(11), None, 0.5);
    assert_eq!(state.decide("kid", t + secs(29), true), UNKNOWN);
    assert_eq!(state.decide("kid", t + secs(30), true), FOR_KID);
}

#[test]
fn an_attempt_that_ought_to_have_ended_is_taken_for_lost() {
    let t = origin();
    let mut state = fresh(t);
    state.started(t, Reason::Kid);
    assert_eq!(state.decide("kid", t + secs(9), true), Decision::Wait);
    assert!(!state.may_fetch_for_kid(t + secs(9)));
    assert_eq!(state.decide("kid", t + secs(10), true), DUE);
    assert_eq!(state.decide("kid", t + secs(10), false), DUE);
}

#[test]
fn the_pause_grows_from_a_second_to_a_minute_and_a_success_ends_that() {
    let t = origin();
    let mut state = FetchState::default();
    for expected in [1, 2, 4, 8, 16, 32, 60, 60, 60] {
        assert_eq!(state.failed(t, None, 0.5), secs(expected));
    }
    for _ in 0..100 {
        assert!(state.failed(t, None, 1.0) <= secs(75));
    }
    state.succeeded(t, None, 0.5);
    assert_eq!(state.failed(t, None, 0.5), secs(1));
}

#[test]
fn a_servers_wishes_are_heard_within_bounds() {
    let t = origin();
    for (max_age, expected) in [(None, 300), (Some(0), 60), (Some(120), 120), (Some(u64::MAX), 900)]
    {
        let pause = fresh(t).succeeded(t, max_age.map(secs), 0.5);
        assert_eq!(pause, secs(expected), "max-age {max_age:?}");
    }
    for (retry_after, expected) in [(0, 1), (1, 1), (120, 120), (u64::MAX, 300)] {
        let pause = FetchState::default().failed(t, Some(secs(retry_after)), 0.5);
        assert_eq!(pause, secs(expected), "Retry-After {retry_after}");
    }
}

#[test]
fn c27_a_fleet_does_not_move_in_step() {
    let t = origin();
    let success = |jitter| fresh(t).succeeded(t, None, jitter);
    assert_eq!((success(0.0), success(1.0)), (secs(270), secs(330)));
    let failure = |jitter| FetchState::default().failed(t, None, jitter);
    assert_eq!(failure(0.0), Duration::from_millis(750));
    assert_eq!(failure(1.0), Duration::from_millis(1250));
}

#[test]
fn a_task_that_goes_in_the_middle_of_an_attempt_has_failed_and_one_that_sleeps_has_not() {
    let t = origin();
    let mut asleep = fresh(t);
    assert!(!asleep.task_gone(t, 0.5));
    assert_eq!(asleep.decide("kid", t, true), FOR_KID);
    assert_eq!(asleep.decide("kid", t + secs(300), true), DUE);
    let mut at_work = fresh(t);
    at_work.started(t, Reason::Kid);
    assert!(at_work.task_gone(t, 0.5));
    assert_eq!(at_work.decide("kid", t, true), unavailable(1));
    assert_eq!(at_work.decide("kid", t + secs(1), true), DUE);
}

#[test]
fn so_many_absent_kids_are_remembered_and_a_refresh_forgets_them() {
    let t = origin();
    let mut state = fresh(t);
    state.note_absent("first");
    state.note_absent(&"x".repeat(MAX_KID_BYTES + 1));
    for i in 0..10_000 {
        state.note_absent(&i.to_string());
    }
    assert_eq!(state.absent.len(), MAX_ABSENT);
    assert_eq!(state.decide("first", t, true), UNKNOWN, "a flood does not push it out");
    assert_eq!(state.decide("9999", t, true), FOR_KID);
    state.succeeded(t, None, 0.5);
    assert_eq!(state.decide("first", t, true), FOR_KID);
}

#[test]
fn a_clock_that_goes_back_stops_nothing_for_good() {
    let t = origin() + secs(100_000);
    let mut state = fresh(t);
    state.started(t, Reason::Kid);
    state.succeeded(t, None, 0.5);
    let back = t - secs(50_000);
    assert_eq!(state.decide("kid", back, true), UNKNOWN);
    assert_eq!(state.decide("kid", t + secs(30), true), FOR_KID);
}
