//! Organizations and their members in a database, where they are kept.

use std::sync::{Arc, Mutex};

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, EntityTrait,
    PaginatorTrait,
};
use serde_json::{Value, json};
use tower_clerk::sea_orm::{
    InTransaction, Schema, UserStatus, organization, organization_membership as membership, user,
};
use tower_clerk::test_util::{user_created, user_deleted};
use tower_clerk::webhook::{Delivery, Outcome};

use crate::sink::states::orders;
use crate::support::database::{count, on_each_database};
use crate::support::delivery::{send, signed};
use crate::support::sink_service::Server;

on_each_database!(
    an_organization_and_its_members_are_kept,
    organizations_are_ignored_unless_they_are_asked_for,
    the_newest_state_of_an_organization_wins_in_every_order,
    a_deleted_organization_is_gone_with_its_members_in_every_order,
    a_membership_ahead_of_its_organization_and_its_user_gives_them_rows_that_any_event_fills,
    fault_s8_what_nobody_keeps_may_lack_what_it_likes,
    fault_s8_a_deletion_needs_the_id_alone,
    fault_s9_a_membership_gives_rows_that_anything_fills_also_where_rows_were_removed,
    fault_s22_a_row_that_another_unique_column_keeps_out_is_told,
    fault_a3_a_hook_is_told_of_a_user_whom_a_membership_gave_a_row,
    a_deleted_user_is_a_member_of_nothing_in_every_order,
    a_membership_is_one_thing_and_the_next_one_of_the_same_user_another,
    an_organization_deleted_while_members_join_keeps_no_member,
    a_creator_who_is_no_user_of_clerks_keeps_no_organization_away,
);

const T: i64 = 1_649_360_000_000;

async fn server(db: DatabaseConnection) -> Server {
    Server::start_with(db, Schema::new().with_organizations()).await
}

fn organization_data(id: &str, version: i64) -> Value {
    json!({
        "object": "organization", "id": id, "name": format!("name {version}"),
        "slug": format!("slug-{version}"), "image_url": null, "created_by": "user_1",
        "created_at": T, "updated_at": T + version,
    })
}

pub(crate) fn organization_event(kind: &str, id: &str, version: i64) -> Value {
    let data = organization_data(id, version);
    json!({ "type": format!("organization.{kind}"), "object": "event", "data": data })
}

pub(crate) fn organization_deleted(id: &str) -> Value {
    let data = json!({ "object": "organization", "id": id, "deleted": true });
    json!({ "type": "organization.deleted", "object": "event", "data": data })
}

pub(crate) fn membership_event(kind: &str, id: &str, of: &str, user: &str, version: i64) -> Value {
    json!({ "type": format!("organizationMembership.{kind}"), "object": "event", "data": {
        "object": "organization_membership", "id": id, "role": format!("org:role_{version}"),
        "organization": organization_data(of, 0), "public_user_data": { "user_id": user },
        "created_at": T, "updated_at": T + version,
    }})
}

async fn an_organization_and_its_members_are_kept(db: DatabaseConnection) {
    let server = server(db.clone()).await;
    server.post_new(&organization_event("created", "org_1", 0)).await;
    server.post_new(&user_created("user_1", Some("ann@example.com"), T)).await;
    server.post_new(&membership_event("created", "orgmem_1", "org_1", "user_1", 0)).await;
    let row = organization::Entity::find_by_id("org_1").one(&db).await.unwrap().unwrap();
    assert_eq!(row.name.as_deref(), Some("name 0"));
    assert_eq!(row.slug.as_deref(), Some("slug-0"));
    assert_eq!(row.created_by.as_deref(), Some("user_1"));
    assert_eq!(row.created_at.timestamp_millis(), T);
    let row = membership::Entity::find_by_id("orgmem_1").one(&db).await.unwrap().unwrap();
    assert_eq!((&*row.organization_id, &*row.user_id), ("org_1", "user_1"));
    assert_eq!(row.role.as_deref(), Some("org:role_0"));

    server.post_new(&membership_event("updated", "orgmem_1", "org_1", "user_1", 2)).await;
    server.post_new(&membership_event("updated", "orgmem_1", "org_1", "user_1", 1)).await;
    let row = membership::Entity::find_by_id("orgmem_1").one(&db).await.unwrap().unwrap();
    assert_eq!(row.role.as_deref(), Some("org:role_2"));
    assert_eq!(server.email("user_1").await.as_deref(), Some("ann@example.com"));

    server.post_new(&membership_event("deleted", "orgmem_1", "org_1", "user_1", 2)).await;
    server.post_new(&membership_event("updated", "orgmem_1", "org_1", "user_1", 3)).await;
    assert_eq!(count(&db, "organization_memberships").await, 0);
    assert_eq!(count(&db, "organizations").await, 1);
}

async fn organizations_are_ignored_unless_they_are_asked_for(db: DatabaseConnection) {
    let server = Server::start(db.clone()).await;
    server.post_new(&organization_event("created", "org_1", 0)).await;
    server.post_new(&membership_event("created", "orgmem_1", "org_1", "user_1", 0)).await;
    server.post_new(&organization_deleted("org_1")).await;
    for table in ["users", "clerk_user_versions", "clerk_deliveries"] {
        assert_eq!(count(&db, table).await, 0, "{table}");
    }
}

async fn the_newest_state_of_an_organization_wins_in_every_order(db: DatabaseConnection) {
    let server = server(db.clone()).await;
    let events = ["created", "updated", "updated"].into_iter().zip(0..);
    let events: Vec<_> = events.map(|(kind, v)| organization_event(kind, "x", v)).collect();
    for (n, order) in orders(&events).into_iter().enumerate() {
        let id = format!("org_{n}");
        for mut event in order {
            event["data"]["id"] = json!(id);
            server.post_new(&event).await;
        }
        let row = organization::Entity::find_by_id(&*id).one(&db).await.unwrap().unwrap();
        assert_eq!(row.name.as_deref(), Some("name 2"), "order {n}");
        assert_eq!(row.slug.as_deref(), Some("slug-2"), "order {n}");
        assert_eq!(row.updated_at.timestamp_millis(), T + 2, "order {n}");
    }
}

async fn a_deleted_organization_is_gone_with_its_members_in_every_order(db: DatabaseConnection) {
    let server = server(db.clone()).await;
    let events = |org: &str, member: &str, user: &str| {
        [
            organization_event("created", org, 0),
            membership_event("created", member, org, user, 0),
            membership_event("updated", member, org, user, 1),
            organization_deleted(org),
        ]
    };
    for n in 0..24 {
        let events = events(&format!("org_{n}"), &format!("orgmem_{n}"), "user_1");
        for event in &orders(&events)[n] {
            server.post_new(event).await;
        }
    }
    assert_eq!(count(&db, "organization_memberships").await, 0);
    assert_eq!(count(&db, "organizations").await, 0);
    assert_eq!(count(&db, "clerk_organization_versions").await, 24);
}

async fn a_membership_ahead_of_its_organization_and_its_user_gives_them_rows_that_any_event_fills(
    db: DatabaseConnection,
) {
    let server = server(db.clone()).await;
    server.post_new(&membership_event("created", "orgmem_1", "org_1", "user_1", 0)).await;
    let row = organization::Entity::find_by_id("org_1").one(&db).await.unwrap().unwrap();
    assert_eq!(row.name.as_deref(), Some("name 0"));
    assert_eq!(server.sink.ensure_user("user_1").await.unwrap(), UserStatus::Active);
    assert_eq!(user::Entity::find().count(&db).await.unwrap(), 1);

    let mut ancient = organization_event("created", "org_1", 0);
    ancient["data"]["name"] = json!("ancient");
    ancient["data"]["updated_at"] = json!(1);
    server.post_new(&ancient).await;
    server.post_new(&user_created("user_1", Some("ann@example.com"), 1)).await;
    let row = organization::Entity::find_by_id("org_1").one(&db).await.unwrap().unwrap();
    assert_eq!(row.name.as_deref(), Some("ancient"));
    assert_eq!(server.email("user_1").await.as_deref(), Some("ann@example.com"));
}

/// Events that lack what a row of theirs would need.
fn incomplete() -> [Value; 3] {
    let mut bare = membership_event("created", "orgmem_1", "org_1", "user_1", 0);
    bare["data"].as_object_mut().unwrap().remove("organization");
    let mut userless = membership_event("updated", "orgmem_1", "org_1", "user_1", 0);
    userless["data"].as_object_mut().unwrap().remove("public_user_data");
    [bare, userless, json!({ "type": "organization.updated", "object": "event", "data": null })]
}

async fn fault_s8_what_nobody_keeps_may_lack_what_it_likes(db: DatabaseConnection) {
    for keeps in [false, true] {
        let schema = Schema::new();
        let schema = if keeps { schema.with_organizations() } else { schema };
        let server = Server::start_with(db.clone(), schema).await;
        for hook in [false, true] {
            let sink = server.sink.clone();
            let server = Server::on(if hook { sink.with_hook(Told::default()) } else { sink });
            for body in incomplete() {
                server.post_new(&body).await;
            }
        }
        // Where it is kept, what is needed and missing is parked.
        let parked = if keeps { 2 * incomplete().len() } else { 0 };
        assert_eq!(server.sink.parked(100, None).await.unwrap().len(), parked);
        // Without parking it is asked for again.
        let server = Server::on(server.sink.without_dead_letters());
        for body in incomplete() {
            let answer = send(&server.service, signed("msg_1", &body).into_request()).await;
            assert_eq!(answer.status(), if keeps { 400 } else { 204 }, "{body}");
        }
        // A user without an id always is.
        let body = json!({ "type": "user.updated", "object": "event", "data": {} });
        let answer = send(&server.service, signed("msg_1", &body).into_request()).await;
        assert_eq!(answer.status(), 400);
    }
    assert_eq!(count(&db, "organizations").await, 0);
}

async fn fault_s8_a_deletion_needs_the_id_alone(db: DatabaseConnection) {
    let server = server(db.clone()).await;
    let whole = membership_event("deleted", "orgmem_1", "org_1", "user_1", 9);
    let mut userless = whole.clone();
    userless["data"].as_object_mut().unwrap().remove("public_user_data");
    let bare = json!({ "type": "organizationMembership.deleted", "object": "event", "data": {
        "object": "organization_membership", "id": "orgmem_1", "deleted": true,
    }});
    for (n, deletion) in [whole, userless, bare].into_iter().enumerate() {
        let id = format!("orgmem_{n}");
        server.post_new(&membership_event("created", &id, "org_1", "user_1", 0)).await;
        assert_eq!(count(&db, "organization_memberships").await, 1);
        let mut deletion = deletion;
        deletion["data"]["id"] = json!(id);
        server.post_new(&deletion).await;
        assert_eq!(count(&db, "organization_memberships").await, 0);
    }
}

async fn fault_s9_a_membership_gives_rows_that_anything_fills_also_where_rows_were_removed(
    db: DatabaseConnection,
) {
    let server = server(db.clone()).await;
    let told = user_created("user_1", Some("ann@example.com"), T);
    server.post_new(&told).await;
    server.post_new(&organization_event("created", "org_1", 5)).await;
    db.execute_unprepared("DELETE FROM users").await.unwrap();
    db.execute_unprepared("DELETE FROM organizations").await.unwrap();
    server.post_new(&membership_event("created", "orgmem_1", "org_1", "user_1", 9)).await;
    assert_eq!(server.sink.user_status("user_1").await.unwrap(), UserStatus::Active);
    assert_eq!(server.email("user_1").await, None);
    // The same states again, as a backfill or a resent event brings them.
    server.post_new(&told).await;
    server.post_new(&organization_event("updated", "org_1", 5)).await;
    assert_eq!(server.email("user_1").await.as_deref(), Some("ann@example.com"));
    let row = organization::Entity::find_by_id("org_1").one(&db).await.unwrap().unwrap();
    assert_eq!(row.name.as_deref(), Some("name 5"));
}

/// Remembers whom it was told of.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<String>>>);

impl InTransaction for Told {
    async fn run(&self, _: &DatabaseTransaction, of: &Delivery, _: Outcome) -> Result<(), DbErr> {
        self.0.lock().unwrap().push(of.event().kind().to_owned());
        Ok(())
    }

    async fn ensured(&self, _: &DatabaseTransaction, user_id: &str) -> Result<(), DbErr> {
        self.0.lock().unwrap().push(user_id.to_owned());
        Ok(())
    }
}

async fn fault_s22_a_row_that_another_unique_column_keeps_out_is_told(db: DatabaseConnection) {
    let server = server(db.clone()).await;
    let slug = match db.get_database_backend() {
        DbBackend::MySql => "slug(99)",
        _ => "slug",
    };
    let unique = format!("CREATE UNIQUE INDEX one_slug ON organizations ({slug})");
    db.execute_unprepared(&unique).await.unwrap();
    server.post_new(&organization_event("created", "org_1", 0)).await;
    let body = membership_event("created", "orgmem_2", "org_2", "user_2", 0);
    let answer = send(&server.service, signed("msg_taken", &body).into_request()).await;
    assert!(answer.status() >= 500, "{}", answer.status());
    assert_eq!(count(&db, "organization_memberships").await, 0);
    db.execute_unprepared("UPDATE organizations SET slug = 'another'").await.unwrap();
    server.post("msg_taken", &body).await;
    assert_eq!(count(&db, "organizations").await, 2);
}

async fn fault_a3_a_hook_is_told_of_a_user_whom_a_membership_gave_a_row(db: DatabaseConnection) {
    let server = server(db).await;
    let told = Told::default();
    let server = Server::on(server.sink.clone().with_hook(told.clone()));
    for version in [1, 2] {
        let event = membership_event("updated", "orgmem_1", "org_1", "user_1", version);
        server.post_new(&event).await;
    }
    server.sink.ensure_user("user_1").await.unwrap();
    let kind = "organizationMembership.updated";
    assert_eq!(*told.0.lock().unwrap(), ["user_1", kind, kind]);
}

async fn a_deleted_user_is_a_member_of_nothing_in_every_order(db: DatabaseConnection) {
    let server = server(db.clone()).await;
    for n in 0..24 {
        let (member, user) = (format!("orgmem_{n}"), format!("user_{n}"));
        let events = [
            user_created(&user, None, T),
            membership_event("created", &member, "org_1", &user, 0),
            membership_event("updated", &member, "org_1", &user, 1),
            user_deleted(&user),
        ];
        for event in &orders(&events)[n] {
            server.post_new(event).await;
        }
        assert_eq!(server.sink.user_status(&user).await.unwrap(), UserStatus::Deleted);
    }
    assert_eq!(count(&db, "organization_memberships").await, 0);
    assert_eq!(count(&db, "users").await, 0);
    assert_eq!(count(&db, "organizations").await, 1);
}

async fn a_membership_is_one_thing_and_the_next_one_of_the_same_user_another(
    db: DatabaseConnection,
) {
    let server = server(db.clone()).await;
    // The second one's beginning overtakes the first one's end.
    server.post_new(&membership_event("created", "orgmem_1", "org_1", "user_1", 0)).await;
    server.post_new(&membership_event("created", "orgmem_2", "org_1", "user_1", 9)).await;
    server.post_new(&membership_event("deleted", "orgmem_1", "org_1", "user_1", 5)).await;
    let rows = membership::Entity::find().all(&db).await.unwrap();
    assert_eq!(rows.iter().map(|row| &*row.id).collect::<Vec<_>>(), ["orgmem_2"]);
}

async fn an_organization_deleted_while_members_join_keeps_no_member(db: DatabaseConnection) {
    let server = server(db.clone()).await;
    for race in 0..30 {
        let org = format!("org_{race}");
        let mut events = vec![organization_deleted(&org)];
        for member in 0..4 {
            let (id, user) = (format!("orgmem_{race}_{member}"), format!("user_{member}"));
            events.push(membership_event("created", &id, &org, &user, 0));
        }
        let at_once: Vec<_> = events
            .iter()
            .enumerate()
            .map(|(n, event)| {
                let service = server.service.clone();
                let delivery = signed(&format!("msg_{race}_{n}"), event);
                tokio::spawn(async move { send(&service, delivery.into_request()).await.status() })
            })
            .collect();
        for answer in at_once {
            assert_eq!(answer.await.unwrap(), 204, "race {race}");
        }
    }
    assert_eq!(count(&db, "organization_memberships").await, 0);
    assert_eq!(count(&db, "organizations").await, 0);
}

async fn a_creator_who_is_no_user_of_clerks_keeps_no_organization_away(db: DatabaseConnection) {
    let server = server(db.clone()).await;
    for (n, odd) in ["x".repeat(300), "user 1".to_owned(), String::new()].into_iter().enumerate() {
        let mut event = organization_event("created", &format!("org_{n}"), 0);
        event["data"]["created_by"] = json!(odd);
        server.post_new(&event).await;
        let mut event = membership_event("created", &format!("m_{n}"), &format!("o_{n}"), "u", 0);
        event["data"]["organization"]["created_by"] = json!(odd);
        server.post_new(&event).await;
    }
    let rows = organization::Entity::find().all(&db).await.unwrap();
    assert_eq!(rows.len(), 6);
    assert!(rows.iter().all(|row| row.created_by.is_none()), "{rows:?}");
}
