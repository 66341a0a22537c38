//! Users from the Backend API in a database: the same rules as for deliveries, in pages.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use sea_orm::{ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr};
use serde_json::{Value, json};
use tower_clerk::backfill::{BackendApi, Backfill, BackfillErrorKind, Run, Target, UserPage};
use tower_clerk::clock::{Clock, SystemClock};
use tower_clerk::sea_orm::{Deletion, InTransaction, Schema, SeaOrmSink, UserStatus, migrate};
use tower_clerk::secret::SecretKey;
use tower_clerk::test_util::{user_created, user_deleted, user_updated};
use tower_clerk::webhook::{Delivery, Effect, Outcome, User};

use crate::backfill::api::{ClerkApi, Fault, user, users};
use crate::sink::mapping_same::user_of;
use crate::support::database::{count, on_each_database};
use crate::support::delivery::{send, signed};
use crate::support::servers::within;
use crate::support::sink_service::Server;

on_each_database!(
    all_users_get_their_rows_and_the_next_run_changes_nothing,
    a_page_rolls_nothing_back_and_revives_nobody,
    a_page_and_its_checkpoint_stand_or_fall_together,
    a_killed_run_goes_on_and_every_user_is_there,
    webhooks_and_backfills_at_once_end_in_the_newest_states,
    a_dry_run_says_what_is_missing_outdated_deleted_and_gone,
    users_whom_clerk_no_longer_has_are_removed_for_ever_when_asked_for,
    a_hook_hears_of_backfilled_and_removed_users_in_the_same_transaction,
    fault_s7_a_row_that_the_database_refuses_is_named_and_all_others_are_written,
    fault_s5_a_new_column_is_filled_for_users_who_are_known,
    fault_s5_a_rewrite_undoes_no_event_from_after_the_list,
    fault_s7_a_user_who_is_twice_on_a_page_ends_no_run,
    fault_s15_a_user_of_the_last_hour_is_not_removed,
    fault_s6_runs_from_before_their_beginning_was_kept_begin_anew,
    runs_of_several_instances_are_kept_apart,
    ids_are_walked_through_in_byte_order_whatever_the_databases_language,
);

/// A backfill of small pages, without pauses.
pub(super) fn backfill(api: &ClerkApi, sink: &SeaOrmSink) -> Backfill<SeaOrmSink> {
    let key = SecretKey::parse("sk_test_canary").unwrap();
    let api = BackendApi::new(&api.url(), &key).unwrap();
    Backfill::new(api, sink.clone())
        .page_size(4)
        .pace(Duration::ZERO)
        .first_pause(Duration::from_millis(1))
}

async fn all_users_get_their_rows_and_the_next_run_changes_nothing(db: DatabaseConnection) {
    let api = ClerkApi::start(users(10)).await;
    let server = Server::start(db.clone()).await;
    let report = within(backfill(&api, &server.sink).run()).await.unwrap();
    assert_eq!((report.users, report.written, report.unchanged), (10, 10, 0));
    assert_eq!(count(&db, "users").await, 10);
    let row = server.sink.find_user("user_03").await.unwrap().unwrap();
    assert_eq!(row.email.as_deref(), Some("user_03@example.com"));
    assert_eq!(row.first_name.as_deref(), Some("Ann"));
    assert_eq!(row.created_at.timestamp_millis(), 3000);
    let run = server.sink.runs().await.unwrap();
    assert_eq!(run.len(), 1);
    assert_eq!((&*run[0].instance_id, run[0].users, run[0].finished), ("ins_1", 10, true));

    let again = within(backfill(&api, &server.sink).run()).await.unwrap();
    assert_eq!((again.users, again.written, again.unchanged), (10, 0, 10));

    // Both kinds of rows in one page: those that are there, and those that are not.
    api.handle()(&|clerk| {
        clerk.users.push(user("user_11", 11_000));
        clerk.users[8]["first_name"] = json!("Bea");
        clerk.users[8]["updated_at"] = json!(50_000);
    });
    let third = within(backfill(&api, &server.sink).run()).await.unwrap();
    assert_eq!((third.users, third.written, third.unchanged), (11, 2, 9));
    let row = server.sink.find_user("user_09").await.unwrap().unwrap();
    assert_eq!(row.first_name.as_deref(), Some("Bea"));
}

async fn a_page_rolls_nothing_back_and_revives_nobody(db: DatabaseConnection) {
    let api = ClerkApi::start(users(4)).await;
    let server = Server::start(db.clone()).await;
    server.post_new(&user_updated("user_01", Some("newer@example.com"), 5000)).await;
    server.post_new(&user_created("user_02", Some("older@example.com"), 1)).await;
    server.post_new(&user_deleted("user_03")).await;
    server.sink.ensure_user("user_04").await.unwrap();
    let report = within(backfill(&api, &server.sink).run()).await.unwrap();
    assert_eq!((report.written, report.unchanged), (2, 2));
    assert_eq!(server.email("user_01").await.as_deref(), Some("newer@example.com"));
    assert_eq!(server.email("user_02").await.as_deref(), Some("user_02@example.com"));
    assert_eq!(server.sink.user_status("user_03").await.unwrap(), UserStatus::Deleted);
    assert_eq!(server.email("user_04").await.as_deref(), Some("user_04@example.com"));
    assert_eq!(count(&db, "users").await, 3);
}

/// Refuses as long as it is told to, and remembers whom it heard of.
#[derive(Clone, Default)]
struct Hook {
    refuses: Arc<AtomicBool>,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Hook {
    fn hear(&self, ids: impl Iterator<Item = String>) -> Result<(), DbErr> {
        self.heard.lock().unwrap().extend(ids);
        match self.refuses.load(Ordering::SeqCst) {
            true => Err(DbErr::Custom("the application refuses".into())),
            false => Ok(()),
        }
    }
}

impl InTransaction for Hook {
    async fn run(&self, _: &DatabaseTransaction, _: &Delivery, _: Outcome) -> Result<(), DbErr> {
        Ok(())
    }

    async fn backfilled(
        &self,
        tx: &DatabaseTransaction,
        users: &[(&User, Effect)],
    ) -> Result<(), DbErr> {
        tx.execute_unprepared("UPDATE users SET username = 'greeted'").await?;
        self.hear(users.iter().map(|(user, _)| user.id.to_string()))
    }

    async fn removed(&self, _: &DatabaseTransaction, user_id: &str) -> Result<(), DbErr> {
        self.hear([user_id.to_owned()].into_iter())
    }
}

async fn a_page_and_its_checkpoint_stand_or_fall_together(db: DatabaseConnection) {
    let api = ClerkApi::start(users(6)).await;
    let hook = Hook::default();
    let server = Server::start(db.clone()).await;
    let sink = server.sink.clone().with_hook(hook.clone());
    let tell = {
        let refuses = Arc::clone(&hook.refuses);
        move |_: &tower_clerk::backfill::Progress| refuses.store(true, Ordering::SeqCst)
    };
    let error = within(backfill(&api, &sink).on_progress(tell).run()).await.unwrap_err();
    assert_eq!(error.kind(), BackfillErrorKind::TargetFailed);
    assert_eq!(count(&db, "users").await, 4);
    assert_eq!(count(&db, "clerk_user_versions").await, 4);
    let run = &sink.runs().await.unwrap()[0];
    assert_eq!((run.last_user_id.as_deref(), run.users, run.finished), (Some("user_04"), 4, false));
    assert_eq!(run.last_created_at, Some(4000));

    hook.refuses.store(false, Ordering::SeqCst);
    let report = within(backfill(&api, &sink).run()).await.unwrap();
    assert_eq!((report.users, report.written, report.resumed), (6, 2, true));
    assert_eq!(count(&db, "users").await, 6);
}

async fn a_killed_run_goes_on_and_every_user_is_there(db: DatabaseConnection) {
    let api = ClerkApi::start(users(9)).await;
    let server = Server::start(db.clone()).await;
    for cursor in ["starting_after=user_04", "starting_after=user_08"] {
        api.fails(cursor, Fault::Silent);
        let (run, so_far) = (backfill(&api, &server.sink), api.requests().len());
        let killed = tokio::spawn(async move { run.run().await });
        // Instance, count, a page and the one that never comes.
        api.saw(so_far + 4).await;
        killed.abort();
        assert!(killed.await.unwrap_err().is_cancelled());
    }
    // The mark itself may be gone when the run goes on.
    api.deletes("user_08");
    let report = within(backfill(&api, &server.sink).run()).await.unwrap();
    assert!(report.resumed);
    assert_eq!(count(&db, "users").await, 9);
    assert!(server.sink.runs().await.unwrap()[0].finished);
}

async fn webhooks_and_backfills_at_once_end_in_the_newest_states(db: DatabaseConnection) {
    let api = ClerkApi::start(users(40)).await;
    let server = Server::start(db.clone()).await;
    let backfills: Vec<_> = (0..2)
        .map(|_| {
            let run = backfill(&api, &server.sink).page_size(20);
            tokio::spawn(async move { within(run.run()).await.map(drop) })
        })
        .collect();
    // From the other end, so that they meet.
    let deliveries: Vec<_> = (1..=40)
        .rev()
        .map(|n: i64| {
            let id = format!("user_{n:02}");
            let body = match n % 3 {
                0 => user_deleted(&id),
                1 => user_updated(&id, Some("newer@example.com"), 1000 * n + 1),
                _ => user_updated(&id, Some("older@example.com"), 1000 * n - 1),
            };
            let (service, delivery) = (server.service.clone(), signed(&format!("msg_{n}"), &body));
            tokio::spawn(async move { send(&service, delivery.into_request()).await.status() })
        })
        .collect();
    for delivery in deliveries {
        assert_eq!(delivery.await.unwrap(), 204);
    }
    for backfill in backfills {
        backfill.await.unwrap().unwrap();
    }
    for n in 1..=40 {
        let id = format!("user_{n:02}");
        let email = server.email(&id).await;
        match n % 3 {
            0 => assert_eq!(server.sink.user_status(&id).await.unwrap(), UserStatus::Deleted),
            1 => assert_eq!(email.as_deref(), Some("newer@example.com"), "{id}"),
            _ => assert_eq!(email, Some(format!("{id}@example.com"))),
        }
    }
}

async fn a_dry_run_says_what_is_missing_outdated_deleted_and_gone(db: DatabaseConnection) {
    let mut listed: Vec<Value> = users(5);
    listed[1]["updated_at"] = json!(9000);
    let api = ClerkApi::start(listed).await;
    let server = Server::start(db.clone()).await;
    server.post_new(&user_created("user_01", None, 1000)).await;
    server.post_new(&user_created("user_02", None, 2000)).await;
    server.post_new(&user_deleted("user_03")).await;
    server.post_new(&user_created("user_04", None, 4000)).await;
    server.post_new(&user_created("user_90", None, 1)).await;
    server.post_new(&user_deleted("user_91")).await;
    // Somebody removed a row by hand.
    db.execute_unprepared("DELETE FROM users WHERE id = 'user_04'").await.unwrap();
    let (before, runs) = (count(&db, "clerk_user_versions").await, server.sink.runs().await);
    let drift = within(backfill(&api, &server.sink).dry_run()).await.unwrap();
    assert_eq!(drift.missing.examples, ["user_04", "user_05"]);
    // The first one by what the row has, the second by its time.
    assert_eq!(drift.outdated.examples, ["user_01", "user_02"]);
    assert_eq!(drift.deleted.examples, ["user_03"]);
    assert_eq!(drift.gone.unwrap().examples, ["user_90"]);
    assert_eq!(count(&db, "clerk_user_versions").await, before);
    assert_eq!(server.sink.runs().await.unwrap(), runs.unwrap());
}

async fn users_whom_clerk_no_longer_has_are_removed_for_ever_when_asked_for(
    db: DatabaseConnection,
) {
    let api = ClerkApi::start(users(6)).await;
    let schema = Schema::new().on_deletion(Deletion::Mark);
    let server = Server::start_with(db.clone(), schema).await;
    let legacy = "INSERT INTO users (id, created_at, updated_at) \
                  VALUES ('legacy_1', '2020-01-01 00:00:00', '2020-01-01 00:00:00')";
    db.execute_unprepared(legacy).await.unwrap();
    server.sink.ensure_user("user_ahead").await.unwrap();
    within(backfill(&api, &server.sink).run()).await.unwrap();
    api.deletes("user_02");
    api.deletes("user_05");
    let error = within(backfill(&api, &server.sink).remove_gone(2)).await.unwrap_err();
    assert_eq!(error.kind(), BackfillErrorKind::TooManyGone);
    assert_eq!(count(&db, "users WHERE deleted_at IS NOT NULL").await, 0);

    let removal = within(backfill(&api, &server.sink).remove_gone(3)).await.unwrap();
    assert_eq!(removal.removed, 3);
    for id in ["user_02", "user_05", "user_ahead"] {
        assert_eq!(server.sink.user_status(id).await.unwrap(), UserStatus::Deleted, "{id}");
        server.post_new(&user_updated(id, None, 9_000_000)).await;
        assert_eq!(server.sink.find_user(id).await.unwrap(), None);
    }
    assert_eq!(count(&db, "users WHERE deleted_at IS NULL").await, 5);
    let again = within(backfill(&api, &server.sink).remove_gone(0)).await.unwrap();
    assert_eq!(again.removed, 0);
}

async fn a_hook_hears_of_backfilled_and_removed_users_in_the_same_transaction(
    db: DatabaseConnection,
) {
    let api = ClerkApi::start(users(3)).await;
    let hook = Hook::default();
    let server = Server::start(db.clone()).await;
    let sink = server.sink.clone().with_hook(hook.clone());
    server.post_new(&user_updated("user_02", None, 9000)).await;
    within(backfill(&api, &sink).run()).await.unwrap();
    assert_eq!(*hook.heard.lock().unwrap(), ["user_01", "user_03"]);
    assert_eq!(count(&db, "users WHERE username = 'greeted'").await, 3);

    api.deletes("user_01");
    hook.refuses.store(true, Ordering::SeqCst);
    assert!(within(backfill(&api, &sink).remove_gone(1)).await.is_err());
    assert_eq!(sink.user_status("user_01").await.unwrap(), UserStatus::Active);
    hook.refuses.store(false, Ordering::SeqCst);
    hook.heard.lock().unwrap().clear();
    within(backfill(&api, &sink).remove_gone(1)).await.unwrap();
    assert_eq!(*hook.heard.lock().unwrap(), ["user_01"]);
    assert_eq!(sink.user_status("user_01").await.unwrap(), UserStatus::Deleted);
}

async fn fault_s7_a_row_that_the_database_refuses_is_named_and_all_others_are_written(
    db: DatabaseConnection,
) {
    let api = ClerkApi::start(users(11)).await;
    let server = Server::start(db.clone()).await;
    let refusing = "email IN ('user_03@example.com', 'user_04@example.com', 'user_09@example.com')";
    let [refuse, allow] = match db.get_database_backend() {
        DbBackend::Sqlite => [
            format!(
                "CREATE TRIGGER refusal BEFORE INSERT ON users WHEN NEW.{refusing} \
                 BEGIN SELECT RAISE(ABORT, 'refusal'); END"
            ),
            "DROP TRIGGER refusal".to_owned(),
        ],
        _ => [
            format!("ALTER TABLE users ADD CONSTRAINT refusal CHECK (NOT {refusing})"),
            "ALTER TABLE users DROP CONSTRAINT refusal".to_owned(),
        ],
    };
    db.execute_unprepared(&refuse).await.unwrap();
    let report = within(backfill(&api, &server.sink).run()).await.unwrap();
    assert_eq!((report.users, report.written, report.refused), (11, 8, 3));
    let named: Vec<_> = report.first_refused.iter().map(|refused| &*refused.id).collect();
    assert_eq!(named, ["user_03", "user_04", "user_09"]);
    for refused in &report.first_refused {
        assert!(refused.reason.contains("refusal"), "{}", refused.reason);
        assert!(!refused.reason.contains("example.com"), "{}", refused.reason);
    }
    assert_eq!(count(&db, "users").await, 8);
    assert_eq!(count(&db, "clerk_user_versions").await, 8);
    assert!(server.sink.runs().await.unwrap()[0].finished);

    db.execute_unprepared(&allow).await.unwrap();
    let report = within(backfill(&api, &server.sink).run()).await.unwrap();
    assert_eq!((report.written, report.unchanged, report.refused), (3, 8, 0));

    // What concerns all rows is no matter of one.
    db.execute_unprepared("ALTER TABLE users RENAME TO elsewhere").await.unwrap();
    let error = within(backfill(&api, &server.sink).rewrite().run()).await.unwrap_err();
    assert_eq!(error.kind(), BackfillErrorKind::TargetFailed);
}

async fn fault_s5_a_new_column_is_filled_for_users_who_are_known(db: DatabaseConnection) {
    let api = ClerkApi::start(users(7)).await;
    let plain = Server::start(db.clone()).await;
    within(backfill(&api, &plain.sink).run()).await.unwrap();
    // By webhook in the same millisecond, and in a newer state; deleted; and without a row.
    plain.post_new(&user_updated("user_02", Some("event@example.com"), 2000)).await;
    plain.post_new(&user_updated("user_03", Some("newer@example.com"), 3001)).await;
    plain.post_new(&user_deleted("user_04")).await;
    db.execute_unprepared("DELETE FROM users WHERE id = 'user_05'").await.unwrap();

    db.execute_unprepared("ALTER TABLE users ADD COLUMN nick varchar(99)").await.unwrap();
    let schema = Schema::new().user_column("nick", |user| format!("nick of {}", user.id).into());
    let sink = SeaOrmSink::with_schema(db.clone(), schema).unwrap();
    let hook = Hook::default();
    let sink = sink.with_hook(hook.clone());
    let filled = async || count(&db, "users WHERE nick LIKE 'nick of user_%'").await;
    within(backfill(&api, &sink).run()).await.unwrap();
    assert!(filled().await < 5, "known users cost a comparison");

    hook.heard.lock().unwrap().clear();
    let report = within(backfill(&api, &sink).rewrite().run()).await.unwrap();
    assert_eq!((report.users, report.written, report.unchanged), (7, 5, 2));
    assert_eq!(filled().await, 5);
    assert_eq!(hook.heard.lock().unwrap().len(), 5);
    let emptied = count(&db, "users WHERE nick IS NULL AND id = 'user_03'").await;
    assert_eq!(emptied, 1, "a newer state stays");
    assert_eq!(plain.email("user_03").await.as_deref(), Some("newer@example.com"));
    assert_eq!(sink.user_status("user_04").await.unwrap(), UserStatus::Deleted);
    // Each run writes them again, and an event counts as before.
    assert_eq!(within(backfill(&api, &sink).rewrite().run()).await.unwrap().written, 5);
    assert_eq!(within(backfill(&api, &sink).run()).await.unwrap().written, 0);
    plain.post_new(&user_updated("user_01", Some("older@example.com"), 999)).await;
    assert_eq!(plain.email("user_01").await.as_deref(), Some("user_01@example.com"));
    plain.post_new(&user_updated("user_01", Some("newer@example.com"), 1001)).await;
    assert_eq!(plain.email("user_01").await.as_deref(), Some("newer@example.com"));
}

async fn fault_s5_a_rewrite_undoes_no_event_from_after_the_list(db: DatabaseConnection) {
    let server = Server::start(db.clone()).await;
    let listed = [user_of(&user_updated("user_1", Some("listed@example.com"), 1000)).await];
    let mut page = UserPage::new(&listed);
    page.listed_at = Some(UNIX_EPOCH + Duration::from_secs(1_700_000_000));
    let run = Run::new("ins_1");
    server.sink.write(page, &run).await.unwrap();
    let mut event = user_updated("user_1", Some("event@example.com"), 1000);
    for (timestamp, kept) in
        [(1_699_999_999_999_i64, "listed@example.com"), (1_700_000_000_001, "event@example.com")]
    {
        event["timestamp"] = json!(timestamp);
        server.post_new(&event).await;
        server.sink.rewrite(page, &run).await.unwrap();
        assert_eq!(server.email("user_1").await.as_deref(), Some(kept), "{timestamp}");
    }
    // Of a list whose time nobody knows, all is written again.
    page.listed_at = None;
    assert_eq!(server.sink.rewrite(page, &run).await.unwrap().written, 1);
}

async fn fault_s7_a_user_who_is_twice_on_a_page_ends_no_run(db: DatabaseConnection) {
    let server = Server::start(db.clone()).await;
    let state = async |email, at| user_of(&user_updated("user_1", Some(email), at)).await;
    let listed = [
        state("old@example.com", 1000).await,
        state("new@example.com", 2000).await,
        state("older@example.com", 500).await,
    ];
    let page = UserPage::new(&listed);
    let written = server.sink.write(page, &Run::new("ins_1")).await.unwrap();
    assert_eq!(written.written, 1);
    assert_eq!(server.email("user_1").await.as_deref(), Some("new@example.com"));
}

async fn fault_s15_a_user_of_the_last_hour_is_not_removed(db: DatabaseConnection) {
    let now = SystemClock::new().now().duration_since(UNIX_EPOCH).unwrap();
    let minutes_ago = |minutes: i64| i64::try_from(now.as_millis()).unwrap() - minutes * 60_000;
    let mut listed = users(2);
    listed.push(user("user_old", minutes_ago(70)));
    listed.push(user("user_young", minutes_ago(50)));
    let api = ClerkApi::start(listed).await;
    let server = Server::start(db.clone()).await;
    let sink = server.sink.clone().clock(Arc::new(SystemClock::new()));
    within(backfill(&api, &sink).run()).await.unwrap();
    api.deletes("user_old");
    api.deletes("user_young");
    sink.ensure_user("user_ahead").await.unwrap();
    let gone = within(backfill(&api, &sink).dry_run()).await.unwrap().gone.unwrap();
    assert_eq!(gone.examples, ["user_old"]);
    let removed = within(backfill(&api, &sink).remove_gone(1)).await.unwrap();
    assert_eq!(removed.removed, 1);
    for (id, status) in [
        ("user_old", UserStatus::Deleted),
        ("user_young", UserStatus::Active),
        ("user_ahead", UserStatus::Active),
    ] {
        assert_eq!(sink.user_status(id).await.unwrap(), status, "{id}");
    }
}

async fn fault_s6_runs_from_before_their_beginning_was_kept_begin_anew(db: DatabaseConnection) {
    let api = ClerkApi::start(users(6)).await;
    let server = Server::start(db.clone()).await;
    api.fails("starting_after", Fault::status(418));
    assert!(within(backfill(&api, &server.sink).run()).await.is_err());
    // As an earlier version left it.
    db.execute_unprepared("ALTER TABLE clerk_backfills DROP COLUMN started_at").await.unwrap();
    db.execute_unprepared("DELETE FROM clerk_migrations WHERE version LIKE '%backfills_started'")
        .await
        .unwrap();
    migrate(&db).await.unwrap();
    let report = within(backfill(&api, &server.sink).run()).await.unwrap();
    assert!(report.outdated && !report.resumed);
    assert_eq!((report.users, report.unchanged), (6, 4));
    // A column that a killed migration left is no error.
    db.execute_unprepared("DELETE FROM clerk_migrations WHERE version LIKE '%backfills_started'")
        .await
        .unwrap();
    migrate(&db).await.unwrap();
    assert!(server.sink.runs().await.unwrap()[0].started_at.is_some());
}

async fn runs_of_several_instances_are_kept_apart(db: DatabaseConnection) {
    let server = Server::start(db).await;
    let mut one = Run::new("ins_1");
    (one.last_user_id, one.last_created_at) = (Some("user_1".to_owned()), Some(1));
    (one.users, one.finished, one.started_at) = (3, true, Some(1_900_000_000_000));
    let other = Run::new("ins_a");
    for run in [&Run::new("ins_1"), &other, &one] {
        server.sink.write(UserPage::new(&[]), run).await.unwrap();
    }
    let mut runs = server.sink.runs().await.unwrap();
    runs.sort_by(|a, b| a.instance_id.cmp(&b.instance_id));
    assert_eq!(runs, [one, other]);
}

async fn ids_are_walked_through_in_byte_order_whatever_the_databases_language(
    db: DatabaseConnection,
) {
    let server = Server::start(db).await;
    let mut ids = ["user_1a", "user_B", "user_a", "user_b", "user_1B", "user_A", "user__"];
    for id in ids {
        server.sink.ensure_user(id).await.unwrap();
    }
    ids.sort_unstable();
    let mut seen: Vec<String> = Vec::new();
    loop {
        let after = seen.last().map(String::as_str);
        let page = server.sink.ids_after(after, 2).await.unwrap();
        if page.is_empty() {
            break;
        }
        seen.extend(page);
    }
    assert_eq!(seen, ids);
}
