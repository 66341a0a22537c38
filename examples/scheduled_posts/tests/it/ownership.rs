//! Whose rows they are comes from the token, and nobody learns what others have.

use sea_orm::{ConnectionTrait as _, DbBackend};
use std::collections::HashSet;

use serde_json::json;

use crate::support::{World, answer, on_every_backend, until};

async fn another_users_id_is_an_id_that_does_not_exist(world: World) {
    let _server = world.serve().await;
    let clerk = world.clerk();
    let (_, mine) = clerk.user(&world.api(), "mine@example.com").await;
    let (_, other) = clerk.user(&world.api(), "other@example.com").await;
    let account = other.account("@other").await;
    let post = other.scheduled(&account, "hidden", "2030-01-01T00:00:00Z").await;
    let missing = "00000000-0000-4000-8000-000000000000";

    let change = json!({ "content": "taken over", "status": "draft" });
    let mut same_names = None;
    for id in [&post, missing, "1", "not-a-uuid", "a%2Fb", "%ff", &post.replace('-', "")] {
        let path = format!("/api/scheduled-posts/{id}");
        for found in [mine.put(&path, &change).await, mine.delete(&path).await] {
            assert_eq!(
                (found.status, &*found.text),
                (404, r#"{"detail":"Post not found"}"#),
                "{id}"
            );
            assert_eq!(found.header("content-length"), Some("27"), "{found:?}");
            let names: HashSet<_> = found.headers.keys().cloned().collect();
            assert_eq!(same_names.get_or_insert(names.clone()), &names, "{found:?}");
        }
    }
    for id in [&account, missing, "not-a-uuid"] {
        mine.delete(&format!("/api/x-accounts/{id}")).await.is_error(404, "X account not found");
        if id != "not-a-uuid" {
            let body = json!({
                "x_account_id": id, "content": "x", "scheduled_at": "2030-01-01T00:00:00Z",
            });
            mine.post("/api/scheduled-posts", &body).await.is_error(404, "X account not found");
        }
    }
    let posts = other.get("/api/scheduled-posts").await.json();
    assert_eq!(posts["posts"][0]["content"], "hidden");
    assert_eq!(posts["posts"][0]["status"], "scheduled");
}

async fn f1_a_user_id_that_a_client_sends_changes_nothing(world: World) {
    let _server = world.serve().await;
    let clerk = world.clerk();
    let (own, mine) = clerk.user(&world.api(), "mine@example.com").await;
    let (victim, other) = clerk.user(&world.api(), "victim@example.com").await;
    let account = mine.account("@mine").await;

    let body = json!({
        "user_id": victim, "x_account_id": account, "content": "mine",
        "scheduled_at": "2030-01-01T00:00:00Z",
    });
    let path = format!("/api/scheduled-posts?user_id={victim}&user_id={victim}");
    let created = answer(mine.request("POST", &path).header("user_id", &victim).json(&body)).await;
    assert_eq!(created.status, 201, "{created:?}");
    let id = created.json()["id"].as_str().unwrap().to_owned();
    let change = json!({ "user_id": victim, "x_account_id": "x", "content": "still mine" });
    assert_eq!(mine.put(&format!("/api/scheduled-posts/{id}"), &change).await.status, 200);

    let listed = mine.get(&path).await.json();
    assert_eq!(listed["posts"][0]["content"], "still mine");
    assert_eq!(other.get("/api/scheduled-posts").await.json()["posts"], json!([]));
    let handle = json!({ "handle": "@mine2", "user_id": victim });
    assert_eq!(mine.post(&format!("/api/x-accounts?user_id={victim}"), &handle).await.status, 201);
    assert_eq!(other.get("/api/x-accounts").await.json()["accounts"], json!([]));

    let me = mine.request("GET", &format!("/api/me?user_id={victim}")).header("user_id", &victim);
    assert_eq!(answer(me).await.json()["user_id"], *own);
    let path = format!("/api/scheduled-posts/{id}?user_id={victim}");
    assert_eq!(mine.delete(&path).await.status, 204);
}

async fn the_database_itself_refuses_a_post_on_anothers_account(world: World) {
    let _server = world.serve().await;
    let clerk = world.clerk();
    let (_, api) = clerk.user(&world.api(), "mine@example.com").await;
    let (_, other) = clerk.user(&world.api(), "other@example.com").await;
    let own = api.account("@mine").await;
    let others = other.account("@other").await;
    let post = api.scheduled(&own, "to be moved", "2030-01-01T00:00:00Z").await;

    let db = world.database().await;
    let id = |text: &str| match db.get_database_backend() {
        DbBackend::Postgres => format!("'{text}'"),
        _ => format!("x'{}'", text.replace('-', "")),
    };
    let (others, post) = (id(&others), id(&post));
    let update = format!("UPDATE scheduled_posts SET x_account_id = {others} WHERE id = {post}");
    let refused = db.execute_unprepared(&update).await.unwrap_err();
    assert!(refused.to_string().to_lowercase().contains("foreign key"), "{refused}");
}

/// Clerk's ids are compared byte for byte; some collations would take these two for one.
async fn e40_ids_that_differ_in_case_alone_are_two_users(world: World) {
    let ids = ["user_2pQ7xKdVbNmWzRtYhGfLsJcAeUo", "user_2pq7xkdvbnmwzrtyhgflsjcaeuo"];
    // The stand-in makes up its own ids: these are put into its file. What it sends under its own
    // reaches nobody.
    let (mut process, _) = world.dev_clerk().await;
    let clerk = world.clerk();
    let own = [clerk.sign_up("case0@example.com").await, clerk.sign_up("case1@example.com").await];
    process.kill();
    let file = std::fs::read_to_string(world.clerk_file()).unwrap();
    let file = file.replace(&own[0], ids[0]).replace(&own[1], ids[1]);
    std::fs::write(world.clerk_file(), file).unwrap();

    let _server = world.serve().await;
    let mut apis = Vec::new();
    for (n, id) in ids.iter().enumerate() {
        let api = world.api().with_token(&clerk.token(id).await);
        clerk.rename(id, &format!("Case {n}")).await;
        until("the user is synced", async || {
            let me = api.get("/api/me").await.json();
            (me["user"]["email"] == format!("case{n}@example.com")).then_some(())
        })
        .await;
        apis.push(api);
    }
    let [mine, other] = &*apis else { panic!("two users") };
    assert_eq!(mine.get("/api/me").await.json()["user"]["id"], ids[0]);
    assert_eq!(mine.get("/api/me").await.json()["user"]["email"], "case0@example.com");

    let (account, others) = (mine.account("@mine").await, other.account("@other").await);
    let post = mine.scheduled(&account, "mine", "2030-01-01T00:00:00Z").await;
    other.scheduled(&others, "other", "2030-01-01T00:00:00Z").await;
    for (api, account, content) in [(mine, &account, "mine"), (other, &others, "other")] {
        let accounts = api.get("/api/x-accounts").await.json()["accounts"].take();
        assert_eq!((accounts.as_array().unwrap().len(), &accounts[0]["id"]), (1, &json!(account)));
        let posts = api.get("/api/scheduled-posts").await.json()["posts"].take();
        assert_eq!((posts.as_array().unwrap().len(), &posts[0]["content"]), (1, &json!(content)));
    }
    let path = format!("/api/scheduled-posts/{post}");
    other.put(&path, &json!({ "content": "taken" })).await.is_error(404, "Post not found");
    other.delete(&path).await.is_error(404, "Post not found");
    let body = json!({
        "x_account_id": account, "content": "x", "scheduled_at": "2030-01-01T00:00:00Z",
    });
    let stolen = other.post("/api/scheduled-posts", &body).await;
    stolen.is_error(404, "X account not found");

    assert_eq!(clerk.backend.delete(&format!("/v1/users/{}", ids[0])).await.status, 200);
    until("the deletion is synced", async || {
        (mine.get("/api/me").await.status == 403).then_some(())
    })
    .await;
    assert_eq!(other.get("/api/scheduled-posts").await.json()["posts"][0]["content"], "other");
    assert_eq!((world.count("users").await, world.count("scheduled_posts").await), (1, 1));
}

on_every_backend!(
    e40_ids_that_differ_in_case_alone_are_two_users,
    another_users_id_is_an_id_that_does_not_exist,
    f1_a_user_id_that_a_client_sends_changes_nothing,
    the_database_itself_refuses_a_post_on_anothers_account,
);
