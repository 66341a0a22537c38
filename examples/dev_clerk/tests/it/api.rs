//! What the stand-in answers by itself, and what it posts.

use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Value, json};
use tokio::net::TcpListener;
use tower_clerk::secret::SigningSecret;
use tower_clerk::test_util::SignedDelivery;

use crate::support::{Program, Try, text};

#[tokio::test]
async fn it_speaks_the_backend_api() {
    let program = Program::new();
    let running = program.running().await;
    let (open, backend) = (running.open(), running.backend());
    for path in ["/v1/users", "/v1/jwks", "/v1/users/count", "/v1/instance"] {
        let refused = open.get(path).await;
        assert_eq!((refused.status, refused.code().as_str()), (401, "clerk_key_invalid"));
        assert_eq!(open.with_key("sk_test_wrong").get(path).await.status, 401);
    }
    assert_eq!(
        backend.get("/v1/jwks").await.json(),
        open.get("/.well-known/jwks.json").await.json()
    );
    let mut instance = backend.get("/v1/instance").await.json();
    assert!(text(&instance["id"].take()).starts_with("ins_"));
    let expected = json!({
        "object": "instance", "id": null, "environment_type": "development",
        "allowed_origins": null,
    });
    assert_eq!(instance, expected);
    let new = json!({
        "email_address": ["Ada@example.com"], "first_name": "Ada", "last_name": "Lovelace",
        "public_metadata": { "plan": "pro" }, "password": "ignored here",
    });
    let user = backend.post("/v1/users", &new).await.json();
    let id = user["id"].as_str().unwrap();
    assert!(id.starts_with("user_") && id.len() > 20);
    assert_eq!(user["object"], "user");
    assert_eq!(user["email_addresses"][0]["email_address"], "Ada@example.com");
    assert_eq!(user["primary_email_address_id"], user["email_addresses"][0]["id"]);
    assert_eq!(user["public_metadata"]["plan"], "pro");
    assert_eq!(user["created_at"], user["updated_at"]);
    let taken = backend.post("/v1/users", &json!({ "email_address": ["ada@example.com"] })).await;
    assert_eq!((taken.status, taken.code().as_str()), (422, "form_identifier_exists"));

    let path = format!("/v1/users/{id}");
    let mut last = user["updated_at"].as_i64().unwrap();
    for name in ["Augusta", "Ada", "A."] {
        let change = json!({ "first_name": name });
        let changed = backend.send("PATCH", &path, &change).await.json();
        assert_eq!(
            (&changed["first_name"], &changed["last_name"]),
            (&json!(name), &json!("Lovelace"))
        );
        assert!(changed["updated_at"].as_i64().unwrap() > last);
        last = changed["updated_at"].as_i64().unwrap();
    }
    for n in 0..4 {
        backend.sign_up(&format!("u{n}@example.com")).await;
    }
    let count = backend.get("/v1/users/count").await.json();
    assert_eq!(count, json!({ "object": "total_count", "total_count": 5 }));
    let first = backend.get("/v1/users?limit=3&order_by=%2Bcreated_at").await.json();
    assert_eq!(first[0]["id"], *id);
    let next = format!(
        "/v1/users?limit=3&order_by=%2Bcreated_at&starting_after={}",
        text(&first[2]["id"])
    );
    assert_eq!(backend.get(&next).await.json().as_array().unwrap().len(), 2);

    let others = format!(
        "/v1/users/count?user_id=-{id}&created_at_after={}",
        user["created_at"].as_i64().unwrap() - 1
    );
    assert_eq!(backend.get(&others).await.json()["total_count"], 4);

    let gone = backend.send("DELETE", &path, &json!({})).await.json();
    assert_eq!(gone, json!({ "object": "user", "id": id, "deleted": true }));
    let missing = backend.get(&path).await;
    assert_eq!((missing.status, missing.code().as_str()), (404, "resource_not_found"));
}

#[tokio::test]
async fn a_webhook_is_tried_again_and_keeps_its_users_order() {
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook?key=1", server.local_addr().unwrap());
    let program = Program::new().with("DEV_CLERK_WEBHOOK_URL", url);
    let running = program.running().await;
    let secret = running.variable("CLERK_WEBHOOK_SIGNING_SECRET");
    let secret = SigningSecret::parse(secret).unwrap();
    let backend = running.backend();
    let id = backend.sign_up("retry@example.com").await;
    let path = format!("/v1/users/{id}");
    let change = json!({ "first_name": "Re" });
    assert_eq!(backend.send("PATCH", &path, &change).await.status, 200);

    let first = Try::receive(&server, "500 Internal Server Error").await;
    let second = Try::receive(&server, "204 No Content").await;
    let third = Try::receive(&server, "204 No Content").await;
    assert_eq!((&first.header("svix-id"), &first.body), (&second.header("svix-id"), &second.body));
    assert_ne!(first.header("svix-timestamp"), second.header("svix-timestamp"));
    assert_ne!(second.header("svix-id"), third.header("svix-id"));
    let event = |tried: &Try| text(&serde_json::from_str::<Value>(&tried.body).unwrap()["type"]);
    assert_eq!((&*event(&second), &*event(&third)), ("user.created", "user.updated"));
    for tried in [first, second, third] {
        let seconds = tried.header("svix-timestamp").parse().unwrap();
        let sent_at = UNIX_EPOCH + Duration::from_secs(seconds);
        let signed =
            SignedDelivery::new(&secret, &tried.header("svix-id"), sent_at, tried.body.clone());
        assert_eq!(signed.headers()["svix-signature"], tried.header("svix-signature"));
    }
}
