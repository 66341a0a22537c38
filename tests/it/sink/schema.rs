//! Tables by other names, deleted users who are marked, and columns of an application's own. Tables
//! that were there before are in `sink_fit`.

use std::sync::Arc;

use sea_orm::prelude::DateTimeUtc;
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, QueryResult,
    Statement, TransactionTrait,
};
use serde_json::json;
use tower_clerk::sea_orm::{Deletion, Schema, SeaOrmSink, UserStatus, migrate};
use tower_clerk::test_util::{ManualClock, user_created, user_deleted, user_updated};

use crate::support::database::{count, on_each_database};
use crate::support::delivery::NOW;
use crate::support::servers::eventually;
use crate::support::sink_service::Server;

on_each_database!(
    the_table_of_users_may_have_another_name,
    two_schemas_in_one_database_share_nothing,
    a_marked_user_keeps_the_row_and_stays_deleted,
    a_users_row_fills_an_applications_own_columns,
    fault_s17_times_after_2038_are_kept,
    an_own_column_may_be_of_an_enum,
    a_choice_that_wants_a_column_says_so_and_adds_none,
    several_instances_may_make_organizations_at_once,
    organizations_may_be_switched_off_and_on_again,
    other_tables_of_users_or_organizations_do_not_share_what_is_known_of_the_first,
    schemas_with_long_names_are_told_apart,
    a_migration_waits_for_another_one_longer_than_a_statement_may_last,
);

const T: i64 = 1_649_360_000_000;

pub(crate) async fn row(db: &DatabaseConnection, sql: &str) -> QueryResult {
    let statement = Statement::from_string(db.get_database_backend(), sql);
    db.query_one_raw(statement).await.unwrap().unwrap()
}

async fn the_table_of_users_may_have_another_name(db: DatabaseConnection) {
    let server = Server::start_with(db.clone(), Schema::new().users_table("Odd \" people")).await;
    server.post_new(&user_created("user_1", Some("ann@example.com"), T)).await;
    server.post_new(&user_created("user_2", None, T)).await;
    server.post_new(&user_deleted("user_2")).await;
    assert_eq!(server.email("user_1").await.as_deref(), Some("ann@example.com"));
    assert_eq!(server.sink.find_user("user_2").await.unwrap(), None);
    assert_eq!(server.sink.ensure_user("user_3").await.unwrap(), UserStatus::Active);
    let table = match db.get_database_backend() {
        DbBackend::MySql => "`Odd \" people`",
        _ => "\"Odd \"\" people\"",
    };
    assert_eq!(count(&db, table).await, 2);
    assert!(db.execute_unprepared("SELECT 1 FROM users").await.is_err());
}

async fn two_schemas_in_one_database_share_nothing(db: DatabaseConnection) {
    let other = match db.get_database_backend() {
        DbBackend::MySql => {
            let name: String = row(&db, "SELECT DATABASE()").await.try_get_by_index(0).unwrap();
            format!("{name}_other")
        }
        DbBackend::Postgres => "other".to_owned(),
        // An attached file is one connection's: the schema of SQLite's own is enough.
        _ => "main".to_owned(),
    };
    if other != "main" {
        db.execute_unprepared(&format!("CREATE SCHEMA {other}")).await.unwrap();
        Server::start(db.clone()).await.post_new(&user_created("user_1", None, T)).await;
    }
    let schema = Schema::new().in_schema(&*other).with_organizations();
    let server = Server::start_with(db.clone(), schema.clone()).await;
    assert_eq!(server.sink.user_status("user_1").await.unwrap(), UserStatus::Unknown);
    // The same id of a delivery, which is another one here.
    server.post("msg_1", &user_created("user_1", Some("ann@example.com"), T)).await;
    server.post_new(&user_updated("user_1", Some("new@example.com"), T + 1)).await;
    server.post_new(&user_deleted("user_2")).await;
    assert_eq!(server.email("user_1").await.as_deref(), Some("new@example.com"));
    assert_eq!(count(&db, &format!("{other}.users")).await, 1);
    assert_eq!(count(&db, &format!("{other}.organizations")).await, 0);
    schema.migrate(&db).await.unwrap();
    schema.check(&db).await.unwrap();
    if other != "main" {
        assert_eq!(count(&db, "users").await, 1);
        assert_eq!(count(&db, "clerk_deliveries").await, 1);
    }
    if db.get_database_backend() == DbBackend::MySql {
        db.execute_unprepared(&format!("DROP SCHEMA {other}")).await.unwrap();
    }
}

async fn a_marked_user_keeps_the_row_and_stays_deleted(db: DatabaseConnection) {
    let schema = Schema::new().on_deletion(Deletion::Mark).with_organizations();
    let server = Server::start_with(db.clone(), schema).await;
    server.post_new(&user_created("user_1", Some("ann@example.com"), T)).await;
    server.post_new(&user_created("user_2", Some("bob@example.com"), T)).await;
    server.post_new(&user_deleted("user_1")).await;
    server.post_new(&user_deleted("user_1")).await;
    server.post_new(&user_deleted("user_unknown")).await;
    server.post_new(&user_updated("user_1", Some("late@example.com"), T + 1)).await;

    let deleted = row(&db, "SELECT email, deleted_at FROM users WHERE id = 'user_1'").await;
    assert_eq!(deleted.try_get_by_index::<String>(0).unwrap(), "ann@example.com");
    let at: sea_orm::prelude::DateTimeUtc = deleted.try_get_by_index(1).unwrap();
    assert_eq!(at.timestamp(), NOW.cast_signed());
    let living = row(&db, "SELECT COUNT(*) FROM users WHERE deleted_at IS NULL").await;
    assert_eq!(living.try_get_by_index::<i64>(0).unwrap(), 1);

    assert_eq!(server.sink.find_user("user_1").await.unwrap(), None);
    assert_eq!(server.sink.user_status("user_1").await.unwrap(), UserStatus::Deleted);
    assert_eq!(server.sink.ensure_user("user_1").await.unwrap(), UserStatus::Deleted);
    assert_eq!(server.email("user_2").await.as_deref(), Some("bob@example.com"));
}

async fn a_users_row_fills_an_applications_own_columns(db: DatabaseConnection) {
    let schema = Schema::new()
        .user_column("locale", |user| user.locale.clone().into())
        .user_column("is_banned", |user| user.banned.unwrap_or_default().into());
    // The application's own migration comes after the crate's.
    schema.migrate(&db).await.unwrap();
    let refusal = schema.check(&db).await.unwrap_err().to_string();
    assert!(refusal.contains("`locale` is missing"), "{refusal}");
    for column in ["locale VARCHAR(9)", "is_banned BOOLEAN", "note VARCHAR(9) DEFAULT 'mine'"] {
        db.execute_unprepared(&format!("ALTER TABLE users ADD COLUMN {column}")).await.unwrap();
    }
    schema.check(&db).await.unwrap();
    let server = Server::start_with(db.clone(), schema).await;
    server.sink.ensure_user("user_1").await.unwrap();
    let mut body = user_created("user_1", None, T);
    body["data"]["locale"] = json!("en\0-GB");
    server.post_new(&body).await;
    body["type"] = json!("user.updated");
    body["data"]["banned"] = json!(true);
    body["data"]["updated_at"] = json!(T + 1);
    server.post_new(&body).await;
    let row = row(&db, "SELECT locale, is_banned, note FROM users").await;
    assert_eq!(row.try_get_by_index::<String>(0).unwrap(), "en-GB");
    assert!(row.try_get_by_index::<bool>(1).unwrap());
    assert_eq!(row.try_get_by_index::<String>(2).unwrap(), "mine");
}

async fn fault_s17_times_after_2038_are_kept(db: DatabaseConnection) {
    migrate(&db).await.unwrap();
    let (its_type, zoned) = match db.get_database_backend() {
        DbBackend::MySql => ("DATETIME(6)", "DATETIME(6)"),
        DbBackend::Postgres => ("TIMESTAMPTZ", "TIMESTAMPTZ"),
        _ => ("TEXT", "TEXT"),
    };
    for column in [format!("paid_until {its_type}"), format!("asked_at {zoned}")] {
        db.execute_unprepared(&format!("ALTER TABLE users ADD COLUMN {column}")).await.unwrap();
    }
    let later = DateTimeUtc::from_timestamp_secs(2_500_000_000).unwrap();
    let schema = Schema::new()
        .user_column("paid_until", move |_| later.into())
        .user_column("asked_at", move |_| later.fixed_offset().into());
    let server = Server::start_with(db.clone(), schema).await;
    server.post_new(&user_created("user_1", None, T)).await;
    let select = "SELECT paid_until, asked_at FROM users WHERE id = 'user_1'";
    let found = row(&db, select).await;
    for column in [0, 1] {
        let kept: DateTimeUtc = found.try_get_by_index(column).unwrap();
        assert_eq!(kept, later, "{column}");
    }

    let clock = ManualClock::new();
    clock.set_wall(later.into());
    let sink = server.sink.clone().clock(Arc::new(clock));
    assert_eq!(sink.ensure_user("user_2").await.unwrap(), UserStatus::Active);
    assert_eq!(sink.find_user("user_2").await.unwrap().unwrap().created_at, later);
}

async fn an_own_column_may_be_of_an_enum(db: DatabaseConnection) {
    use sea_orm::Value;
    use sea_orm::sea_query::{Enum, OptionEnum};

    let schema = Schema::new().user_column("mood", |user| {
        let mood = if user.banned == Some(true) { "grim" } else { "gay" };
        let (type_name, value) = ("mood".into(), mood.into());
        Value::Enum(OptionEnum::Some(Box::new(Enum { type_name, value })))
    });
    schema.migrate(&db).await.unwrap();
    let (made, kind) = match db.get_database_backend() {
        DbBackend::Postgres => (Some("CREATE TYPE mood AS ENUM ('gay', 'grim')"), "mood"),
        DbBackend::MySql => (None, "ENUM ('gay', 'grim')"),
        _ => (None, "TEXT"),
    };
    if let Some(made) = made {
        db.execute_unprepared(made).await.unwrap();
    }
    db.execute_unprepared(&format!("ALTER TABLE users ADD COLUMN mood {kind}")).await.unwrap();
    let server = Server::start_with(db.clone(), schema).await;
    let mut body = user_created("user_1", None, T);
    server.post_new(&body).await;
    body["type"] = json!("user.updated");
    body["data"]["banned"] = json!(true);
    body["data"]["updated_at"] = json!(T + 1);
    server.post_new(&body).await;
    assert_eq!(count(&db, "users WHERE mood = 'grim'").await, 1);
}

async fn a_choice_that_wants_a_column_says_so_and_adds_none(db: DatabaseConnection) {
    migrate(&db).await.unwrap();
    let marking = Schema::new().on_deletion(Deletion::Mark);
    let refusal = marking.migrate(&db).await.unwrap_err().to_string();
    assert!(refusal.contains("`deleted_at` is missing: ALTER TABLE"), "{refusal}");
    let (_, remedy) = refusal.trim().split_once(": ALTER").unwrap();
    db.execute_unprepared(&format!("ALTER{remedy}")).await.unwrap();
    marking.migrate(&db).await.unwrap();
    let server = Server::start_with(db, marking).await;
    server.post_new(&user_created("user_1", None, T)).await;
    server.post_new(&user_deleted("user_1")).await;
    assert_eq!(server.sink.find_user("user_1").await.unwrap(), None);
}

async fn several_instances_may_make_organizations_at_once(db: DatabaseConnection) {
    migrate(&db).await.unwrap();
    let schema = Schema::new().with_organizations();
    let starting: Vec<_> = (0..3)
        .map(|_| {
            let (db, schema) = (db.clone(), schema.clone());
            tokio::spawn(async move { schema.migrate(&db).await })
        })
        .collect();
    for instance in starting {
        instance.await.unwrap().unwrap();
    }
    assert_eq!(count(&db, "organization_memberships").await, 0);
}

/// On servers; SQLite waits for everything as long as its driver is told.
async fn a_migration_waits_for_another_one_longer_than_a_statement_may_last(
    db: DatabaseConnection,
) {
    let backend = db.get_database_backend();
    let (variable, limit, hold, waited) = match backend {
        DbBackend::MySql => (
            "TEST_MYSQL_URL",
            "SET SESSION lock_wait_timeout = 1 /*M!100101 , SESSION max_statement_time = 1 */",
            "DO GET_LOCK(CONCAT('tower_clerk_', MD5(DATABASE())), 0)",
            "SELECT COUNT(*) FROM information_schema.processlist \
             WHERE db = DATABASE() AND state = 'User lock' AND time >= 2",
        ),
        DbBackend::Postgres => (
            "TEST_POSTGRES_URL",
            "SET lock_timeout = '1s'; SET statement_timeout = '1s'",
            "SELECT pg_advisory_xact_lock(7164212649341711731)",
            "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() \
             AND wait_event_type = 'Lock' AND clock_timestamp() - query_start > '1500ms'",
        ),
        _ => return,
    };
    let name = if backend == DbBackend::MySql { "DATABASE()" } else { "current_database()::text" };
    let name: String = row(&db, &format!("SELECT {name}")).await.try_get_by_index(0).unwrap();
    let server = std::env::var(variable).unwrap();
    let (address, _) = server.rsplit_once('/').unwrap();
    let mut options = ConnectOptions::new(format!("{address}/{name}"));
    options.max_connections(1).sqlx_logging(false);
    let limited = Database::connect(options).await.unwrap();
    limited.execute_unprepared(limit).await.unwrap();

    let other = db.begin().await.unwrap();
    other.execute_unprepared(hold).await.unwrap();
    let waits = tokio::spawn(async move { migrate(&limited).await });
    let long_enough = async || row(&db, waited).await.try_get_by_index::<i64>(0).unwrap() == 1;
    eventually(long_enough).await;
    if backend == DbBackend::MySql {
        other.execute_unprepared("DO RELEASE_ALL_LOCKS()").await.unwrap();
    }
    other.rollback().await.unwrap();
    waits.await.unwrap().unwrap();
}

async fn organizations_may_be_switched_off_and_on_again(db: DatabaseConnection) {
    let on = Schema::new().with_organizations();
    for schema in [&on, &Schema::new(), &on] {
        schema.migrate(&db).await.unwrap();
        schema.check(&db).await.unwrap();
    }
}

async fn other_tables_of_users_or_organizations_do_not_share_what_is_known_of_the_first(
    db: DatabaseConnection,
) {
    migrate(&db).await.unwrap();
    let other = Schema::new().users_table("people");
    for _ in 0..2 {
        let refusal = other.migrate(&db).await.unwrap_err().to_string();
        assert!(refusal.contains("_as_people"), "{refusal}");
        assert!(refusal.contains("users_table") && refusal.contains("in_schema"), "{refusal}");
    }
    assert!(db.execute_unprepared("SELECT 1 FROM people").await.is_err());
    Schema::new().with_organizations().migrate(&db).await.unwrap();
    let other = Schema::new().with_organizations_in("teams", "team_members");
    let refusal = other.migrate(&db).await.unwrap_err().to_string();
    assert!(refusal.contains("with_organizations_in"), "{refusal}");
    migrate(&db).await.unwrap();
}

async fn schemas_with_long_names_are_told_apart(db: DatabaseConnection) {
    if db.get_database_backend() == DbBackend::Sqlite {
        return;
    }
    let own = if db.get_database_backend() == DbBackend::MySql { "DATABASE()" } else { "'s'" };
    let own: String = row(&db, &format!("SELECT {own}")).await.try_get_by_index(0).unwrap();
    // As long as names may be, and the same but for the last letter.
    for last in ["a", "b"] {
        let name = format!("{own:x<62}{last}");
        db.execute_unprepared(&format!("CREATE SCHEMA {name}")).await.unwrap();
        let schema = Schema::new().in_schema(&*name).with_organizations();
        for _ in 0..2 {
            schema.migrate(&db).await.unwrap();
        }
        let server = Server::on(SeaOrmSink::with_schema(db.clone(), schema).unwrap());
        server.post_new(&user_created("user_1", None, T)).await;
        assert_eq!(count(&db, &format!("{name}.users")).await, 1);
        if db.get_database_backend() == DbBackend::MySql {
            db.execute_unprepared(&format!("DROP SCHEMA {name}")).await.unwrap();
        }
    }
}
