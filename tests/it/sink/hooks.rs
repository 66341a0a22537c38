//! What hooks do to the sink's transaction: what is acknowledged is in the database, whatever they did.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, TransactionTrait,
};
use tower_clerk::backfill::{BackendApi, Backfill};
use tower_clerk::sea_orm::{InTransaction, SeaOrmSink, UserStatus, migrate};
use tower_clerk::secret::SecretKey;
use tower_clerk::test_util::{user_created, user_deleted};
use tower_clerk::webhook::{Delivery, DeliveryError, Effect, Outcome, User};

use crate::backfill::api::{ClerkApi, users};
use crate::support::database::{count, on_each_database};
use crate::support::delivery::{builder, send, signed};
use crate::support::servers::within;

on_each_database!(
    fault_s1_a_delivery_that_is_acknowledged_is_kept_whatever_a_hook_did,
    fault_s1_a_page_and_a_user_who_was_given_a_row_are_kept_or_told,
    fault_s1_a_deletion_that_a_hook_cut_short_removes_the_row_when_it_is_sent_again,
    fault_s1_what_may_fail_runs_in_a_savepoint_and_the_rest_is_kept,
    fault_a3_a_hook_that_hangs_is_cancelled_with_the_request_that_waits_for_it,
);

const T: i64 = 1_649_360_000_000;

/// What a careless hook does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Misdeed {
    BeginsAnew,
    Commits,
    IgnoresAFailure,
    RollsBack,
}

const MISDEEDS: [Misdeed; 4] =
    [Misdeed::BeginsAnew, Misdeed::Commits, Misdeed::IgnoresAFailure, Misdeed::RollsBack];

/// Does something careless as long as it is told to, and says that all is well.
#[derive(Clone, Default)]
struct Careless {
    misdeed: Arc<Mutex<Option<Misdeed>>>,
}

impl Careless {
    fn will(&self, misdeed: Option<Misdeed>) {
        *self.misdeed.lock().unwrap() = misdeed;
    }

    async fn act(&self, tx: &DatabaseTransaction) -> Result<(), DbErr> {
        let misdeed = *self.misdeed.lock().unwrap();
        let statements: &[&str] = match misdeed {
            None => &[],
            Some(Misdeed::BeginsAnew) => &["ROLLBACK", "BEGIN"],
            Some(Misdeed::Commits) => &["COMMIT"],
            Some(Misdeed::IgnoresAFailure) => &["INSERT INTO notes VALUES (1)"],
            Some(Misdeed::RollsBack) => &["ROLLBACK"],
        };
        for statement in statements {
            let _ignored = tx.execute_unprepared(statement).await;
        }
        Ok(())
    }
}

impl InTransaction for Careless {
    async fn run(&self, tx: &DatabaseTransaction, _: &Delivery, _: Outcome) -> Result<(), DbErr> {
        self.act(tx).await
    }

    async fn ensured(&self, tx: &DatabaseTransaction, _: &str) -> Result<(), DbErr> {
        self.act(tx).await
    }

    async fn backfilled(
        &self,
        tx: &DatabaseTransaction,
        _: &[(&User, Effect)],
    ) -> Result<(), DbErr> {
        self.act(tx).await
    }
}

async fn sink_with_notes(db: &DatabaseConnection) -> SeaOrmSink {
    migrate(db).await.unwrap();
    db.execute_unprepared("CREATE TABLE notes (id INTEGER PRIMARY KEY)").await.unwrap();
    db.execute_unprepared("INSERT INTO notes VALUES (1)").await.unwrap();
    SeaOrmSink::new(db.clone()).unwrap()
}

/// Only PostgreSQL gives a transaction up for one statement that failed.
fn harms(db: &DatabaseConnection, misdeed: Misdeed) -> bool {
    misdeed != Misdeed::IgnoresAFailure || db.get_database_backend() == DbBackend::Postgres
}

async fn fault_s1_a_delivery_that_is_acknowledged_is_kept_whatever_a_hook_did(
    db: DatabaseConnection,
) {
    let hook = Careless::default();
    let sink = sink_with_notes(&db).await.with_hook(hook.clone());
    let service = builder(sink.clone()).build().unwrap();
    for (number, misdeed) in MISDEEDS.into_iter().enumerate() {
        let (id, user) = (format!("msg_{number}"), format!("user_{number}"));
        let body = user_created(&user, None, T);
        hook.will(Some(misdeed));
        let answer = send(&service, signed(&id, &body).into_request()).await;
        if harms(&db, misdeed) {
            assert!(answer.status() >= 500, "{misdeed:?}: {}", answer.status());
            let error = answer.parts.extensions.get::<DeliveryError>().unwrap();
            let report = error.report().to_string();
            assert!(report.contains("savepoint") && report.contains("InTransaction"), "{report}");
            hook.will(None);
            let again = send(&service, signed(&id, &body).into_request()).await;
            assert_eq!(again.status(), 204, "{misdeed:?}");
        } else {
            assert_eq!(answer.status(), 204, "{misdeed:?}");
        }
        assert_eq!(sink.user_status(&user).await.unwrap(), UserStatus::Active, "{misdeed:?}");
    }
    assert_eq!(count(&db, "users").await, 4);
    assert_eq!(count(&db, "clerk_deliveries").await, 4);
}

async fn fault_s1_a_deletion_that_a_hook_cut_short_removes_the_row_when_it_is_sent_again(
    db: DatabaseConnection,
) {
    let hook = Careless::default();
    let sink = sink_with_notes(&db).await.with_hook(hook.clone());
    let service = builder(sink.clone()).build().unwrap();
    let post =
        async |id: &str, body| send(&service, signed(id, &body).into_request()).await.status();
    assert_eq!(post("msg_1", user_created("user_1", Some("ann@example.com"), T)).await, 204);
    hook.will(Some(Misdeed::Commits));
    assert!(post("msg_2", user_deleted("user_1")).await >= 500);
    // The tombstone and the mark of the delivery are committed.
    assert_eq!(sink.user_status("user_1").await.unwrap(), UserStatus::Deleted);
    assert_eq!(post("msg_2", user_deleted("user_1")).await, 204);
    assert_eq!(count(&db, "users").await, 0);

    // Who was revived since stays.
    hook.will(None);
    assert!(sink.revive("user_1").await.unwrap());
    assert_eq!(post("msg_3", user_created("user_1", Some("ann@example.com"), T + 1)).await, 204);
    assert_eq!(post("msg_2", user_deleted("user_1")).await, 204);
    assert_eq!(count(&db, "users").await, 1);
}

async fn fault_s1_a_page_and_a_user_who_was_given_a_row_are_kept_or_told(db: DatabaseConnection) {
    let api = ClerkApi::start(users(2)).await;
    let hook = Careless::default();
    let sink = sink_with_notes(&db).await.with_hook(hook.clone());
    let key = SecretKey::parse("sk_test_canary").unwrap();
    let backfill = || {
        let api = BackendApi::new(&api.url(), &key).unwrap();
        Backfill::new(api, sink.clone()).pace(Duration::ZERO).first_pause(Duration::from_millis(1))
    };
    for misdeed in MISDEEDS {
        hook.will(Some(misdeed));
        let user = format!("user_{misdeed:?}");
        let given = sink.ensure_user(&user).await;
        assert_eq!(given.is_err(), harms(&db, misdeed), "{misdeed:?}");
        hook.will(None);
        assert_eq!(sink.ensure_user(&user).await.unwrap(), UserStatus::Active, "{misdeed:?}");
        assert!(sink.find_user(&user).await.unwrap().is_some(), "{misdeed:?}");
    }
    hook.will(Some(Misdeed::RollsBack));
    assert!(within(backfill().run()).await.is_err());
    assert!(sink.find_user("user_01").await.unwrap().is_none());
    hook.will(None);
    let report = within(backfill().run()).await.unwrap();
    assert_eq!((report.users, report.written), (2, 2));
    assert!(sink.find_user("user_01").await.unwrap().is_some());
}

/// Tries a statement that fails in a savepoint, and goes on without it.
struct Careful;

impl InTransaction for Careful {
    async fn run(&self, tx: &DatabaseTransaction, _: &Delivery, _: Outcome) -> Result<(), DbErr> {
        let savepoint = tx.begin().await?;
        match savepoint.execute_unprepared("INSERT INTO notes VALUES (1)").await {
            Ok(_) => savepoint.commit().await?,
            Err(_) => savepoint.rollback().await?,
        }
        tx.execute_unprepared("INSERT INTO notes VALUES (2)").await.map(drop)
    }
}

async fn fault_s1_what_may_fail_runs_in_a_savepoint_and_the_rest_is_kept(db: DatabaseConnection) {
    let sink = sink_with_notes(&db).await.with_hook(Careful);
    let service = builder(sink).build().unwrap();
    let delivery = signed("msg_1", &user_created("user_1", None, T)).into_request();
    assert_eq!(send(&service, delivery).await.status(), 204);
    assert_eq!((count(&db, "users").await, count(&db, "notes").await), (1, 2));
}

/// Never ends while it is told so.
#[derive(Clone, Default)]
struct Hanging {
    hangs: Arc<AtomicBool>,
}

impl InTransaction for Hanging {
    async fn run(&self, _: &DatabaseTransaction, _: &Delivery, _: Outcome) -> Result<(), DbErr> {
        Ok(())
    }

    async fn ensured(&self, _: &DatabaseTransaction, _: &str) -> Result<(), DbErr> {
        match self.hangs.load(Ordering::SeqCst) {
            true => std::future::pending().await,
            false => Ok(()),
        }
    }
}

async fn fault_a3_a_hook_that_hangs_is_cancelled_with_the_request_that_waits_for_it(
    db: DatabaseConnection,
) {
    let hook = Hanging::default();
    let sink = sink_with_notes(&db).await.with_hook(hook.clone());
    hook.hangs.store(true, Ordering::SeqCst);
    let given_up = tokio::time::timeout(Duration::from_millis(300), sink.ensure_user("user_1"));
    assert!(given_up.await.is_err());
    hook.hangs.store(false, Ordering::SeqCst);
    assert_eq!(within(sink.ensure_user("user_1")).await.unwrap(), UserStatus::Active);
    assert_eq!(count(&db, "users").await, 1);
}
