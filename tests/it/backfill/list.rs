//! All users once, oldest first, whatever the list is like.

use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use serde_json::json;
use tower_clerk::backfill::BackfillErrorKind;
use tower_clerk::test_util::ManualClock;

use super::api::{ClerkApi, Fault, user, users};
use super::target::Memory;
use super::{KEY, backfill};
use crate::support::servers::within;

#[tokio::test]
async fn all_users_come_once_oldest_first_page_by_page() {
    for wraps in [false, true] {
        let mut listed = users(5);
        listed.reverse();
        let api = ClerkApi::start(listed).await;
        api.state().wraps = wraps;
        let target = Arc::new(Memory::default());
        let report = within(backfill(&api, &target).run()).await.unwrap();

        let expected =
            [vec!["user_01", "user_02"], vec!["user_03", "user_04"], vec!["user_05"], vec![]];
        assert_eq!(target.state().pages, expected);
        assert_eq!(api.pages(), ["", "after user_02", "after user_04", "after user_05"]);
        assert_eq!(report.instance_id.as_deref(), Some("ins_1"));
        assert_eq!((report.users, report.written, report.unchanged), (5, 5, 0));
        assert_eq!((report.unreadable, report.resumed), (0, false));
        let run = target.state().runs[0].clone();
        assert_eq!((&*run.instance_id, run.users, run.finished), ("ins_1", 5, true));
        assert_eq!(run.last_user_id.as_deref(), Some("user_05"));
        assert_eq!(run.last_created_at, Some(5000));
    }
}

#[tokio::test]
async fn a_run_can_be_spawned_and_asks_as_clerk_documents() {
    let api = ClerkApi::start(users(3)).await;
    let target = Arc::new(Memory::default());
    let backfill = backfill(&api, &target);
    within(tokio::spawn(async move { backfill.run().await })).await.unwrap().unwrap();
    let expected = [
        "/v1/instance?",
        "/v1/users/count?",
        "/v1/users?limit=2&order_by=+created_at",
        "/v1/users?limit=2&order_by=+created_at&starting_after=user_02",
        "/v1/users?limit=2&order_by=+created_at&starting_after=user_03",
    ];
    assert_eq!(api.requests(), expected);
    for asked in &api.state().asked {
        assert_eq!(asked.headers["authorization"], format!("Bearer {KEY}"));
        assert_eq!(asked.headers["clerk-api-version"], "2026-05-12");
        assert!(asked.headers["user-agent"].to_str().unwrap().starts_with("tower-clerk/"));
    }
}

#[tokio::test]
async fn an_instance_without_users_is_filled_too() {
    for count in [0, 1, 2, 4] {
        let api = ClerkApi::start(users(count)).await;
        let target = Arc::new(Memory::default());
        let report = within(backfill(&api, &target).run()).await.unwrap();
        assert_eq!(report.users, u64::try_from(count).unwrap());
        // The last page is empty: what is only short may have been cut.
        assert_eq!(target.state().pages.last().unwrap().len(), 0);
        assert!(target.state().runs[0].finished);
    }
}

#[tokio::test]
async fn a_second_run_begins_anew_and_writes_what_is_newer_only() {
    let api = ClerkApi::start(users(3)).await;
    let target = Arc::new(Memory::default());
    within(backfill(&api, &target).run()).await.unwrap();
    api.state().users[1]["updated_at"] = json!(9000);
    target.state().users.insert("user_03".into(), 9000);
    target.state().users.remove("user_01");
    target.state().buried.insert("user_01".into());
    let report = within(backfill(&api, &target).run()).await.unwrap();
    assert_eq!((report.users, report.written, report.unchanged), (3, 1, 2));
    assert!(!report.resumed);
    let known = [("user_02".to_owned(), 9000), ("user_03".to_owned(), 9000)].into();
    assert_eq!(target.state().users, known);
}

#[tokio::test]
async fn who_is_created_during_the_run_comes_too() {
    let api = ClerkApi::start(users(3)).await;
    let target = Arc::new(Memory::default());
    let clerk = api.handle();
    let backfill = backfill(&api, &target).on_progress(move |progress| {
        if progress.users == 2 {
            clerk(&|clerk| clerk.users.push(user("user_new", 7000)));
        }
    });
    within(backfill.run()).await.unwrap();
    assert!(target.ids().contains(&"user_new".to_owned()));
}

#[tokio::test]
async fn who_cannot_be_read_is_passed_over_and_the_list_goes_on_after_them() {
    let mut listed = users(5);
    // Not Clerk's way to write an id, and yet one from which a page can begin.
    listed[1]["id"] = json!("user-02");
    listed[3]["id"] = json!(null);
    let api = ClerkApi::start(listed).await;
    let target = Arc::new(Memory::default());
    let report = within(backfill(&api, &target).run()).await.unwrap();
    assert_eq!(target.ids(), ["user_01", "user_03", "user_05"]);
    assert_eq!(report.users, 3);
    // Who has no id at all cannot be gone on from: they are at the next page's beginning again.
    assert_eq!(report.unreadable, 3);
    assert_eq!(api.pages(), ["", "after user-02", "after user_03", "after user_05"]);
}

#[tokio::test]
async fn a_list_that_does_not_go_on_is_an_error_and_no_endless_loop() {
    for fault in [
        Fault::AsIf("/v1/users?limit=2&order_by=%2Bcreated_at"),
        Fault::body(r#"[{ "id": null }, { "first_name": "Ann" }]"#),
    ] {
        let api = ClerkApi::start(users(6)).await;
        api.always_fails("starting_after", &fault);
        let target = Arc::new(Memory::default());
        let error = within(backfill(&api, &target).run()).await.unwrap_err();
        assert_eq!(error.kind(), BackfillErrorKind::UnexpectedAnswer, "{error}");
        assert_eq!(api.pages().len(), 2);
        assert!(!target.state().runs[0].finished);
    }
}

#[tokio::test]
async fn pages_that_are_cut_short_end_no_run() {
    let api = ClerkApi::start(users(10)).await;
    // Somebody allows one at a time, three times.
    for fault in ["limit=1", "limit=1&starting_after=user_01", "limit=1&starting_after=user_02"] {
        let query = format!("/v1/users?order_by=%2Bcreated_at&{fault}");
        api.fails("order_by", Fault::AsIf(query.leak()));
    }
    let target = Arc::new(Memory::default());
    let report = within(backfill(&api, &target).page_size(4).run()).await.unwrap();
    assert_eq!(report.users, 10);
    assert_eq!(target.ids().len(), 10);
    assert_eq!(
        api.pages()[..5],
        ["", "after user_01", "after user_02", "after user_03", "after user_07"]
    );
}

#[tokio::test]
async fn a_list_that_ends_far_before_its_own_count_is_an_error_and_the_next_run_goes_on() {
    let api = ClerkApi::start(users(1200)).await;
    let target = Arc::new(Memory::default());
    api.fails("starting_after", Fault::body("[]"));
    let error = within(backfill(&api, &target).page_size(500).run()).await.unwrap_err();
    assert_eq!(error.kind(), BackfillErrorKind::UnexpectedAnswer);
    let text = error.to_string();
    assert!(text.contains("500") && text.contains("1200"), "{text}");
    assert!(!target.state().runs[0].finished);
    api.fails("starting_after", Fault::body("[]"));
    let error = within(backfill(&api, &target).page_size(500).dry_run()).await.unwrap_err();
    assert_eq!(error.kind(), BackfillErrorKind::UnexpectedAnswer);
    let report = within(backfill(&api, &target).page_size(500).run()).await.unwrap();
    assert_eq!((report.users, report.written, report.resumed), (1200, 700, true));
}

#[tokio::test]
async fn some_who_are_deleted_while_they_are_listed_do_not_end_a_run() {
    // A tenth of many, or a hundred of few.
    for (count, listed) in [(1200, 1080), (110, 10)] {
        let api = ClerkApi::start(users(listed)).await;
        let total = json!({ "total_count": count }).to_string();
        api.fails("/v1/users/count", Fault::body(total));
        let target = Arc::new(Memory::default());
        within(backfill(&api, &target).page_size(500).run()).await.unwrap();
        assert!(target.state().runs[0].finished);
    }
}

#[tokio::test]
async fn fault_s16_a_list_that_is_shorter_than_clerks_count_is_told_as_short() {
    let counts = |api: &ClerkApi, numbers: &[u64]| {
        for number in numbers {
            let body = json!({ "total_count": number }).to_string();
            api.fails("/v1/users/count", Fault::body(body));
        }
    };
    let api = ClerkApi::start(users(5)).await;
    // Before and after the list. Who is deleted or signs up meanwhile makes no list short.
    for (numbers, total, is_short) in [
        (&[6, 6][..], 6, true),
        (&[7, 6], 6, true),
        (&[6, 7], 6, true),
        (&[6, 5], 5, false),
        (&[6, 4], 4, false),
        (&[5], 5, false),
        (&[4], 4, false),
    ] {
        let target = Arc::new(Memory::default());
        counts(&api, numbers);
        let report = within(backfill(&api, &target).run()).await.unwrap();
        assert_eq!((report.listed, report.total), (5, Some(total)), "{numbers:?}");
        assert_eq!(report.is_short(), is_short, "{numbers:?}");
        counts(&api, numbers);
        let drift = within(backfill(&api, &target).dry_run()).await.unwrap();
        assert_eq!((drift.listed, drift.total), (5, Some(total)), "{numbers:?}");
        assert_eq!((drift.is_short(), drift.is_none()), (is_short, true), "{numbers:?}");
    }
    api.always_fails("/v1/users/count", &Fault::status(404));
    let target = Arc::new(Memory::default());
    let report = within(backfill(&api, &target).run()).await.unwrap();
    assert_eq!((report.listed, report.total, report.is_short()), (5, None, false));
}

#[tokio::test]
async fn a_list_that_goes_round_in_circles_is_an_error_and_no_endless_loop() {
    // By time, or by users alone where all are of one millisecond.
    for apart in [1000, 0] {
        let listed = (1..=6).map(|n| user(&format!("user_{n:02}"), 5000 + apart * n)).collect();
        let api = ClerkApi::start(listed).await;
        for _ in 0..20 {
            let first = "/v1/users?limit=2&order_by=%2Bcreated_at";
            api.fails("starting_after=user_06", Fault::AsIf(first));
        }
        let target = Arc::new(Memory::default());
        let error = within(backfill(&api, &target).run()).await.unwrap_err();
        assert_eq!(error.kind(), BackfillErrorKind::UnexpectedAnswer, "{error}");
        assert!(error.to_string().contains("circles"), "{error}");
        assert!(api.pages().len() < 15);
        assert!(!target.state().runs[0].finished);
    }
}

#[tokio::test]
async fn what_is_no_list_is_an_error() {
    for body in ["<html>maintenance</html>", "{}", "null", "", "[{\"id\": \"user_01\"}", "\"[]\""] {
        let api = ClerkApi::start(users(1)).await;
        api.fails("order_by", Fault::body(body));
        let target = Arc::new(Memory::default());
        let error = within(backfill(&api, &target).run()).await.unwrap_err();
        assert_eq!(error.kind(), BackfillErrorKind::UnexpectedAnswer, "{body}: {error}");
        assert!(error.to_string().contains("API URL"), "{error}");
        assert_eq!(target.state().changes, 0);
    }
}

#[tokio::test]
async fn progress_counts_towards_the_total() {
    let api = ClerkApi::start(users(3)).await;
    let target = Arc::new(Memory::default());
    target.state().users.insert("user_01".into(), 9000);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let backfill = backfill(&api, &target).on_progress({
        let seen = Arc::clone(&seen);
        move |progress| seen.lock().unwrap().push(progress.clone())
    });
    within(backfill.run()).await.unwrap();
    let told: Vec<_> = seen.lock().unwrap().drain(..).collect();
    let told: Vec<_> =
        told.iter().map(|p| (p.users, p.total, p.written, p.unchanged, p.resumed)).collect();
    assert_eq!(told, [(2, Some(3), 1, 1, false), (3, Some(3), 2, 1, false)]);

    // The total is a courtesy: it is asked for once, and nothing fails without it.
    for fault in [Fault::status(500), Fault::status(404), Fault::body("many")] {
        api.fails("/v1/users/count", fault);
        within(backfill.run()).await.unwrap();
        assert!(seen.lock().unwrap().drain(..).all(|progress| progress.total.is_none()));
    }
    api.state().wraps = true;
    api.fails("/v1/users/count", Fault::status(500));
    within(backfill.run()).await.unwrap();
    assert!(seen.lock().unwrap().iter().all(|progress| progress.total == Some(3)));
}

#[tokio::test]
async fn a_state_from_the_far_future_does_not_win_for_ever() {
    let mut listed = users(2);
    listed[1]["updated_at"] = json!(i64::MAX);
    let api = ClerkApi::start(listed).await;
    api.state().date = Some("Mon, 12 Jan 1970 13:46:40 GMT");
    let target = Arc::new(Memory::default());
    let clock = Arc::new(ManualClock::new());
    clock.set_wall(UNIX_EPOCH + Duration::from_secs(1_000_000));
    within(backfill(&api, &target).clock(clock).run()).await.unwrap();
    assert_eq!(target.state().users["user_01"], 1000);
    assert_eq!(target.state().users["user_02"], 1_000_300_000);
}

#[tokio::test]
async fn fault_s18_a_clock_that_differs_from_clerks_by_more_than_a_minute_is_refused() {
    let api = ClerkApi::start(users(3)).await;
    // 1 900 000 000 s after 1970.
    api.state().date = Some("Sun, 17 Mar 2030 17:46:40 GMT");
    let at = |seconds: i64| {
        let clock = Arc::new(ManualClock::new());
        let since_1970 = u64::try_from(1_900_000_000 + seconds).unwrap();
        clock.set_wall(UNIX_EPOCH + Duration::from_secs(since_1970));
        clock
    };
    for status in [200, 404] {
        for (seconds, says) in [
            (-61, Some("61 s behind")),
            (-86_400, Some("86400 s behind")),
            (61, Some("61 s ahead of")),
            (-60, None),
            (0, None),
            (60, None),
        ] {
            let target = Arc::new(Memory::default());
            if status == 404 {
                api.fails("/v1/instance", Fault::status(404));
            }
            let run = within(backfill(&api, &target).clock(at(seconds)).run()).await;
            match (run, says) {
                (Ok(report), None) => assert_eq!(report.users, 3),
                (Err(error), Some(says)) => {
                    assert_eq!(error.kind(), BackfillErrorKind::ClockWrong);
                    assert!(error.to_string().contains(says), "{error}");
                    assert_eq!(target.state().changes, 0);
                }
                (run, says) => panic!("{run:?} {says:?}"),
            }
        }
    }
    let target = Arc::new(Memory::holding(&["user_gone"], "ins_1", true));
    let slow = || backfill(&api, &target).clock(at(-600));
    let error = within(slow().dry_run()).await.unwrap_err();
    assert_eq!(error.kind(), BackfillErrorKind::ClockWrong);
    let error = within(slow().remove_gone(9)).await.unwrap_err();
    assert_eq!(error.kind(), BackfillErrorKind::ClockWrong);
    assert_eq!(target.state().changes, 0);
    // Who tells no time is believed.
    api.state().date = Some("lately");
    within(slow().run()).await.unwrap();
}

#[tokio::test]
async fn fault_s7_who_is_refused_is_counted_and_the_first_hundred_are_named() {
    let api = ClerkApi::start(users(130)).await;
    let target = Arc::new(Memory::default());
    let everybody = (1..=130).map(|n| format!("user_{n:02}"));
    target.state().refuses = everybody.filter(|id| id != "user_02").collect();
    let report = within(backfill(&api, &target).page_size(50).run()).await.unwrap();
    assert_eq!((report.users, report.written, report.refused), (130, 1, 129));
    assert_eq!(report.first_refused.len(), 100);
    let first = &report.first_refused[1];
    assert_eq!((&*first.id, &*first.reason), ("user_03", "too long"));
    assert!(target.state().runs[0].finished && !report.is_short());
}

#[tokio::test]
async fn pages_are_of_500_at_most_and_of_1_at_least() {
    for (asked_for, expected) in [(None, "500"), (Some(0), "1"), (Some(7), "7"), (Some(501), "500")]
    {
        let api = ClerkApi::start(Vec::new()).await;
        let target = Arc::new(Memory::default());
        let backfill = backfill(&api, &target).page_size(asked_for.unwrap_or(500));
        within(backfill.run()).await.unwrap();
        let limit = api.state().asked.last().unwrap().parameter("limit").unwrap().to_owned();
        assert_eq!(limit, expected);
    }
}
