//! Tables of users with a key of the application's own, and with names of its own for what the sink
//! keeps.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::UNIX_EPOCH;

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend};
use serde_json::json;
use tower_clerk::clock::{Clock, SystemClock};
use tower_clerk::sea_orm::{Deletion, Schema, UserStatus, user};
use tower_clerk::test_util::{user_created, user_deleted, user_updated};

use crate::backfill::api::{ClerkApi, user as listed, users};
use crate::sink::backfill::backfill;
use crate::sink::schema::row;
use crate::support::database::{count, on_each_database};
use crate::support::servers::within;
use crate::support::sink_service::Server;

on_each_database!(
    fault_s22_a_table_with_its_own_key_is_kept,
    fault_s22_a_function_makes_the_key_of_each_new_row,
    fault_s22_a_marked_user_of_a_mapped_table_is_revived,
    fault_s22_a_mapped_row_that_a_foreign_key_holds_is_emptied,
    fault_s22_memberships_refer_to_clerks_id,
    fault_s22_a_backfill_fills_and_cleans_a_mapped_table,
    fault_s22_without_times_of_creation_nobody_of_the_last_hour_is_removed,
    fault_s22_a_table_of_ids_alone_is_kept,
    fault_s22_the_documented_tables_are_kept,
);

const T: i64 = 1_649_360_000_000;

/// A table that an application made for itself: with a key of its own, other names for what the sink
/// keeps, none for the picture, and columns that are the application's alone.
pub(super) fn people(backend: DbBackend) -> String {
    let (key, id, text, time) = types(backend);
    format!(
        "CREATE TABLE people (id {key}, clerk_id {id} NOT NULL UNIQUE, mail {text}, \
         first_name {text}, last_name {text}, handle {text}, joined_at {time} NOT NULL, \
         updated_at {time} NOT NULL, plan VARCHAR(9) NOT NULL DEFAULT 'free', \
         referral VARCHAR(9) UNIQUE)"
    )
}

/// The types of a key that makes itself, of Clerk's id, of a text and of a time.
pub(super) fn types(
    backend: DbBackend,
) -> (&'static str, &'static str, &'static str, &'static str) {
    match backend {
        DbBackend::MySql => (
            "CHAR(36) PRIMARY KEY DEFAULT (UUID())",
            "VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
            "MEDIUMTEXT CHARACTER SET utf8mb4",
            "DATETIME(6)",
        ),
        DbBackend::Postgres => {
            ("uuid PRIMARY KEY DEFAULT gen_random_uuid()", "text", "text", "timestamptz")
        }
        _ => ("TEXT PRIMARY KEY DEFAULT (lower(hex(randomblob(16))))", "TEXT", "TEXT", "TEXT"),
    }
}

/// What the sink is told of that table.
pub(super) fn mapped() -> Schema {
    Schema::new()
        .users_table("people")
        .user_column_named(user::Column::Id, "clerk_id")
        .user_column_named(user::Column::Email, "mail")
        .user_column_named(user::Column::Username, "handle")
        .user_column_named(user::Column::CreatedAt, "joined_at")
        .without_user_column(user::Column::ImageUrl)
}

async fn start(db: &DatabaseConnection, schema: Schema) -> Server {
    db.execute_unprepared(&people(db.get_database_backend())).await.unwrap();
    let server = Server::start_with(db.clone(), schema.clone()).await;
    schema.check(db).await.unwrap();
    server
}

/// The application's own key of a user, as text.
async fn own_key(db: &DatabaseConnection, user: &str) -> String {
    let text = match db.get_database_backend() {
        DbBackend::MySql => "CAST(id AS CHAR)",
        _ => "CAST(id AS TEXT)",
    };
    let select = format!("SELECT {text} FROM people WHERE clerk_id = '{user}'");
    row(db, &select).await.try_get_by_index(0).unwrap()
}

async fn fault_s22_a_table_with_its_own_key_is_kept(db: DatabaseConnection) {
    let server = start(&db, mapped()).await;
    assert_eq!(server.sink.ensure_user("user_1").await.unwrap(), UserStatus::Active);
    assert_eq!(server.sink.ensure_user("user_1").await.unwrap(), UserStatus::Active);
    let key = own_key(&db, "user_1").await;
    assert!(key.len() >= 32, "{key}");
    db.execute_unprepared("UPDATE people SET plan = 'paid', referral = 'r1'").await.unwrap();
    let mut created = user_created("user_1", Some("ann@example.com"), T);
    created["data"]["username"] = json!("ann");
    server.post("msg_1", &created).await;
    server.post("msg_1", &user_created("user_1", Some("other@example.com"), T + 9)).await;
    server.post_new(&user_created("user_2", Some("ann@example.com"), T)).await;
    server.post_new(&user_updated("user_1", Some("new@example.com"), T + 2)).await;
    server.post_new(&user_updated("user_1", Some("late@example.com"), T + 1)).await;
    assert_eq!(own_key(&db, "user_1").await, key, "the application's key stays");
    assert_ne!(own_key(&db, "user_2").await, key);
    let kept = "people WHERE mail = 'new@example.com' AND plan = 'paid' AND referral = 'r1'";
    assert_eq!((count(&db, kept).await, count(&db, "people").await), (1, 2));

    let found = server.sink.find_user("user_1").await.unwrap().unwrap();
    assert_eq!((&*found.id, found.email.as_deref()), ("user_1", Some("new@example.com")));
    assert_eq!((found.username, found.image_url), (None, None));
    assert_eq!(found.created_at.timestamp_millis(), T + 2);
    assert_eq!(found.updated_at.timestamp_millis(), T + 2);
    assert_eq!(server.sink.user_status("user_2").await.unwrap(), UserStatus::Active);

    server.post_new(&user_deleted("user_1")).await;
    server.post_new(&user_updated("user_1", Some("late@example.com"), T + 99)).await;
    assert_eq!(server.sink.user_status("user_1").await.unwrap(), UserStatus::Deleted);
    assert_eq!(server.sink.find_user("user_1").await.unwrap(), None);
    assert_eq!(count(&db, "people").await, 1);
    mapped().migrate(&db).await.unwrap();
}

async fn fault_s22_a_function_makes_the_key_of_each_new_row(db: DatabaseConnection) {
    let made = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&made);
    let schema = mapped().own_key("id", move |user_id| {
        format!("{}_{user_id}", counter.fetch_add(1, Ordering::SeqCst)).into()
    });
    let (key, id, ..) = types(db.get_database_backend());
    let table = people(db.get_database_backend());
    let table = table.replace(key, &format!("{id} NOT NULL PRIMARY KEY"));
    db.execute_unprepared(&table).await.unwrap();
    let refusal = mapped().migrate(&db).await.unwrap_err().to_string();
    assert!(refusal.contains("`id` is required and has no default"), "{refusal}");
    let server = Server::start_with(db.clone(), schema.clone()).await;
    schema.check(&db).await.unwrap();
    server.sink.ensure_user("user_1").await.unwrap();
    let key = own_key(&db, "user_1").await;
    assert!(key.ends_with("_user_1"), "{key}");
    server.post_new(&user_created("user_1", Some("ann@example.com"), T)).await;
    server.post_new(&user_created("user_2", Some("bob@example.com"), T)).await;
    server.post_new(&user_updated("user_2", Some("new@example.com"), T + 1)).await;
    let api = ClerkApi::start(users(9)).await;
    within(backfill(&api, &server.sink).run()).await.unwrap();
    within(backfill(&api, &server.sink).rewrite().run()).await.unwrap();
    assert_eq!(own_key(&db, "user_1").await, key);
    assert!(own_key(&db, "user_09").await.ends_with("_user_09"));
    assert_eq!(server.email("user_2").await.as_deref(), Some("new@example.com"));
    assert_eq!(count(&db, "people").await, 11);
}

async fn fault_s22_a_marked_user_of_a_mapped_table_is_revived(db: DatabaseConnection) {
    let schema = mapped().on_deletion(Deletion::Mark).deleted_at_column("left_at");
    db.execute_unprepared(&people(db.get_database_backend())).await.unwrap();
    let refusal = schema.migrate(&db).await.unwrap_err().to_string();
    assert!(refusal.contains("`left_at` is missing: ALTER TABLE"), "{refusal}");
    let (.., time) = types(db.get_database_backend());
    let add = format!("ALTER TABLE people ADD COLUMN left_at {time}");
    db.execute_unprepared(&add).await.unwrap();
    let server = Server::start_with(db.clone(), schema).await;
    server.post_new(&user_created("user_1", Some("ann@example.com"), T)).await;
    let key = own_key(&db, "user_1").await;
    server.post_new(&user_deleted("user_1")).await;
    let gone = "people WHERE left_at IS NOT NULL AND mail = 'ann@example.com'";
    assert_eq!(count(&db, gone).await, 1);
    assert_eq!(server.sink.find_user("user_1").await.unwrap(), None);
    assert_eq!(server.sink.ensure_user("user_1").await.unwrap(), UserStatus::Deleted);
    assert!(server.sink.revive("user_1").await.unwrap());
    assert_eq!(count(&db, "people WHERE left_at IS NULL").await, 1);
    server.post_new(&user_updated("user_1", Some("back@example.com"), T + 1)).await;
    assert_eq!(server.email("user_1").await.as_deref(), Some("back@example.com"));
    assert_eq!(own_key(&db, "user_1").await, key);
}

async fn fault_s22_a_mapped_row_that_a_foreign_key_holds_is_emptied(db: DatabaseConnection) {
    let server = start(&db, mapped()).await;
    for user in ["user_held", "user_free"] {
        server.post_new(&user_created(user, Some("ann@example.com"), T)).await;
    }
    let (key, ..) = types(db.get_database_backend());
    let key = key.split_once(' ').unwrap().0;
    // By the application's key, as its tables do.
    let refer =
        format!("CREATE TABLE invoices (of_id {key}, FOREIGN KEY (of_id) REFERENCES people (id))");
    db.execute_unprepared(&refer).await.unwrap();
    let hold = "INSERT INTO invoices SELECT id FROM people WHERE clerk_id = 'user_held'";
    db.execute_unprepared(hold).await.unwrap();
    for user in ["user_held", "user_free"] {
        server.post_new(&user_deleted(user)).await;
        assert_eq!(server.sink.user_status(user).await.unwrap(), UserStatus::Deleted);
    }
    let emptied = "people WHERE clerk_id = 'user_held' AND mail IS NULL AND plan = 'free'";
    assert_eq!((count(&db, "people").await, count(&db, emptied).await), (1, 1));
}

async fn fault_s22_memberships_refer_to_clerks_id(db: DatabaseConnection) {
    let server = start(&db, mapped().with_organizations()).await;
    let membership = json!({ "type": "organizationMembership.created", "data": {
        "id": "orgmem_1", "role": "org:admin", "updated_at": T,
        "organization": { "id": "org_1", "name": "Acme", "updated_at": T },
        "public_user_data": { "user_id": "user_1" },
    }});
    server.post_new(&membership).await;
    let joined = "organization_memberships m JOIN people p ON p.clerk_id = m.user_id";
    assert_eq!(count(&db, joined).await, 1);
    server.post_new(&user_created("user_1", Some("ann@example.com"), T)).await;
    assert_eq!(server.email("user_1").await.as_deref(), Some("ann@example.com"));
    server.post_new(&user_deleted("user_1")).await;
    assert_eq!(count(&db, "organization_memberships").await, 0);
    assert_eq!(count(&db, "people").await, 0);
}

async fn fault_s22_a_backfill_fills_and_cleans_a_mapped_table(db: DatabaseConnection) {
    let api = ClerkApi::start(users(6)).await;
    let server = start(&db, mapped()).await;
    server.post_new(&user_updated("user_01", Some("newer@example.com"), 5000)).await;
    server.sink.ensure_user("user_02").await.unwrap();
    server.post_new(&user_deleted("user_03")).await;
    let report = within(backfill(&api, &server.sink).run()).await.unwrap();
    assert_eq!((report.users, report.written, report.unchanged), (6, 4, 2));
    let key = own_key(&db, "user_02").await;

    // Of a removed row, a row that differs, and a user whom Clerk lists again.
    db.execute_unprepared("DELETE FROM people WHERE clerk_id = 'user_05'").await.unwrap();
    api.handle()(&|clerk| {
        clerk.users[1]["first_name"] = json!("Bea");
        clerk.users[1]["updated_at"] = json!(50_000);
    });
    let drift = within(backfill(&api, &server.sink).dry_run()).await.unwrap();
    assert_eq!(drift.missing.examples, ["user_05"]);
    assert_eq!(drift.outdated.examples, ["user_02"]);
    assert_eq!(drift.deleted.examples, ["user_03"]);
    within(backfill(&api, &server.sink).run()).await.unwrap();
    assert_eq!(count(&db, "people WHERE first_name = 'Bea'").await, 1);
    assert_eq!(own_key(&db, "user_02").await, key);

    db.execute_unprepared("UPDATE people SET mail = NULL").await.unwrap();
    within(backfill(&api, &server.sink).rewrite().run()).await.unwrap();
    assert_eq!(server.email("user_06").await.as_deref(), Some("user_06@example.com"));

    api.deletes("user_06");
    let removed = within(backfill(&api, &server.sink).remove_gone(1)).await.unwrap();
    assert_eq!(removed.removed, 1);
    assert_eq!(server.sink.user_status("user_06").await.unwrap(), UserStatus::Deleted);
    assert_eq!(count(&db, "people").await, 4);
}

async fn fault_s22_without_times_of_creation_nobody_of_the_last_hour_is_removed(
    db: DatabaseConnection,
) {
    let now = SystemClock::new().now().duration_since(UNIX_EPOCH).unwrap();
    let minutes_ago = |minutes: i64| i64::try_from(now.as_millis()).unwrap() - minutes * 60_000;
    let mut all = users(2);
    all.push(listed("user_old", minutes_ago(70)));
    all.push(listed("user_young", minutes_ago(50)));
    let api = ClerkApi::start(all).await;
    let (key, id, ..) = types(db.get_database_backend());
    let table = format!("CREATE TABLE people (id {key}, clerk_id {id} NOT NULL UNIQUE)");
    db.execute_unprepared(&table).await.unwrap();
    let server = Server::start_with(db.clone(), ids_alone()).await;
    let sink = server.sink.clone().clock(Arc::new(SystemClock::new()));
    within(backfill(&api, &sink).run()).await.unwrap();
    for id in ["user_old", "user_young"] {
        api.deletes(id);
    }
    sink.ensure_user("user_ahead").await.unwrap();
    let gone = within(backfill(&api, &sink).dry_run()).await.unwrap().gone.unwrap();
    assert_eq!(gone.examples, ["user_old"]);
    assert_eq!(within(backfill(&api, &sink).remove_gone(1)).await.unwrap().removed, 1);
    assert_eq!(sink.user_status("user_ahead").await.unwrap(), UserStatus::Active);
    assert_eq!(count(&db, "people").await, 4);
}

/// Of a table that keeps nothing but who is there.
fn ids_alone() -> Schema {
    use user::Column;
    let schema = Schema::new().users_table("people").user_column_named(Column::Id, "clerk_id");
    [
        Column::Email,
        Column::FirstName,
        Column::LastName,
        Column::Username,
        Column::ImageUrl,
        Column::CreatedAt,
        Column::UpdatedAt,
    ]
    .into_iter()
    .fold(schema, Schema::without_user_column)
}

async fn fault_s22_a_table_of_ids_alone_is_kept(db: DatabaseConnection) {
    let (key, id, ..) = types(db.get_database_backend());
    let table = format!("CREATE TABLE people (id {key}, clerk_id {id} UNIQUE)");
    db.execute_unprepared(&table).await.unwrap();
    // Somebody who is not at Clerk.
    let insert = match db.get_database_backend() {
        DbBackend::MySql => "INSERT INTO people () VALUES ()",
        _ => "INSERT INTO people DEFAULT VALUES",
    };
    db.execute_unprepared(insert).await.unwrap();
    let server = Server::start_with(db.clone(), ids_alone()).await;
    for user in ["user_1", "user_2", "user_1"] {
        server.sink.ensure_user(user).await.unwrap();
    }
    let key = own_key(&db, "user_1").await;
    for n in 0..3 {
        server.post_new(&user_updated("user_1", Some("ann@example.com"), T + n)).await;
    }
    server.post_new(&user_created("user_3", Some("ann@example.com"), T)).await;
    let api = ClerkApi::start(users(5)).await;
    within(backfill(&api, &server.sink).run()).await.unwrap();
    within(backfill(&api, &server.sink).rewrite().run()).await.unwrap();
    assert_eq!(own_key(&db, "user_1").await, key);
    let found = server.sink.find_user("user_1").await.unwrap().unwrap();
    assert_eq!((found.email, found.created_at.timestamp_millis()), (None, 0));
    assert_eq!(found.updated_at.timestamp_millis(), 0);
    server.post_new(&user_deleted("user_1")).await;
    assert_eq!(count(&db, "people").await, 1 + 7);
}

/// The tables of the documentation, as it has them. They are PostgreSQL's.
async fn fault_s22_the_documented_tables_are_kept(db: DatabaseConnection) {
    if db.get_database_backend() != DbBackend::Postgres {
        return;
    }
    let text = include_str!("../../../src/docs/existing_table.md");
    let documented: Vec<&str> =
        text.split("```sql\n").skip(1).map(|rest| rest.split_once("```").unwrap().0).collect();
    let schemas = [
        Schema::new().user_column_named(user::Column::Id, "clerk_id"),
        Schema::new()
            .in_schema("crm")
            .users_table("app_user")
            .user_column_named(user::Column::Id, "clerk_id")
            .user_column_named(user::Column::Email, "email_address")
            .user_column_named(user::Column::CreatedAt, "registered_at")
            .without_user_column(user::Column::Username)
            .without_user_column(user::Column::ImageUrl)
            .own_key("app_user_id", |user_id| format!("u_{user_id}").into()),
    ];
    assert_eq!(documented.len(), schemas.len());
    for (table, (schema, name)) in
        documented.into_iter().zip(schemas.into_iter().zip(["users", "crm.app_user"]))
    {
        db.execute_unprepared(table).await.unwrap();
        let server = Server::start_with(db.clone(), schema.clone()).await;
        schema.check(&db).await.unwrap();
        server.sink.ensure_user("user_1").await.unwrap();
        server.post_new(&user_created("user_1", Some("ann@example.com"), T)).await;
        server.post_new(&user_created("user_2", None, T)).await;
        server.post_new(&user_deleted("user_2")).await;
        assert_eq!(server.email("user_1").await.as_deref(), Some("ann@example.com"));
        assert_eq!(count(&db, &format!("{name} WHERE clerk_id = 'user_1'")).await, 1);
        assert_eq!(count(&db, name).await, 1);
    }
}
