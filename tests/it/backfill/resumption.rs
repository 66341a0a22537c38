//! A run that ended early goes on, with the right instance, and even when its mark is gone.

use std::sync::Arc;
use std::time::UNIX_EPOCH;

use tower_clerk::backfill::{BackfillErrorKind, Run};
use tower_clerk::clock::{Clock, SystemClock};
use tower_clerk::webhook::SinkError;

use super::api::{ClerkApi, Fault, user, users};
use super::backfill;
use super::target::{Memory, run};
use crate::support::servers::{eventually, within};

#[tokio::test]
async fn a_run_killed_while_it_waits_for_a_page_goes_on_after_the_last_one() {
    let api = ClerkApi::start(users(7)).await;
    let target = Arc::new(Memory::default());
    api.fails("starting_after=user_04", Fault::Silent);
    let first = backfill(&api, &target);
    let killed = tokio::spawn(async move { first.run().await });
    api.saw(5).await;
    killed.abort();
    assert!(killed.await.unwrap_err().is_cancelled());
    assert_eq!(api.pages(), ["", "after user_02", "after user_04"]);
    api.state().asked.clear();

    let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
    let second = backfill(&api, &target).on_progress({
        let seen = Arc::clone(&seen);
        move |progress| seen.lock().unwrap().push((progress.users, progress.resumed))
    });
    let report = within(second.run()).await.unwrap();
    assert_eq!(api.pages(), ["after user_04", "after user_06", "after user_07"]);
    assert_eq!(*seen.lock().unwrap(), [(6, true), (7, true)]);
    assert_eq!((report.users, report.written, report.resumed), (7, 3, true));
    let written: Vec<String> = target.state().pages.concat();
    assert_eq!(written, target.ids());
    assert_eq!(written.len(), 7);
    assert!(target.state().runs[0].finished);
}

#[tokio::test]
async fn a_run_killed_while_it_writes_asks_for_that_page_again() {
    let api = ClerkApi::start(users(5)).await;
    let target = Arc::new(Memory::default());
    target.state().hangs_after = Some(1);
    let first = backfill(&api, &target);
    let killed = tokio::spawn(async move { first.run().await });
    api.saw(4).await;
    eventually(async || target.state().pages.len() == 1).await;
    killed.abort();
    assert!(killed.await.unwrap_err().is_cancelled());
    target.state().hangs_after = None;
    api.state().asked.clear();
    let report = within(backfill(&api, &target).run()).await.unwrap();
    assert_eq!(api.pages(), ["after user_02", "after user_04", "after user_05"]);
    assert_eq!((report.users, report.written), (5, 3));
}

#[tokio::test]
async fn a_run_that_failed_goes_on_too() {
    let api = ClerkApi::start(users(5)).await;
    let target = Arc::new(Memory::default());
    api.fails("starting_after=user_02", Fault::status(418));
    assert!(within(backfill(&api, &target).run()).await.is_err());
    api.state().asked.clear();
    let report = within(backfill(&api, &target).run()).await.unwrap();
    assert_eq!(api.pages(), ["after user_02", "after user_04", "after user_05"]);
    assert_eq!((report.users, report.resumed), (5, true));
}

#[tokio::test]
async fn a_cursor_whose_user_was_deleted_is_gone_on_from_by_time() {
    for status in [None, Some(400), Some(404), Some(422)] {
        let mut listed = users(7);
        // Two of one millisecond, on either side of the page's end.
        listed[4] = user("user_05", 4000);
        let api = ClerkApi::start(listed).await;
        if let Some(status) = status {
            api.fails("starting_after=user_04", Fault::status(status));
        }
        let target = Arc::new(Memory::default());
        let clerk = api.handle();
        let backfill = backfill(&api, &target).on_progress(move |progress| {
            if progress.users == 4 {
                clerk(&|clerk| clerk.deletes("user_04"));
            }
        });
        within(backfill.run()).await.unwrap();
        let expected = ["", "after user_02", "after user_04", "since 3999"];
        assert_eq!(api.pages()[..4], expected, "{status:?}");
        assert_eq!(api.pages()[4..], ["after user_06 since 3999", "after user_07 since 3999"]);
        assert_eq!(target.ids().len(), 7);
    }
}

#[tokio::test]
async fn a_cursor_deleted_between_two_runs_is_gone_on_from_by_time() {
    let api = ClerkApi::start(users(6)).await;
    let target = Arc::new(Memory::default());
    api.fails("starting_after=user_04", Fault::status(418));
    assert!(within(backfill(&api, &target).run()).await.is_err());
    api.deletes("user_04");
    api.state().asked.clear();
    within(backfill(&api, &target).run()).await.unwrap();
    assert_eq!(api.pages(), ["after user_04", "since 3999", "after user_06 since 3999"]);
    assert_eq!(target.ids().len(), 6);
}

fn now() -> i64 {
    let since_1970 = SystemClock::new().now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since_1970.as_millis()).unwrap()
}

#[tokio::test]
async fn fault_s6_a_run_that_began_more_than_a_day_ago_begins_anew_and_says_so() {
    const DAY: i64 = 24 * 60 * 60 * 1000;
    const A_WHILE: i64 = 60 * 60 * 1000;
    let resumed = ["after user_02", "after user_04", "after user_05"];
    let anew = ["", "after user_02", "after user_04", "after user_05"];
    for (age, from_start, expected, outdated) in [
        (Some(0), false, &resumed[..], false),
        (Some(DAY - A_WHILE), false, &resumed, false),
        (Some(DAY + A_WHILE), false, &anew, true),
        (Some(400 * DAY), false, &anew, true),
        // The clock was set back, or the run is of a version that kept no time.
        (Some(-DAY - A_WHILE), false, &anew, true),
        (None, false, &anew, true),
        (Some(0), true, &anew, false),
        (None, true, &anew, false),
    ] {
        let api = ClerkApi::start(users(5)).await;
        let target = Arc::new(Memory::default());
        api.fails("starting_after=user_02", Fault::status(418));
        assert!(within(backfill(&api, &target).run()).await.is_err());
        let started_at = age.map(|age| now() - age);
        target.state().runs[0].started_at = started_at;
        api.state().asked.clear();
        let backfill = backfill(&api, &target);
        let backfill = if from_start { backfill.from_start() } else { backfill };
        let before = SystemClock::new().now();
        let report = within(backfill.run()).await.unwrap();
        assert_eq!(api.pages(), expected, "{age:?}");
        let is_anew = expected == anew;
        assert_eq!((report.resumed, report.outdated), (!is_anew, outdated), "{age:?}");
        assert_eq!(report.users, 5);
        if is_anew {
            assert!(report.since >= before && report.since <= SystemClock::new().now());
        } else {
            let since = report.since.duration_since(UNIX_EPOCH).unwrap().as_millis();
            assert_eq!(i64::try_from(since).unwrap(), started_at.unwrap());
        }
        // The beginning stays with the run, whatever goes on with it.
        let since = report.since.duration_since(UNIX_EPOCH).unwrap().as_millis();
        let stored = target.state().runs[0].started_at.unwrap();
        assert_eq!(i64::try_from(since).unwrap(), stored);
    }
}

#[tokio::test]
async fn fault_s5_a_rewrite_begins_at_the_start_and_writes_equal_states_again() {
    let api = ClerkApi::start(users(5)).await;
    let target = Arc::new(Memory::default());
    api.fails("starting_after=user_04", Fault::status(418));
    assert!(within(backfill(&api, &target).run()).await.is_err());
    target.state().users.insert("user_02".into(), 9000);
    target.state().users.remove("user_03");
    target.state().buried.insert("user_03".into());
    api.state().asked.clear();
    let report = within(backfill(&api, &target).rewrite().run()).await.unwrap();
    assert_eq!(api.pages()[0], "");
    assert!(!report.resumed && !report.outdated);
    assert_eq!((report.users, report.written, report.unchanged), (5, 3, 2));
    assert_eq!(target.state().users["user_02"], 9000);
}

#[tokio::test]
async fn a_lost_cursor_without_a_time_begins_anew() {
    let api = ClerkApi::start(users(3)).await;
    let target = Arc::new(Memory::default());
    let mut lost = Run::new("ins_1");
    lost.last_user_id = Some("user_00".into());
    lost.started_at = Some(now());
    target.state().runs = vec![lost];
    within(backfill(&api, &target).run()).await.unwrap();
    assert_eq!(api.pages(), ["after user_00", "", "after user_02", "after user_03"]);
    assert_eq!(target.ids().len(), 3);
}

#[tokio::test]
async fn an_api_without_cursors_is_walked_through_by_time() {
    let api = ClerkApi::start(users(4)).await;
    api.always_fails("starting_after", &Fault::status(422));
    let target = Arc::new(Memory::default());
    within(backfill(&api, &target).run()).await.unwrap();
    assert_eq!(target.ids().len(), 4);

    // And given up where more than a page are of one millisecond.
    let api = ClerkApi::start((0..9).map(|n| user(&format!("user_{n}"), 1000)).collect()).await;
    api.always_fails("starting_after", &Fault::status(422));
    let error = within(backfill(&api, &target).run()).await.unwrap_err();
    assert_eq!(error.kind(), BackfillErrorKind::UnexpectedAnswer, "{error}");
}

#[tokio::test]
async fn another_instances_target_is_refused_and_both_are_named() {
    let api = ClerkApi::start(users(3)).await;
    for finished in [false, true] {
        let target = Arc::new(Memory::holding(&["user_01"], "ins_other", finished));
        for error in [
            within(backfill(&api, &target).run()).await.unwrap_err(),
            within(backfill(&api, &target).dry_run()).await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), BackfillErrorKind::OtherInstance);
            let text = error.to_string();
            assert!(text.contains("ins_1") && text.contains("ins_other"), "{text}");
            assert!(text.contains("several_instances"), "{text}");
        }
        assert_eq!(target.state().changes, 0);
        assert!(api.requests().iter().all(|request| request.starts_with("/v1/instance")));
    }
}

#[tokio::test]
async fn several_instances_share_a_target_when_that_is_wanted() {
    let api = ClerkApi::start(users(3)).await;
    let target = Arc::new(Memory::holding(&["user_00"], "ins_other", false));
    let report = within(backfill(&api, &target).several_instances().run()).await.unwrap();
    // The other's unfinished run is not gone on with.
    assert!(!report.resumed);
    assert_eq!(target.ids().len(), 4);
    let mut runs = target.state().runs.clone();
    assert_eq!(runs.remove(0), run("ins_other", false));
    assert!(runs[0].finished && runs[0].instance_id == "ins_1");
}

#[tokio::test]
async fn an_answer_that_names_no_instance_ends_the_run() {
    for instance in ["{}", "[]", "<html>", "{\"id\":7}", "{\"id\":\"ins_\\n\"}", "{\"id\":\"x\"}"] {
        let api = ClerkApi::start(users(3)).await;
        api.fails("/v1/instance", Fault::body(instance));
        let target = Arc::new(Memory::default());
        let error = within(backfill(&api, &target).run()).await.unwrap_err();
        assert_eq!(error.kind(), BackfillErrorKind::UnexpectedAnswer, "{instance}");
        assert_eq!(api.requests().len(), 1);
    }
}

#[tokio::test]
async fn fault_s23_an_api_that_knows_no_instance_fills_a_target_and_removes_nobody() {
    let api = ClerkApi::start(users(3)).await;
    api.always_fails("/v1/instance", &Fault::Says(404, None, "<html>none</html>".into()));
    let target = Arc::new(Memory::default());
    api.fails("starting_after=user_02", Fault::status(418));
    assert!(within(backfill(&api, &target).run()).await.is_err());
    let report = within(backfill(&api, &target).run()).await.unwrap();
    assert_eq!((report.instance_id, report.users, report.resumed), (None, 3, true));
    assert_eq!(target.state().runs[0].instance_id, Run::UNKNOWN_INSTANCE);

    target.state().users.insert("user_gone".into(), 1);
    let drift = within(backfill(&api, &target).dry_run()).await.unwrap();
    assert_eq!((drift.instance_id, drift.users, drift.gone), (None, 3, None));
    let changes = target.state().changes;
    let error = within(backfill(&api, &target).remove_gone(9)).await.unwrap_err();
    assert_eq!(error.kind(), BackfillErrorKind::InstanceUnknown);
    assert!(error.to_string().contains("GET /v1/instance"), "{error}");
    assert_eq!(target.state().changes, changes);

    // A target of a known instance is filled too, and what has no known instance refuses no key.
    let known = Arc::new(Memory::holding(&["user_01"], "ins_other", true));
    assert_eq!(within(backfill(&api, &known).run()).await.unwrap().instance_id, None);
    let api = ClerkApi::start(users(3)).await;
    let report = within(backfill(&api, &target).run()).await.unwrap();
    assert_eq!(report.instance_id.as_deref(), Some("ins_1"));
    assert_eq!(within(backfill(&api, &target).remove_gone(9)).await.unwrap().removed, 1);
}

#[tokio::test]
async fn a_target_that_fails_in_passing_is_asked_again_and_one_that_refuses_is_not() {
    let api = ClerkApi::start(users(3)).await;
    let target = Arc::new(Memory::default());
    let away = || SinkError::transient("the database is away");
    target.state().failures = [away(), away(), away()].into();
    target.state().failures_at = (1, [away(), away()].into());
    let report = within(backfill(&api, &target).run()).await.unwrap();
    assert_eq!((report.users, report.written), (3, 3));
    assert_eq!(target.state().pages.len(), 3);

    for (failure, remaining) in [(SinkError::permanent("no such table"), 5), (away(), 1)] {
        target.state().failures = std::iter::repeat_n(failure, 6).collect();
        let error = within(backfill(&api, &target).run()).await.unwrap_err();
        assert_eq!(error.kind(), BackfillErrorKind::TargetFailed);
        assert_eq!(target.state().failures.len(), remaining);
        let report = error.report().to_string();
        assert!(report.contains("table") || report.contains("away"), "{report}");
    }
}
