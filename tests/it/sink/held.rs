//! Deleted records whose rows a foreign key of the application holds.

use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, DbBackend,
    DbErr,
};
use serde_json::json;
use tower_clerk::sea_orm::{InTransaction, Schema, UserStatus};
use tower_clerk::test_util::{user_created, user_deleted, user_updated};
use tower_clerk::webhook::{Delivery, Outcome};

use crate::backfill::api::{self, ClerkApi, users};
use crate::sink::backfill::backfill;
use crate::support::database::{count, on_each_database};
use crate::support::delivery::{send, signed};
use crate::support::observed::Observed;
use crate::support::servers::within;
use crate::support::sink_service::Server;

on_each_database!(
    fault_s4_a_user_whom_a_foreign_key_holds_is_deleted_and_the_row_is_emptied,
    fault_s4_an_own_column_is_emptied_too_unless_it_is_required,
    fault_s4_a_key_that_is_checked_at_the_commit_holds_too,
    fault_s4_a_column_that_a_check_needs_stays,
    fault_s4_a_row_is_held_by_what_its_deletion_would_do_to_others,
    fault_s4_an_organization_that_is_held_is_deleted_and_emptied,
    fault_s4_a_held_membership_of_a_deleted_user_does_not_seem_gone,
    fault_s4_a_removal_goes_on_and_lists_those_who_are_held,
    fault_s4_the_keys_that_hold_rows_are_named,
);

mod postgres_only {
    crate::support::database::on_database!(
        Postgres: fault_s4_what_a_hook_has_deleted_first_holds_nobody,
            fault_s4_a_key_that_restricts_holds_by_the_code_of_newer_versions
    );
}

const T: i64 = 1_649_360_000_000;

/// A table whose rows refer to another table's, and keep those from being deleted.
async fn refer(db: &DatabaseConnection, table: &str, to: &str, how: &str) {
    let id = match db.get_database_backend() {
        DbBackend::MySql => "VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
        _ => "TEXT",
    };
    db.execute_unprepared(&format!(
        "CREATE TABLE {table} (of_id {id} NOT NULL, \
         CONSTRAINT {table}_are_of FOREIGN KEY (of_id) REFERENCES {to} (id) {how})"
    ))
    .await
    .unwrap();
}

async fn fault_s4_a_user_whom_a_foreign_key_holds_is_deleted_and_the_row_is_emptied(
    db: DatabaseConnection,
) {
    let server = Server::start(db.clone()).await;
    refer(&db, "invoices", "users", "").await;
    for user in ["user_held", "user_free"] {
        server.post_new(&user_created(user, Some("ann@example.com"), T)).await;
    }
    db.execute_unprepared("INSERT INTO invoices VALUES ('user_held')").await.unwrap();
    for user in ["user_held", "user_free"] {
        let delivery = signed(user, &user_deleted(user)).into_request();
        assert_eq!(send(&server.service, delivery).await.status(), 204);
        assert_eq!(server.sink.user_status(user).await.unwrap(), UserStatus::Deleted);
        assert_eq!(server.sink.find_user(user).await.unwrap(), None);
    }
    let emptied = "users WHERE id = 'user_held' AND email IS NULL AND first_name IS NULL";
    assert_eq!((count(&db, "users").await, count(&db, emptied).await), (1, 1));
    assert_eq!(count(&db, "invoices").await, 1);
    // Nothing that comes late fills the row again.
    server.post_new(&user_updated("user_held", Some("late@example.com"), T + 99)).await;
    assert_eq!(count(&db, emptied).await, 1);
}

#[tokio::test]
async fn fault_s4_a_row_that_is_held_is_told_and_counted() {
    let observed = Observed::start();
    let mut options = ConnectOptions::new("sqlite::memory:");
    options.max_connections(1);
    let db = Database::connect(options).await.unwrap();
    let server = Server::start(db.clone()).await;
    refer(&db, "invoices", "users", "").await;
    server.post_new(&user_created("user_1", Some("ann@example.com"), T)).await;
    db.execute_unprepared("INSERT INTO invoices VALUES ('user_1')").await.unwrap();
    server.post_new(&user_deleted("user_1")).await;
    assert_eq!(observed.metrics()["clerk_rows_held_total{}"], 1.0);
    let text = observed.text();
    assert!(text.contains("a foreign key refers to it"), "{text}");
    assert!(!text.contains("ann@"), "{text}");
}

async fn fault_s4_an_own_column_is_emptied_too_unless_it_is_required(db: DatabaseConnection) {
    let schema = Schema::new()
        .user_column("locale", |user| user.locale.clone().into())
        .user_column("rank_of_user", |_| 7.into());
    let server = Server::start_with(db.clone(), schema).await;
    for column in ["locale VARCHAR(20)", "rank_of_user INTEGER NOT NULL DEFAULT 0"] {
        db.execute_unprepared(&format!("ALTER TABLE users ADD COLUMN {column}")).await.unwrap();
    }
    refer(&db, "invoices", "users", "").await;
    let mut created = user_created("user_1", Some("ann@example.com"), T);
    created["data"]["locale"] = json!("de-AT");
    server.post_new(&created).await;
    db.execute_unprepared("INSERT INTO invoices VALUES ('user_1')").await.unwrap();
    assert_eq!(count(&db, "users WHERE locale = 'de-AT'").await, 1);
    server.post_new(&user_deleted("user_1")).await;
    let emptied = "users WHERE email IS NULL AND locale IS NULL AND rank_of_user = 7";
    assert_eq!(count(&db, emptied).await, 1);
}

async fn fault_s4_a_key_that_is_checked_at_the_commit_holds_too(db: DatabaseConnection) {
    // Only PostgreSQL can check it earlier than it says.
    let how = match db.get_database_backend() {
        DbBackend::Postgres => "DEFERRABLE INITIALLY DEFERRED",
        _ => "",
    };
    let server = Server::start(db.clone()).await;
    refer(&db, "invoices", "users", how).await;
    server.post_new(&user_created("user_1", Some("ann@example.com"), T)).await;
    db.execute_unprepared("INSERT INTO invoices VALUES ('user_1')").await.unwrap();
    server.post_new(&user_deleted("user_1")).await;
    assert_eq!(count(&db, "users WHERE email IS NULL").await, 1);
    assert_eq!(server.sink.user_status("user_1").await.unwrap(), UserStatus::Deleted);
}

async fn fault_s4_a_column_that_a_check_needs_stays(db: DatabaseConnection) {
    let schema = Schema::new().user_column("locale", |user| user.locale.clone().into());
    let server = Server::start_with(db.clone(), schema).await;
    let column = "locale VARCHAR(20) DEFAULT 'en' CHECK (locale IS NOT NULL)";
    db.execute_unprepared(&format!("ALTER TABLE users ADD COLUMN {column}")).await.unwrap();
    refer(&db, "invoices", "users", "").await;
    let mut created = user_created("user_1", Some("ann@example.com"), T);
    created["data"]["locale"] = json!("de-AT");
    server.post_new(&created).await;
    db.execute_unprepared("INSERT INTO invoices VALUES ('user_1')").await.unwrap();
    server.post_new(&user_deleted("user_1")).await;
    assert_eq!(count(&db, "users WHERE email IS NULL AND locale = 'de-AT'").await, 1);
    assert_eq!(server.sink.user_status("user_1").await.unwrap(), UserStatus::Deleted);
}

async fn fault_s4_a_row_is_held_by_what_its_deletion_would_do_to_others(db: DatabaseConnection) {
    let server = Server::start(db.clone()).await;
    // MySQL refuses a key that would empty a required column; there the next key in the line holds.
    match db.get_database_backend() {
        DbBackend::MySql => {
            refer(&db, "accounts", "users", "ON DELETE CASCADE").await;
            db.execute_unprepared("ALTER TABLE accounts ADD PRIMARY KEY (of_id)").await.unwrap();
            db.execute_unprepared(
                "CREATE TABLE invoices (of_id VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin \
                 NOT NULL, FOREIGN KEY (of_id) REFERENCES accounts (of_id))",
            )
            .await
            .unwrap();
            server.post_new(&user_created("user_1", Some("ann@example.com"), T)).await;
            db.execute_unprepared("INSERT INTO accounts VALUES ('user_1')").await.unwrap();
        }
        _ => {
            refer(&db, "invoices", "users", "ON DELETE SET NULL").await;
            server.post_new(&user_created("user_1", Some("ann@example.com"), T)).await;
        }
    }
    db.execute_unprepared("INSERT INTO invoices VALUES ('user_1')").await.unwrap();
    server.post_new(&user_deleted("user_1")).await;
    assert_eq!(count(&db, "users WHERE email IS NULL").await, 1);
    assert_eq!(count(&db, "invoices WHERE of_id = 'user_1'").await, 1);
    assert_eq!(server.sink.user_status("user_1").await.unwrap(), UserStatus::Deleted);
}

/// Deletes a user's profile when the user is deleted.
struct Profiles;

impl InTransaction for Profiles {
    async fn run(
        &self,
        tx: &DatabaseTransaction,
        delivery: &Delivery,
        _: Outcome,
    ) -> Result<(), DbErr> {
        if delivery.event().kind() == "user.deleted" {
            tx.execute_unprepared("DELETE FROM profiles").await?;
        }
        Ok(())
    }
}

async fn fault_s4_what_a_hook_has_deleted_first_holds_nobody(db: DatabaseConnection) {
    let keeping = Server::start_with(db.clone(), Schema::new().with_organizations()).await;
    let server = Server::on(keeping.sink.with_hook(Profiles));
    for statement in [
        "CREATE TABLE profiles (id TEXT PRIMARY KEY)",
        "INSERT INTO profiles VALUES ('user_1')",
        "ALTER TABLE users ADD FOREIGN KEY (id) REFERENCES profiles DEFERRABLE INITIALLY DEFERRED",
        "ALTER TABLE organization_memberships ADD FOREIGN KEY (user_id) REFERENCES users \
         DEFERRABLE INITIALLY DEFERRED",
    ] {
        db.execute_unprepared(statement).await.unwrap();
    }
    server.post_new(&user_created("user_1", Some("ann@example.com"), T)).await;
    server
        .post_new(&json!({ "type": "organizationMembership.created", "data": {
            "id": "orgmem_1", "role": "org:admin", "updated_at": T,
            "organization": { "id": "org_1", "name": "Acme", "updated_at": T },
            "public_user_data": { "user_id": "user_1" },
        }}))
        .await;
    server.post_new(&user_deleted("user_1")).await;
    assert_eq!((count(&db, "profiles").await, count(&db, "users").await), (0, 0));
    assert_eq!(count(&db, "organization_memberships").await, 0);
}

async fn fault_s4_a_key_that_restricts_holds_by_the_code_of_newer_versions(db: DatabaseConnection) {
    let server = Server::start(db.clone()).await;
    server.post_new(&user_created("user_1", Some("ann@example.com"), T)).await;
    // As PostgreSQL 18 answers for ON DELETE RESTRICT.
    db.execute_unprepared(
        "CREATE FUNCTION restricts() RETURNS trigger LANGUAGE plpgsql AS \
         $$ BEGIN RAISE EXCEPTION 'restricted' USING ERRCODE = 'restrict_violation'; END $$",
    )
    .await
    .unwrap();
    let trigger = "CREATE TRIGGER restricts BEFORE DELETE ON users \
        FOR EACH ROW EXECUTE FUNCTION restricts()";
    db.execute_unprepared(trigger).await.unwrap();
    server.post_new(&user_deleted("user_1")).await;
    assert_eq!(count(&db, "users WHERE email IS NULL").await, 1);
    assert_eq!(server.sink.user_status("user_1").await.unwrap(), UserStatus::Deleted);
}

async fn fault_s4_a_held_membership_of_a_deleted_user_does_not_seem_gone(db: DatabaseConnection) {
    let api = ClerkApi::start(users(2)).await;
    let server = Server::start_with(db.clone(), Schema::new().with_organizations()).await;
    api.handle()(&|clerk| {
        clerk.organizations.push(api::organization("org_1", 1000));
        for user in ["user_01", "user_02"] {
            clerk.memberships.push(api::membership("org_1", user, 5000));
        }
    });
    within(backfill(&api, &server.sink).run()).await.unwrap();
    refer(&db, "desks", "organization_memberships", "").await;
    db.execute_unprepared("INSERT INTO desks VALUES ('orgmem_org_1_user_01')").await.unwrap();
    api.handle()(&|clerk| {
        clerk.users.remove(0);
        clerk.memberships.remove(0);
    });
    server.post_new(&user_deleted("user_01")).await;
    assert_eq!(count(&db, "organization_memberships").await, 2);
    let drift = within(backfill(&api, &server.sink).dry_run()).await.unwrap();
    let gone = drift.memberships.and_then(|memberships| memberships.gone).unwrap();
    assert_eq!((drift.gone.unwrap().count, gone.count), (0, 0));
    let removed = within(backfill(&api, &server.sink).remove_gone(3)).await.unwrap();
    assert_eq!((removed.memberships.removed, removed.memberships.gone_already), (0, 0));
}

async fn fault_s4_an_organization_that_is_held_is_deleted_and_emptied(db: DatabaseConnection) {
    let server = Server::start_with(db.clone(), Schema::new().with_organizations()).await;
    refer(&db, "projects", "organizations", "").await;
    refer(&db, "desks", "organization_memberships", "").await;
    for n in [1, 2] {
        server
            .post_new(&json!({ "type": "organizationMembership.created", "data": {
                "id": format!("orgmem_{n}"), "role": "org:admin", "updated_at": T,
                "organization": { "id": "org_1", "name": "Acme", "updated_at": T },
                "public_user_data": { "user_id": format!("user_{n}") },
            }}))
            .await;
    }
    db.execute_unprepared("INSERT INTO projects VALUES ('org_1')").await.unwrap();
    db.execute_unprepared("INSERT INTO desks VALUES ('orgmem_1')").await.unwrap();
    // Of the two memberships only the one that is held stays, and says no more of a role.
    server.post_new(&json!({ "type": "organization.deleted", "data": { "id": "org_1" } })).await;
    assert_eq!(count(&db, "organization_memberships").await, 1);
    let emptied = "organization_memberships WHERE id = 'orgmem_1' AND role IS NULL";
    assert_eq!(count(&db, emptied).await, 1);
    assert_eq!(count(&db, "organizations WHERE name IS NULL").await, 1);
}

async fn fault_s4_a_removal_goes_on_and_lists_those_who_are_held(db: DatabaseConnection) {
    let api = ClerkApi::start(users(5)).await;
    let server = Server::start(db.clone()).await;
    within(backfill(&api, &server.sink).run()).await.unwrap();
    refer(&db, "invoices", "users", "").await;
    db.execute_unprepared("INSERT INTO invoices VALUES ('user_02')").await.unwrap();
    // Three are gone, and the second one is held.
    api.handle()(&|clerk| drop(clerk.users.drain(..3)));
    let removed = within(backfill(&api, &server.sink).remove_gone(3)).await.unwrap();
    assert_eq!(removed.removed, 3);
    assert_eq!((removed.held.count, removed.held.examples), (1, vec!["user_02".to_owned()]));
    assert_eq!(count(&db, "users").await, 3);
    assert_eq!(server.sink.user_status("user_02").await.unwrap(), UserStatus::Deleted);
    let again = within(backfill(&api, &server.sink).remove_gone(3)).await.unwrap();
    assert_eq!((again.removed, again.held.count), (0, 0));
}

async fn fault_s4_the_keys_that_hold_rows_are_named(db: DatabaseConnection) {
    let schema = Schema::new().with_organizations();
    schema.migrate(&db).await.unwrap();
    assert_eq!(schema.holding_keys(&db).await.unwrap(), []);
    refer(&db, "invoices", "users", "").await;
    refer(&db, "seats", "organizations", "ON DELETE RESTRICT").await;
    refer(&db, "notes", "users", "ON DELETE CASCADE").await;
    let keys = schema.holding_keys(&db).await.unwrap();
    let named: Vec<_> = keys.iter().map(|key| (&*key.table, &*key.refers_to)).collect();
    assert_eq!(named, [("invoices", "users"), ("seats", "organizations")]);
    let constraint = match db.get_database_backend() {
        DbBackend::Sqlite => None,
        _ => Some("invoices_are_of"),
    };
    assert_eq!(keys[0].constraint.as_deref(), constraint);
    assert!(keys[0].to_string().ends_with("`invoices` to `users`"), "{}", keys[0]);
}

#[tokio::test]
async fn fault_s4_check_and_migrate_warn_of_keys_that_hold_rows() {
    let observed = Observed::start();
    let mut options = ConnectOptions::new("sqlite::memory:");
    options.max_connections(1);
    let db = Database::connect(options).await.unwrap();
    Schema::new().migrate(&db).await.unwrap();
    refer(&db, "invoices", "users", "").await;
    assert!(!observed.text().contains("invoices"));
    Schema::new().check(&db).await.unwrap();
    assert_eq!(observed.text().matches("a foreign key has no ON DELETE").count(), 1);
    Schema::new().migrate(&db).await.unwrap();
    let text = observed.text();
    assert_eq!(text.matches("a foreign key has no ON DELETE").count(), 2, "{text}");
    assert!(text.contains("invoices"), "{text}");
}
