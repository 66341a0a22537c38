//! From signing up to a first post: before the webhook arrives, and after the user is deleted.

use std::time::Duration;

use sea_orm::{ConnectionTrait as _, TransactionTrait as _};
use serde_json::{Value, json};

use crate::support::{World, on_every_backend, until};

async fn a_new_user_is_synced_and_schedules_a_post(world: World) {
    let server = world.serve().await;
    let (id, api) = world.clerk().user(&world.api(), "ada@example.com").await;

    let me = api.get("/api/me").await;
    assert_eq!(me.header("cache-control"), Some("no-store"));
    let me = me.json();
    assert_eq!(me["user_id"], *id);
    assert!(me["session_id"].as_str().unwrap().starts_with("sess_"));
    assert_eq!(me["org"], Value::Null);
    assert_eq!(me["user"]["id"], *id);
    assert_eq!(me["user"]["email"], "ada@example.com");

    let account = api.account("@ada").await;
    let body = json!({
        "x_account_id": account, "content": "Hello 🎉", "scheduled_at": "2030-01-01T10:00:00+02:00",
        "status": "published", "user_id": "user_other", "id": "mine",
    });
    let created = api.post("/api/scheduled-posts", &body).await;
    assert_eq!(created.status, 201, "{created:?}");
    let post = created.json();
    assert_eq!(post["content"], "Hello 🎉");
    assert_eq!(post["scheduled_at"], "2030-01-01T08:00:00Z");
    assert_eq!(post["status"], "scheduled");
    assert_eq!(post["x_account_id"], *account);
    let list = api.get("/api/scheduled-posts").await.json();
    assert_eq!(list, json!({ "posts": [post], "next_cursor": null }));

    let log = server.err();
    let received = log.find("Received Clerk webhook: user.created").expect(&log);
    let created = log.find(&format!("Created user: {id} (ada@example.com)")).expect(&log);
    assert!(received < created);
}

async fn a_changed_user_is_synced(world: World) {
    let server = world.serve().await;
    let clerk = world.clerk();
    let emails = json!({ "email_address": ["old@example.com", "new@example.com"] });
    let user = clerk.backend.post("/v1/users", &emails).await.json();
    let id = user["id"].as_str().unwrap();
    let api = world.api().with_token(&clerk.token(id).await);
    let email = async || api.get("/api/me").await.json()["user"]["email"].clone();
    until("the user is synced", async || (email().await == "old@example.com").then_some(())).await;

    let change = json!({ "primary_email_address_id": user["email_addresses"][1]["id"] });
    let path = format!("/v1/users/{id}");
    let changed = crate::support::answer(clerk.backend.request("PATCH", &path).json(&change)).await;
    assert_eq!(changed.status, 200, "{changed:?}");
    until("the change is synced", async || (email().await == "new@example.com").then_some(()))
        .await;
    // The row is there a moment before the line.
    let line = format!("Updated user: {id} (new@example.com)");
    until("the change is logged", async || server.err().contains(&line).then_some(())).await;
}

async fn f14_a_request_may_come_before_the_webhook(world: World) {
    // Nobody listens where this dev Clerk sends its webhooks until the server starts, and then the
    // secret that the server checks them with is another one.
    let (_clerk, mut variables) = world.dev_clerk().await;
    for (name, value) in &mut variables {
        if name == "CLERK_WEBHOOK_SIGNING_SECRET" {
            *value = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD".to_owned();
        }
    }
    let _server = world.serve_with(&variables).await;
    let clerk = world.clerk();
    let user = clerk.sign_up("early@example.com").await;
    let api = world.api().with_token(&clerk.token(&user).await);

    let me = api.get("/api/me").await;
    assert_eq!((me.status, &me.json()["user"]), (200, &Value::Null));
    assert_eq!(api.get("/api/scheduled-posts").await.json()["posts"], json!([]));
    let account = api.account("@early").await;
    api.scheduled(&account, "first", "2030-01-01T00:00:00Z").await;
    let me = api.get("/api/me").await.json();
    assert_eq!(me["user"]["id"], *user);
}

async fn f13_a_deleted_user_is_gone_with_everything(world: World) {
    let server = world.serve().await;
    let clerk = world.clerk();
    let (id, api) = clerk.user(&world.api(), "gone@example.com").await;
    let (_, other) = clerk.user(&world.api(), "stays@example.com").await;
    let account = api.account("@gone").await;
    let post = api.scheduled(&account, "farewell", "2030-01-01T00:00:00Z").await;
    let others = other.account("@stays").await;
    other.scheduled(&others, "still here", "2030-01-01T00:00:00Z").await;
    let session = clerk.session(&id).await;

    assert_eq!(clerk.backend.delete(&format!("/v1/users/{id}")).await.status, 200);
    assert_eq!(clerk.token_answer(&session).await.status, 404);
    until("the deletion is synced", async || {
        (api.get("/api/me").await.status == 403).then_some(())
    })
    .await;

    let new_account = json!({ "handle": "@again" });
    let new_post =
        json!({ "x_account_id": account, "content": "x", "scheduled_at": "2030-01-01T00:00:00Z" });
    let post = format!("/api/scheduled-posts/{post}");
    let account = format!("/api/x-accounts/{account}");
    for answer in [
        api.get("/api/me").await,
        api.get("/api/x-accounts").await,
        api.post("/api/x-accounts", &new_account).await,
        api.delete(&account).await,
        api.get("/api/scheduled-posts").await,
        api.post("/api/scheduled-posts", &new_post).await,
        api.put(&post, &json!({ "content": "x" })).await,
        api.delete(&post).await,
    ] {
        answer.is_error(403, "User no longer exists");
    }
    assert!(
        server.err().contains(&format!("Deleted user: {id} (gone@example.com)")),
        "{}",
        server.err()
    );
    let rows = world.count("x_accounts").await;
    assert_eq!((rows, world.count("scheduled_posts").await, world.count("users").await), (1, 1, 1));
    assert_eq!(other.get("/api/scheduled-posts").await.json()["posts"][0]["content"], "still here");
}

/// Whatever order the statements take, nothing of the user is left and nobody sees a 500.
async fn f13_writes_that_race_a_deletion_lose_cleanly(world: World) {
    let _server = world.serve().await;
    let clerk = world.clerk();
    for round in 0..5 {
        let (id, api) = clerk.user(&world.api(), &format!("race{round}@example.com")).await;
        let account = api.account("@race").await;
        let writes: Vec<_> = (0..12)
            .map(|n| {
                let (api, account) = (api.clone(), account.clone());
                tokio::task::spawn_local(async move {
                    let handle = json!({ "handle": "@late" });
                    let post = json!({
                        "x_account_id": account, "content": "late",
                        "scheduled_at": "2030-01-01T00:00:00Z",
                    });
                    let (path, body) = match n % 2 {
                        0 => ("/api/x-accounts", handle),
                        _ => ("/api/scheduled-posts", post),
                    };
                    api.post(path, &body).await
                })
            })
            .collect();
        assert_eq!(clerk.backend.delete(&format!("/v1/users/{id}")).await.status, 200);
        for write in writes {
            let answer = write.await.unwrap();
            assert!([201, 403, 404].contains(&answer.status), "{answer:?}");
        }
        until("the deletion is synced", async || {
            (api.get("/api/me").await.status == 403).then_some(())
        })
        .await;
    }
    assert_eq!((world.count("x_accounts").await, world.count("scheduled_posts").await), (0, 0));
}

/// Svix waits for 15 s; somebody else's open transaction may last longer.
async fn a_lock_held_elsewhere_is_answered_in_time(world: World) {
    let server = world.serve().await;
    let clerk = world.clerk();
    let (id, api) = clerk.user(&world.api(), "locked@example.com").await;
    let db = world.database().await;
    let held = db.begin().await.unwrap();
    held.execute_unprepared(&format!("DELETE FROM users WHERE id = '{id}'")).await.unwrap();

    let handle = json!({ "handle": "@waits" });
    let write = tokio::time::timeout(Duration::from_secs(12), api.post("/api/x-accounts", &handle));
    write.await.expect("an answer in time").is_error(503, "Database unavailable");
    clerk.rename(&id, "Waits").await;
    let tried = until("the webhook is answered", async || {
        let delivery = clerk.backend.get("/dev/deliveries").await.json()[0].clone();
        (delivery["tries"] != 0).then_some(delivery)
    })
    .await;
    assert_eq!(tried["attempts"][0]["status"], 503, "{tried}");

    held.rollback().await.unwrap();
    clerk.delivered().await;
    // The answer may be there a moment before the line.
    let line = format!("Updated user: {id}");
    until("the change is logged", async || server.err().contains(&line).then_some(())).await;
    api.account("@waits").await;
}

async fn e49_webhooks_from_more_than_a_month_ago_are_forgotten_at_the_start(world: World) {
    let server = world.serve().await;
    world.clerk().user(&world.api(), "ada@example.com").await;
    drop(server);
    let now = world.count("clerk_deliveries").await;
    let old = "INSERT INTO clerk_deliveries (id, received_at) \
               VALUES ('msg_old', '2026-01-01 00:00:00')";
    world.database().await.execute_unprepared(old).await.unwrap();
    let _server = world.serve().await;
    until("it is forgotten", async || {
        (world.count("clerk_deliveries WHERE id = 'msg_old'").await == 0).then_some(())
    })
    .await;
    assert!(world.count("clerk_deliveries").await >= now, "the new one is not");
}

on_every_backend!(
    e49_webhooks_from_more_than_a_month_ago_are_forgotten_at_the_start,
    a_lock_held_elsewhere_is_answered_in_time,
    a_new_user_is_synced_and_schedules_a_post,
    a_changed_user_is_synced,
    f14_a_request_may_come_before_the_webhook,
    f13_a_deleted_user_is_gone_with_everything,
    f13_writes_that_race_a_deletion_lose_cleanly,
);
