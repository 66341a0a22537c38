//! Ownership of rows: the token decides, and no user learns about the rows of others.

use std::collections::HashSet;

use sea_orm::{ConnectionTrait as _, DatabaseConnection, DbBackend};
use serde_json::{Value, json};

use crate::support::{World, answer, on_every_backend, until};

async fn f2_another_users_id_is_an_id_that_does_not_exist(world: World) {
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
    for n in 0..100 {
        let at = format!("2030-02-01T00:00:{:02}Z", n % 60);
        let id = other.scheduled(&account, "hidden", &at).await;
        let path = format!("/api/scheduled-posts/{id}");
        for found in [mine.put(&path, &change).await, mine.delete(&path).await] {
            assert_eq!((found.status, &*found.text), (404, r#"{"detail":"Post not found"}"#));
        }
        assert_eq!(mine.get(&path).await.status, 405);
    }
    assert_eq!(mine.get("/api/scheduled-posts?limit=500").await.json()["posts"], json!([]));
    let posts = other.get("/api/scheduled-posts?limit=500").await.json();
    assert_eq!(posts["posts"].as_array().unwrap().len(), 101);
    assert!(posts["posts"].as_array().unwrap().iter().all(|post| post["content"] == "hidden"));
    assert_eq!(posts["posts"][0]["status"], "scheduled");
}

async fn f1_a_user_id_that_a_client_sends_changes_nothing(world: World) {
    let _server = world.serve().await;
    let clerk = world.clerk();
    let (own, mine) = clerk.user(&world.api(), "mine@example.com").await;
    let (victim, other) = clerk.user(&world.api(), "victim@example.com").await;
    let (account, others) = (mine.account("@mine").await, other.account("@victim").await);
    let theirs = other.scheduled(&others, "theirs", "2030-01-01T00:00:00Z").await;

    // Every verb with the victim's id in query, headers and body at once.
    let send = async |method: &str, path: &str, mut body: Value| {
        for name in ["user_id", "userId", "sub", "owner_id"] {
            body[name] = json!(victim);
        }
        let request = mine.request(method, &format!("{path}?user_id={victim}&user_id={victim}"));
        let request = ["user_id", "user-id", "x-user-id", "x-forwarded-user", "x-clerk-user-id"]
            .iter()
            .fold(request, |request, name| request.header(*name, &victim))
            .header("cookie", format!("user_id={victim}"));
        answer(request.json(&body)).await
    };
    let new = json!({
        "x_account_id": account, "content": "mine", "scheduled_at": "2030-01-01T00:00:00Z",
    });
    let created = send("POST", "/api/scheduled-posts", new.clone()).await;
    assert_eq!(created.status, 201, "{created:?}");
    let path = format!("/api/scheduled-posts/{}", created.json()["id"].as_str().unwrap());
    let changed = send("PUT", &path, json!({ "content": "still mine" })).await;
    assert_eq!((changed.status, &changed.json()["content"]), (200, &json!("still mine")));
    let connected = send("POST", "/api/x-accounts", json!({ "handle": "@mine2" })).await;
    assert_eq!(connected.status, 201, "{connected:?}");
    let me = send("GET", "/api/me", json!({})).await.json();
    assert_eq!((&me["user_id"], &me["user"]["id"]), (&json!(own), &json!(own)));
    let listed = send("GET", "/api/scheduled-posts", json!({})).await.json();
    assert_eq!(listed["posts"].as_array().unwrap().len(), 1, "{listed}");
    assert_eq!(listed["posts"][0]["content"], "still mine");
    let accounts = send("GET", "/api/x-accounts", json!({})).await.json();
    assert_eq!(accounts["accounts"].as_array().unwrap().len(), 2, "{accounts}");
    let form = mine.request("POST", "/api/scheduled-posts").body(format!("user_id={victim}"));
    let form = form.header("content-type", "application/x-www-form-urlencoded");
    assert_eq!(answer(form).await.status, 415);

    // What is the victim's stays out of reach, whoever one says to be.
    let taken =
        send("PUT", &format!("/api/scheduled-posts/{theirs}"), json!({ "content": "x" })).await;
    taken.is_error(404, "Post not found");
    let gone = send("DELETE", &format!("/api/scheduled-posts/{theirs}"), json!({})).await;
    gone.is_error(404, "Post not found");
    let gone = send("DELETE", &format!("/api/x-accounts/{others}"), json!({})).await;
    gone.is_error(404, "X account not found");
    let mut on_theirs = new;
    on_theirs["x_account_id"] = json!(others);
    send("POST", "/api/scheduled-posts", on_theirs).await.is_error(404, "X account not found");
    for path in [format!("/api/users/{victim}/scheduled-posts"), format!("/api/me/{victim}")] {
        send("GET", &path, json!({})).await.is_error(404, "Not found");
    }
    assert_eq!(send("DELETE", &path, json!({})).await.status, 204);

    let posts = other.get("/api/scheduled-posts").await.json();
    assert_eq!(posts["posts"].as_array().unwrap().len(), 1, "{posts}");
    assert_eq!(
        (&posts["posts"][0]["id"], &posts["posts"][0]["content"]),
        (&json!(theirs), &json!("theirs"))
    );
    let accounts = other.get("/api/x-accounts").await.json();
    assert_eq!(accounts["accounts"].as_array().unwrap().len(), 1, "{accounts}");
}

/// The owner is part of the statement itself: nothing happens between a look and a deed.
async fn f3_a_post_that_changes_hands_meanwhile_is_left_alone(world: World) {
    let _server = world.serve().await;
    let clerk = world.clerk();
    let (_, mine) = clerk.user(&world.api(), "mine@example.com").await;
    let (other_id, other) = clerk.user(&world.api(), "other@example.com").await;
    let (account, others) = (mine.account("@mine").await, other.account("@other").await);
    let db = world.database().await;
    for round in 0..10 {
        let post = mine.scheduled(&account, "mine", "2030-01-01T00:00:00Z").await;
        let path = format!("/api/scheduled-posts/{post}");
        let moved = format!(
            "UPDATE scheduled_posts SET user_id = '{other_id}', x_account_id = {}, content = 'other' \
             WHERE id = {}",
            literal(&db, &others),
            literal(&db, &post)
        );
        let change = json!({ "content": format!("mine {round}") });
        // Most of the changes and all of the deletions come while or after it changes hands.
        let (before, during, moved, after, gone) = tokio::join!(
            mine.put(&path, &change),
            mine.put(&path, &change),
            db.execute_unprepared(&moved),
            mine.put(&path, &change),
            mine.put(&path, &change),
        );
        moved.unwrap();
        for answer in [before, during, after, gone] {
            assert!([200, 404].contains(&answer.status), "{answer:?}");
        }
        mine.put(&path, &change).await.is_error(404, "Post not found");
        mine.delete(&path).await.is_error(404, "Post not found");
        let kept = other.put(&path, &json!({})).await.json();
        assert_eq!(kept["content"], "other");
        // One of several deletions is the one that did it.
        let deletions = tokio::join!(other.delete(&path), other.delete(&path), other.delete(&path));
        let (a, b, c) = deletions;
        let mut statuses = [a.status, b.status, c.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [204, 404, 404]);
    }
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
    let (others, post) = (literal(&db, &others), literal(&db, &post));
    let update = format!("UPDATE scheduled_posts SET x_account_id = {others} WHERE id = {post}");
    let refused = db.execute_unprepared(&update).await.unwrap_err();
    assert!(refused.to_string().to_lowercase().contains("foreign key"), "{refused}");
}

/// An id as it stands in a statement.
fn literal(db: &DatabaseConnection, id: &str) -> String {
    match db.get_database_backend() {
        DbBackend::Postgres => format!("'{id}'"),
        _ => format!("x'{}'", id.replace('-', "")),
    }
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
    f2_another_users_id_is_an_id_that_does_not_exist,
    f1_a_user_id_that_a_client_sends_changes_nothing,
    f3_a_post_that_changes_hands_meanwhile_is_left_alone,
    the_database_itself_refuses_a_post_on_anothers_account,
);
