use super::*;

const UNKNOWN: Decision = Decision::Refuse(MissingKey::Unknown);
const DUE: Decision = Decision::Fetch(Reason::Due);
const FOR_MISS: Decision = Decision::Fetch(Reason::Miss);

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

/// Returns the decision about a token that comes at `now`.
fn decide(state: &FetchState, now: Instant, have_keys: bool) -> Decision {
    state.decide(state.arrival(), now, have_keys)
}

#[test]
fn what_to_do_about_a_token_that_no_key_at_hand_has_signed() {
    let t = origin();
    let after = |failures: usize| {
        let mut state = FetchState::default();
        for _ in 0..failures {
            state.started(t, Reason::Due);
            state.failed(t, None, 0.5);
        }
        state
    };
    let mut cooling = FetchState::default();
    cooling.started(t, Reason::Miss);
    cooling.succeeded(t, None, 0.5);
    let mut failing = fresh(t);
    failing.failed(t, Some(secs(200)), 0.5);
    let mut under_way = fresh(t);
    under_way.started(t + secs(1), Reason::Miss);

    for (situation, state, at, have_keys, expected) in [
        ("nothing has happened", FetchState::default(), 0, false, DUE),
        ("in the pause after a failure", after(1), 0, false, unavailable(1)),
        ("in a longer pause", after(4), 3, false, unavailable(5)),
        ("after the pause", after(1), 1, false, DUE),
        ("keys are fresh", fresh(t), 1, true, FOR_MISS),
        ("keys are overdue", fresh(t), 300, true, DUE),
        ("keys are too old to be used", fresh(t), 86_400, false, DUE),
        ("a fetch was made for a token just now", cooling.clone(), 4, true, UNKNOWN),
        ("...and the cool-down is over", cooling, 5, true, FOR_MISS),
        ("the server wished for quiet", failing, 199, true, unavailable(1)),
        ("an attempt is under way", under_way, 2, true, Decision::Wait),
    ] {
        assert_eq!(decide(&state, t + secs(at), have_keys), expected, "{situation}");
    }
}

#[test]
fn deciding_uses_nothing_up_and_starting_does() {
    let t = origin();
    let mut state = fresh(t);
    for _ in 0..3 {
        assert_eq!(decide(&state, t, true), FOR_MISS);
    }
    state.started(t, Reason::Miss);
    assert_eq!(decide(&state, t, true), Decision::Wait);
    state.succeeded(t + secs(1), None, 0.5);
    assert_eq!(decide(&state, t + secs(4), true), UNKNOWN);
    // A scheduled attempt neither restarts the cool-down nor ends it.
    state.started(t + secs(2), Reason::Due);
    state.succeeded(t + secs(3), None, 0.5);
    assert_eq!(decide(&state, t + secs(4), true), UNKNOWN);
    assert_eq!(decide(&state, t + secs(5), true), FOR_MISS);
}

#[test]
fn fault_k5_a_token_is_judged_by_an_attempt_that_began_after_it_came() {
    let t = origin();
    let mut state = fresh(t);
    state.started(t, Reason::Due);
    let came_during_it = state.arrival();
    assert_eq!(state.decide(came_during_it, t, true), Decision::Wait);
    state.succeeded(t, None, 0.5);
    assert_eq!(state.decide(came_during_it, t, true), FOR_MISS, "the document may be too old");
    state.started(t, Reason::Miss);
    assert_eq!(state.decide(came_during_it, t, true), Decision::Wait);
    state.succeeded(t, None, 0.5);
    assert_eq!(state.decide(came_during_it, t + secs(60), true), UNKNOWN, "judged, and for good");

    // Without a further attempt to be had, it is judged by what there is.
    let mut spent = fresh(t);
    spent.started(t, Reason::Miss);
    let came_during_it = spent.arrival();
    spent.succeeded(t, None, 0.5);
    assert_eq!(spent.decide(came_during_it, t + secs(1), true), UNKNOWN);

    // A failure judges too: a token does not wait for a third attempt, however the clock jumps.
    let mut failing = FetchState::default();
    let came_first = failing.arrival();
    failing.started(t, Reason::Due);
    failing.failed(t, None, 0.5);
    let later = failing.decide(came_first, t + secs(60), false);
    assert_eq!(later, unavailable(1));
}

#[test]
fn an_attempt_for_which_a_task_was_started_counts_once() {
    let t = origin();
    let mut state = fresh(t);
    let before = state.arrival();
    state.started(t, Reason::Miss);
    let started = state.arrival();
    assert_ne!(before, started);
    state.task_begins(t);
    assert_eq!(state.arrival(), started);
    state.succeeded(t, None, 0.5);
    state.task_begins(t + secs(300));
    assert_ne!(state.arrival(), started, "the task's next attempt is its own");
}

#[test]
fn an_attempt_that_ought_to_have_ended_is_taken_for_lost() {
    let t = origin();
    let mut state = fresh(t);
    state.started(t, Reason::Miss);
    assert_eq!(decide(&state, t + secs(9), true), Decision::Wait);
    assert_eq!(decide(&state, t + secs(10), true), DUE);
    assert_eq!(decide(&state, t + secs(10), false), DUE);
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
        let pause = fresh(t).failed(t, Some(secs(retry_after)), 0.5);
        assert_eq!(pause, secs(expected), "Retry-After {retry_after}");
    }
}

#[test]
fn fault_k9_without_keys_a_wish_for_quiet_is_granted_for_15_seconds() {
    let t = origin();
    let mut too_old = fresh(t);
    let day = t + secs(86_400);
    for (retry_after, expected) in [(0, 1), (15, 15), (300, 15), (u64::MAX, 15)] {
        let wish = Some(secs(retry_after));
        assert_eq!(FetchState::default().failed(t, wish, 0.5), secs(expected));
    }
    assert_eq!(too_old.failed(day, Some(secs(300)), 0.5), secs(15));
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
    assert_eq!(decide(&asleep, t, true), FOR_MISS);
    assert_eq!(decide(&asleep, t + secs(300), true), DUE);
    let mut at_work = fresh(t);
    at_work.started(t, Reason::Miss);
    assert!(at_work.task_gone(t, 0.5));
    assert_eq!(decide(&at_work, t, true), unavailable(1));
    assert_eq!(decide(&at_work, t + secs(1), true), DUE);
}

#[test]
fn a_clock_that_goes_back_stops_nothing_for_good() {
    let t = origin() + secs(100_000);
    let mut state = fresh(t);
    state.started(t, Reason::Miss);
    state.succeeded(t, None, 0.5);
    let back = t - secs(50_000);
    assert_eq!(decide(&state, back, true), UNKNOWN);
    assert_eq!(decide(&state, t + secs(5), true), FOR_MISS);
}

#[test]
fn fault_k13_the_times_of_fetches_are_set_and_bounded() {
    let t = origin();
    let mut times = FetchTimes {
        cool_down: secs(60),
        refresh_interval: secs(30),
        timeout: secs(20),
        ..FetchTimes::default()
    };
    let mut state = FetchState::new(times.clone());
    state.started(t, Reason::Miss);
    assert_eq!(decide(&state, t + secs(39), true), Decision::Wait, "twice the timeout");
    assert_eq!(state.succeeded(t, None, 0.5), secs(30));
    state.started(t, Reason::Due);
    state.succeeded(t + secs(59), None, 0.5);
    assert_eq!(decide(&state, t + secs(59), true), UNKNOWN);
    assert_eq!(decide(&state, t + secs(60), true), FOR_MISS);
    times.max_staleness = secs(60);
    times.refresh_interval = secs(3600);
    assert_eq!(FetchState::new(times).succeeded(t, None, 0.5), secs(30), "half the staleness");

    type Field = fn(&mut FetchTimes) -> &mut Duration;
    let fields: [(&str, Field, Duration, Duration); 4] = [
        ("refresh_interval", |times| &mut times.refresh_interval, secs(10), secs(3600)),
        ("cool_down", |times| &mut times.cool_down, secs(1), secs(300)),
        ("timeout", |times| &mut times.timeout, Duration::from_millis(100), secs(60)),
        ("max_staleness", |times| &mut times.max_staleness, secs(60), secs(30 * 86_400)),
    ];
    for (name, field, least, most) in fields {
        let check = |value| {
            let mut times = FetchTimes::default();
            *field(&mut times) = value;
            times.check().map_err(|error| error.to_string())
        };
        let instant = Duration::from_nanos(1);
        assert_eq!((check(least), check(most)), (Ok(()), Ok(())), "{name}");
        for outside in [least - instant, most + instant] {
            assert!(check(outside).unwrap_err().contains(&format!("`{name}` must be from")));
        }
    }
}

#[test]
fn fault_k9_a_wish_for_quiet_does_not_outlast_the_keys() {
    let t = origin();
    let times = FetchTimes { max_staleness: secs(60), ..FetchTimes::default() };
    let five_minutes = Some(secs(300));
    for (age, at_most) in [(0, 60), (30, 30), (50, 15), (60, 15), (90, 15)] {
        let mut state = FetchState::new(times.clone());
        state.succeeded(t, None, 0.5);
        assert_eq!(state.failed(t + secs(age), five_minutes, 0.5), secs(at_most), "{age}");
    }
}
