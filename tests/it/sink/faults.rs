//! What becomes of deliveries when the database, the application's statements or the time fail,
//! and when several instances start at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sea_orm::sea_query::{Expr, ExprTrait, Query};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, Statement,
};
use serde_json::{Value, json};
use tokio::sync::Notify;
use tower_clerk::sea_orm::{
    InTransaction, SeaOrmSink, UserStatus, in_transaction_fn_with_state, migrate, migrations,
};
use tower_clerk::test_util::{user_created, user_deleted, user_updated};
use tower_clerk::webhook::{
    Delivery, DeliveryError, DeliveryErrorKind, Event, Outcome, WebhookService,
};

use crate::support::database::{count, on_each_database};
use crate::support::delivery::{builder, send, signed};

on_each_database!(
    a_fault_halfway_leaves_nothing_and_the_retry_applies,
    a_failing_hook_leaves_nothing_and_the_retry_applies,
    a_delivery_given_up_at_the_deadline_leaves_nothing_and_the_retry_applies,
    e51_a_hook_deletes_what_refers_to_a_user_in_the_same_transaction,
    a_hook_sees_every_delivery_but_repeated_ones,
    fault_a7_a_closure_with_a_state_runs_in_the_transaction,
    fault_a3_a_hook_is_told_of_a_user_who_was_given_a_row,
    a_writer_waits_for_the_one_that_came_first_and_then_sees_what_it_did,
    what_a_database_quotes_of_the_data_does_not_get_into_the_log,
    several_instances_may_migrate_at_once,
    the_migrations_fit_into_an_applications_own_list,
);

const T: i64 = 1_649_360_000_000;

async fn a_fault_halfway_leaves_nothing_and_the_retry_applies(db: DatabaseConnection) {
    migrate(&db).await.unwrap();
    let service = builder(SeaOrmSink::new(db.clone()).unwrap()).build().unwrap();
    db.execute_unprepared("ALTER TABLE users RENAME TO elsewhere").await.unwrap();
    for body in [user_created("user_1", None, T), user_deleted("user_1")] {
        let answer = send(&service, signed("msg_1", &body).into_request()).await;
        assert_eq!(answer.status(), 500);
        assert_eq!(answer.refusal(), DeliveryErrorKind::SinkRefused);
        assert_eq!(count(&db, "clerk_deliveries").await, 0);
        assert_eq!(count(&db, "clerk_user_versions").await, 0);
    }
    db.execute_unprepared("ALTER TABLE elsewhere RENAME TO users").await.unwrap();
    let body = user_created("user_1", None, T);
    assert_eq!(send(&service, signed("msg_1", &body).into_request()).await.status(), 204);
    assert_eq!(count(&db, "users").await, 1);
}

/// Fails, or never ends, as long as it is told to.
struct Trouble {
    on: Arc<AtomicBool>,
    hangs: bool,
}

impl InTransaction for Trouble {
    async fn run(&self, _: &DatabaseTransaction, _: &Delivery, _: Outcome) -> Result<(), DbErr> {
        match self.on.load(Ordering::SeqCst) {
            true if self.hangs => std::future::pending().await,
            true => Err(DbErr::Custom("the application refuses".into())),
            false => Ok(()),
        }
    }
}

async fn a_failing_hook_leaves_nothing_and_the_retry_applies(db: DatabaseConnection) {
    trouble(db, false, DeliveryErrorKind::SinkUnavailable).await;
}

async fn a_delivery_given_up_at_the_deadline_leaves_nothing_and_the_retry_applies(
    db: DatabaseConnection,
) {
    trouble(db, true, DeliveryErrorKind::DeadlinePassed).await;
}

async fn trouble(db: DatabaseConnection, hangs: bool, kind: DeliveryErrorKind) {
    migrate(&db).await.unwrap();
    let on = Arc::new(AtomicBool::new(true));
    let sink =
        SeaOrmSink::new(db.clone()).unwrap().with_hook(Trouble { on: Arc::clone(&on), hangs });
    let brief = Duration::from_millis(500);
    let service = builder(sink.clone()).deadline(brief).build().unwrap();
    let body = user_created("user_1", Some("ann@example.com"), T);

    let answer = send(&service, signed("msg_1", &body).into_request()).await;
    assert_eq!(answer.refusal(), kind);
    assert_eq!(answer.status(), 503);
    for table in ["users", "clerk_user_versions", "clerk_deliveries"] {
        assert_eq!(count(&db, table).await, 0, "{table}");
    }

    on.store(false, Ordering::SeqCst);
    let patient = builder(sink).build().unwrap();
    assert_eq!(send(&patient, signed("msg_1", &body).into_request()).await.status(), 204);
    assert_eq!(count(&db, "users").await, 1);
}

/// A user's posts go with the user.
struct DeletePosts;

impl InTransaction for DeletePosts {
    async fn run(
        &self,
        tx: &DatabaseTransaction,
        delivery: &Delivery,
        outcome: Outcome,
    ) -> Result<(), DbErr> {
        if let (Event::UserDeleted(user), Outcome::Applied(_)) = (delivery.event(), outcome)
            && let Some(id) = &user.id
        {
            let of_user = Expr::col("user_id").eq(id.as_str());
            let delete = Query::delete().from_table("posts").and_where(of_user).to_owned();
            tx.execute(&delete).await?;
        }
        Ok(())
    }
}

async fn e51_a_hook_deletes_what_refers_to_a_user_in_the_same_transaction(db: DatabaseConnection) {
    migrate(&db).await.unwrap();
    let id = match db.get_database_backend() {
        DbBackend::MySql => "VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
        _ => "TEXT",
    };
    db.execute_unprepared(&format!(
        "CREATE TABLE posts (user_id {id} NOT NULL REFERENCES users (id), content TEXT)"
    ))
    .await
    .unwrap();
    let sink = SeaOrmSink::new(db.clone()).unwrap();
    let insert = "INSERT INTO posts VALUES ('user_1', 'x'), ('user_1', 'y'), ('user_2', 'z')";
    sink.ensure_user("user_1").await.unwrap();
    sink.ensure_user("user_2").await.unwrap();
    db.execute_unprepared(insert).await.unwrap();

    let service = builder(sink.clone().with_hook(DeletePosts)).build().unwrap();
    let delivery = signed("msg_1", &user_deleted("user_1")).into_request();
    assert_eq!(send(&service, delivery).await.status(), 204);
    assert_eq!((count(&db, "posts").await, count(&db, "users").await), (1, 1));
    assert_eq!(sink.user_status("user_1").await.unwrap(), UserStatus::Deleted);
    assert_eq!(sink.user_status("user_2").await.unwrap(), UserStatus::Active);
}

/// Writes down what it was told, in the transaction.
struct Diary;

impl InTransaction for Diary {
    async fn run(
        &self,
        tx: &DatabaseTransaction,
        delivery: &Delivery,
        outcome: Outcome,
    ) -> Result<(), DbErr> {
        let line = format!("{} {outcome:?}", delivery.event().kind());
        let mut insert = Query::insert();
        insert.into_table("diary").columns(["line"]).values_panic([line.into()]);
        tx.execute(&insert).await.map(drop)
    }
}

async fn a_hook_sees_every_delivery_but_repeated_ones(db: DatabaseConnection) {
    migrate(&db).await.unwrap();
    db.execute_unprepared("CREATE TABLE diary (line TEXT)").await.unwrap();
    // One diary after another: none takes the other's place.
    let sink = SeaOrmSink::new(db.clone()).unwrap().with_hook(Diary).with_hook(Diary);
    let service = builder(sink).build().unwrap();
    for (id, body) in [
        ("msg_1", user_updated("user_1", None, T)),
        ("msg_1", user_updated("user_1", None, T)),
        ("msg_2", user_updated("user_1", None, T - 1)),
        ("msg_3", json!({ "type": "session.created", "data": null })),
        ("msg_3", json!({ "type": "session.created", "data": null })),
        ("msg_4", user_deleted("user_1")),
        ("msg_5", user_deleted("user_1")),
    ] {
        assert_eq!(send(&service, signed(id, &body).into_request()).await.status(), 204);
    }
    let statement =
        Statement::from_string(db.get_database_backend(), "SELECT line FROM diary ORDER BY line");
    let lines: Vec<String> = db
        .query_all_raw(statement)
        .await
        .unwrap()
        .iter()
        .map(|row| row.try_get_by_index(0).unwrap())
        .collect();
    let expected = [
        "session.created Ignored",
        "user.deleted Applied(Deleted)",
        "user.deleted Stale",
        "user.updated Applied(Inserted)",
        "user.updated Stale",
    ];
    assert_eq!(lines, expected.map(|line| [line, line]).concat());
}

async fn fault_a7_a_closure_with_a_state_runs_in_the_transaction(db: DatabaseConnection) {
    migrate(&db).await.unwrap();
    db.execute_unprepared("CREATE TABLE diary (line TEXT)").await.unwrap();
    let refuses = Arc::new(AtomicBool::new(true));
    let hook = in_transaction_fn_with_state(
        Arc::clone(&refuses),
        async |refuses: Arc<AtomicBool>, tx: &DatabaseTransaction, delivery: Delivery, _| {
            let mut insert = Query::insert();
            insert.into_table("diary").columns(["line"]).values_panic([delivery.id().into()]);
            tx.execute(&insert).await?;
            match refuses.load(Ordering::SeqCst) {
                true => Err(DbErr::Custom("the application refuses".into())),
                false => Ok(()),
            }
        },
    );
    let sink = SeaOrmSink::new(db.clone()).unwrap().with_hook(hook);
    let service = builder(sink).build().unwrap();
    let delivery = || signed("msg_1", &user_created("user_1", None, T)).into_request();
    assert_eq!(send(&service, delivery()).await.status(), 503);
    assert_eq!((count(&db, "diary").await, count(&db, "users").await), (0, 0));
    refuses.store(false, Ordering::SeqCst);
    assert_eq!(send(&service, delivery()).await.status(), 204);
    assert_eq!((count(&db, "diary").await, count(&db, "users").await), (1, 1));
}

/// Holds its transaction open from the moment that it has said so until it is told to go on.
struct Hold {
    entered: Arc<Notify>,
    go_on: Arc<Notify>,
}

impl InTransaction for Hold {
    async fn run(&self, _: &DatabaseTransaction, _: &Delivery, _: Outcome) -> Result<(), DbErr> {
        self.entered.notify_one();
        self.go_on.notified().await;
        Ok(())
    }
}

/// On a server, until somebody waits for a lock. SQLite does not say; its writers wait for the
/// whole database, so that nothing can pass there anyway.
async fn somebody_waits(db: &DatabaseConnection) {
    let backend = db.get_database_backend();
    let sql = match backend {
        DbBackend::MySql => {
            "SELECT COUNT(*) FROM information_schema.innodb_trx JOIN information_schema.processlist \
             ON id = trx_mysql_thread_id WHERE db = DATABASE() AND trx_state = 'LOCK WAIT'"
        }
        DbBackend::Postgres => {
            "SELECT COUNT(*) FROM pg_stat_activity \
             WHERE datname = current_database() AND wait_event_type = 'Lock'"
        }
        _ => return,
    };
    // MySQL makes this table anew only when nobody has read it for a tenth of a second.
    let mut looks = tokio::time::interval(Duration::from_millis(150));
    for _ in 0..60 {
        looks.tick().await;
        let row = db.query_one_raw(Statement::from_string(backend, sql)).await.unwrap().unwrap();
        if row.try_get_by_index::<i64>(0).unwrap() > 0 {
            return;
        }
    }
    panic!("nobody waits");
}

async fn a_writer_waits_for_the_one_that_came_first_and_then_sees_what_it_did(
    db: DatabaseConnection,
) {
    migrate(&db).await.unwrap();
    let sink = SeaOrmSink::new(db.clone()).unwrap();
    let (entered, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let hold = Hold { entered: Arc::clone(&entered), go_on: Arc::clone(&go_on) };
    let held = builder(sink.clone().with_hook(hold)).build().unwrap();
    let free = builder(sink.clone()).build().unwrap();
    let newer = user_updated("user_1", Some("new@example.com"), T + 1);
    let older = user_updated("user_1", Some("old@example.com"), T);

    let post = |service: &WebhookService<SeaOrmSink>, id: &str, body: &Value| {
        let (service, delivery) = (service.clone(), signed(id, body));
        tokio::spawn(async move { send(&service, delivery.into_request()).await.status() })
    };
    let first = post(&held, "msg_1", &newer);
    entered.notified().await;
    let second = post(&free, "msg_2", &older);
    somebody_waits(&db).await;
    go_on.notify_one();
    assert_eq!((first.await.unwrap(), second.await.unwrap()), (204, 204));
    let user = sink.find_user("user_1").await.unwrap().unwrap();
    assert_eq!(user.email.as_deref(), Some("new@example.com"));

    // A request of a user whose deletion is under way, and who is not known yet.
    let first = post(&held, "msg_3", &user_deleted("user_2"));
    entered.notified().await;
    let ahead = sink.clone();
    let second = tokio::spawn(async move { ahead.ensure_user("user_2").await.unwrap() });
    somebody_waits(&db).await;
    go_on.notify_one();
    assert_eq!(first.await.unwrap(), 204);
    assert_eq!(second.await.unwrap(), UserStatus::Deleted);
    assert_eq!(sink.find_user("user_2").await.unwrap(), None);

    // The same delivery twice at once, and the first of the two fails.
    let first = post(&held, "msg_4", &user_updated("user_3", None, T));
    entered.notified().await;
    let second = post(&free, "msg_4", &user_updated("user_3", None, T));
    somebody_waits(&db).await;
    first.abort();
    assert_eq!(second.await.unwrap(), 204);
    assert_eq!(sink.user_status("user_3").await.unwrap(), UserStatus::Active);
}

async fn what_a_database_quotes_of_the_data_does_not_get_into_the_log(db: DatabaseConnection) {
    migrate(&db).await.unwrap();
    let on = match db.get_database_backend() {
        DbBackend::MySql => "email(100)",
        _ => "email",
    };
    db.execute_unprepared(&format!("CREATE UNIQUE INDEX u ON users ({on})")).await.unwrap();
    let service = builder(SeaOrmSink::new(db.clone()).unwrap()).build().unwrap();
    let body = |id: &str| user_created(id, Some("canary@example.com"), T);
    assert_eq!(send(&service, signed("msg_1", &body("user_1")).into_request()).await.status(), 204);
    let answer = send(&service, signed("msg_2", &body("user_2")).into_request()).await;
    assert_eq!(answer.status(), 500);
    let error = answer.parts.extensions.get::<DeliveryError>().unwrap();
    let (report, debug) = (error.report().to_string(), format!("{error:?}"));
    assert!(!report.contains("canary") && !debug.contains("canary"), "{report} {debug}");
    assert!(report.to_lowercase().contains("duplicate") || report.contains("UNIQUE"), "{report}");
}

async fn several_instances_may_migrate_at_once(db: DatabaseConnection) {
    let starting: Vec<_> = (0..8)
        .map(|_| {
            let db = db.clone();
            tokio::spawn(async move { migrate(&db).await })
        })
        .collect();
    for instance in starting {
        instance.await.unwrap().unwrap();
    }
    migrate(&db).await.unwrap();
    assert_eq!(count(&db, "users").await, 0);
    assert_eq!(count(&db, "clerk_migrations").await, migrations().len() as i64);
}

async fn the_migrations_fit_into_an_applications_own_list(db: DatabaseConnection) {
    use sea_orm_migration::{MigrationTrait, MigratorTrait};

    struct Application;

    impl MigratorTrait for Application {
        fn migrations() -> Vec<Box<dyn MigrationTrait>> {
            migrations()
        }
    }

    Application::up(&db, None).await.unwrap();
    assert_eq!(count(&db, "users").await, 0);
    assert_eq!(count(&db, "seaql_migrations").await, migrations().len() as i64);
    Application::down(&db, None).await.unwrap();
    migrate(&db).await.unwrap();
    assert_eq!(count(&db, "users").await, 0);
}

/// Gives each user a profile that refers to the user's row, unless it is told to fail.
#[derive(Clone, Default)]
struct Profiles {
    fails: Arc<AtomicBool>,
}

impl InTransaction for Profiles {
    async fn run(&self, _: &DatabaseTransaction, _: &Delivery, _: Outcome) -> Result<(), DbErr> {
        Ok(())
    }

    async fn ensured(&self, tx: &DatabaseTransaction, user_id: &str) -> Result<(), DbErr> {
        let mut insert = Query::insert();
        insert.into_table("profiles").columns(["user_id"]).values_panic([user_id.into()]);
        tx.execute(&insert).await?;
        match self.fails.load(Ordering::SeqCst) {
            true => Err(DbErr::Custom("the application refuses".into())),
            false => Ok(()),
        }
    }
}

async fn fault_a3_a_hook_is_told_of_a_user_who_was_given_a_row(db: DatabaseConnection) {
    migrate(&db).await.unwrap();
    let id = match db.get_database_backend() {
        DbBackend::MySql => "VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
        _ => "TEXT",
    };
    let create = format!("CREATE TABLE profiles (user_id {id} NOT NULL REFERENCES users (id))");
    db.execute_unprepared(&create).await.unwrap();
    let hook = Profiles::default();
    // In an `Arc`, as hooks that several sinks share are.
    let sink = SeaOrmSink::new(db.clone()).unwrap().with_hook(Arc::new(hook.clone()));

    hook.fails.store(true, Ordering::SeqCst);
    assert!(sink.ensure_user("user_1").await.is_err());
    assert_eq!((count(&db, "users").await, count(&db, "profiles").await), (0, 0));
    hook.fails.store(false, Ordering::SeqCst);

    // Many requests of one user at once make one row, and the next makes none.
    let at_once = (0..6).map(|_| {
        let sink = sink.clone();
        tokio::spawn(async move { sink.ensure_user("user_1").await })
    });
    for request in at_once.collect::<Vec<_>>() {
        assert_eq!(request.await.unwrap().unwrap(), UserStatus::Active);
    }
    assert_eq!(sink.ensure_user("user_1").await.unwrap(), UserStatus::Active);
    assert_eq!((count(&db, "users").await, count(&db, "profiles").await), (1, 1));

    // A user whom Clerk's event named first is not given a row, and a deleted one never is.
    let service = builder(sink.clone()).build().unwrap();
    for body in [user_created("user_2", None, T), user_deleted("user_3")] {
        let id = body["data"]["id"].as_str().unwrap();
        assert_eq!(send(&service, signed(id, &body).into_request()).await.status(), 204);
    }
    assert_eq!(sink.ensure_user("user_2").await.unwrap(), UserStatus::Active);
    assert_eq!(sink.ensure_user("user_3").await.unwrap(), UserStatus::Deleted);
    assert_eq!(count(&db, "profiles").await, 1);
}
