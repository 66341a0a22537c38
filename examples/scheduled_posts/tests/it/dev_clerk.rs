//! The stand-in by itself: its memory, its Backend API, its page, and whom it refuses.

use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Value, json};
use tokio::net::TcpListener;
use tower_clerk::secret::SigningSecret;
use tower_clerk::test_util::SignedDelivery;

use crate::support::{Answer, Try, World, answer, on_every_backend};

async fn users_and_keys_survive_a_restart(world: World) {
    let mut server = world.serve().await;
    let clerk = world.clerk();
    let (id, _) = clerk.user(&world.api(), "again@example.com").await;
    let session = clerk.session(&id).await;
    let old = clerk.token(&id).await;
    let keys = clerk.open.get("/.well-known/jwks.json").await.json();
    server.terminate();
    assert_eq!(server.exit_code().await, 0);

    let _server = world.serve().await;
    assert_eq!(clerk.open.get("/.well-known/jwks.json").await.json(), keys);
    let users = clerk.backend.get("/v1/users").await.json();
    assert_eq!((users[0]["id"].as_str(), users.as_array().unwrap().len()), (Some(&*id), 1));
    let new = clerk.token_answer(&session).await.json();
    for token in [&old, new["jwt"].as_str().unwrap()] {
        let me = world.api().with_token(token).get("/api/me").await.json();
        assert_eq!(me["user"]["email"], "again@example.com");
    }
    let file = if world.database_url.starts_with("sqlite") { "posts" } else { "scheduled-posts" };
    let file = world.folder().join(format!("{file}.dev-clerk.json"));
    let mode = std::os::unix::fs::PermissionsExt::mode(&file.metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
}

async fn it_speaks_the_backend_api(world: World) {
    let (_process, _) = world.dev_clerk().await;
    let clerk = world.clerk();
    for path in ["/v1/users", "/v1/jwks", "/v1/users/count", "/v1/instance"] {
        let refused = clerk.open.get(path).await;
        assert_eq!((refused.status, code(&refused).as_str()), (401, "clerk_key_invalid"));
        assert_eq!(clerk.open.with_token("sk_test_wrong").get(path).await.status, 401);
    }
    assert_eq!(
        clerk.backend.get("/v1/jwks").await.json(),
        clerk.open.get("/.well-known/jwks.json").await.json()
    );
    let mut instance = clerk.backend.get("/v1/instance").await.json();
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
    let user = clerk.backend.post("/v1/users", &new).await.json();
    let id = user["id"].as_str().unwrap();
    assert!(id.starts_with("user_") && id.len() > 20);
    assert_eq!(user["object"], "user");
    assert_eq!(user["email_addresses"][0]["email_address"], "Ada@example.com");
    assert_eq!(user["primary_email_address_id"], user["email_addresses"][0]["id"]);
    assert_eq!(user["public_metadata"]["plan"], "pro");
    assert_eq!(user["created_at"], user["updated_at"]);
    let taken =
        clerk.backend.post("/v1/users", &json!({ "email_address": ["ada@example.com"] })).await;
    assert_eq!((taken.status, code(&taken).as_str()), (422, "form_identifier_exists"));

    let path = format!("/v1/users/{id}");
    let mut last = user["updated_at"].as_i64().unwrap();
    for name in ["Augusta", "Ada", "A."] {
        let change = json!({ "first_name": name });
        let changed = answer(clerk.backend.request("PATCH", &path).json(&change)).await.json();
        assert_eq!(
            (&changed["first_name"], &changed["last_name"]),
            (&json!(name), &json!("Lovelace"))
        );
        assert!(changed["updated_at"].as_i64().unwrap() > last);
        last = changed["updated_at"].as_i64().unwrap();
    }
    for n in 0..4 {
        clerk.sign_up(&format!("u{n}@example.com")).await;
    }
    let count = clerk.backend.get("/v1/users/count").await.json();
    assert_eq!(count, json!({ "object": "total_count", "total_count": 5 }));
    let first = clerk.backend.get("/v1/users?limit=3&order_by=%2Bcreated_at").await.json();
    assert_eq!(first[0]["id"], *id);
    let next = format!(
        "/v1/users?limit=3&order_by=%2Bcreated_at&starting_after={}",
        text(&first[2]["id"])
    );
    assert_eq!(clerk.backend.get(&next).await.json().as_array().unwrap().len(), 2);

    let others = format!(
        "/v1/users/count?user_id=-{id}&created_at_after={}",
        user["created_at"].as_i64().unwrap() - 1
    );
    assert_eq!(clerk.backend.get(&others).await.json()["total_count"], 4);

    let gone = clerk.backend.delete(&path).await.json();
    assert_eq!(gone, json!({ "object": "user", "id": id, "deleted": true }));
    let missing = clerk.backend.get(&path).await;
    assert_eq!((missing.status, code(&missing).as_str()), (404, "resource_not_found"));
}

async fn a_browser_signs_up_and_gets_tokens_for_its_own_session(world: World) {
    let _server = world.serve().await;
    let clerk = world.clerk();
    let page = format!("http://127.0.0.1:{}/", world.port);
    let own = format!("http://127.0.0.1:{}", world.clerk_port);
    let form = format!(
        "redirect_url={}&email_address=b%40example.com&first_name=%3Cscript%3E",
        page.replace(':', "%3A").replace('/', "%2F")
    );
    let sign_up = |origin: &str, form: &str| {
        let request = clerk.open.request("POST", "/sign-up").header("origin", origin);
        answer(
            request
                .header("content-type", "application/x-www-form-urlencoded")
                .body(form.to_owned()),
        )
    };
    assert_eq!(sign_up(&page, &form).await.status, 403);
    let away = form.replace("127.0.0.1", "evil.example");
    assert_eq!(sign_up(&own, &away).await.status, 422);
    let back = sign_up(&own, &form).await;
    assert_eq!(back.status, 303, "{back:?}");
    let (target, fragment) = back.header("location").unwrap().split_once('#').unwrap();
    assert_eq!(target, page);
    let (client, session) = fragment.split_once('&').unwrap();
    let session = session.strip_prefix("session_id=").unwrap();

    let tokens = format!("/v1/client/sessions/{session}/tokens");
    assert_eq!(answer(clerk.open.request("POST", &tokens)).await.status, 401);
    let origin = page.trim_end_matches('/');
    let request =
        clerk.open.request("POST", &format!("{tokens}?{client}")).header("origin", origin);
    let token = answer(request).await;
    assert_eq!(token.header("access-control-allow-origin"), Some(origin));
    let me = world.api().with_token(&text(&token.json()["jwt"])).get("/api/me").await.json();
    assert_eq!(me["session_id"], *session);
    let other = clerk.open.request("POST", &tokens).header("origin", "https://evil.example");
    assert_eq!(answer(other).await.header("access-control-allow-origin"), None);

    let shown = clerk.open.get(&format!("/sign-in?redirect_url={page}")).await;
    assert!(shown.text.contains("&lt;script&gt;") && !shown.text.contains("<script>"), "{shown:?}");
    assert_eq!(clerk.open.get("/sign-in?redirect_url=http://evil.example/").await.status, 422);
    let rebound =
        clerk.open.request("GET", "/.well-known/jwks.json").header("host", "evil.example");
    assert_eq!(answer(rebound).await.status, 403);
}

async fn a_webhook_is_tried_again_and_keeps_its_users_order(world: World) {
    let server = TcpListener::bind(("127.0.0.1", world.port)).await.unwrap();
    let (_process, variables) = world.dev_clerk().await;
    let secret = variables.iter().find(|(name, _)| name == "CLERK_WEBHOOK_SIGNING_SECRET").unwrap();
    let secret = SigningSecret::parse(&secret.1).unwrap();
    let clerk = world.clerk();
    let id = clerk.sign_up("retry@example.com").await;
    let path = format!("/v1/users/{id}");
    let change = json!({ "first_name": "Re" });
    assert_eq!(answer(clerk.backend.request("PATCH", &path).json(&change)).await.status, 200);

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

fn code(answer: &Answer) -> String {
    text(&answer.json()["errors"][0]["code"])
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

on_every_backend!(
    users_and_keys_survive_a_restart,
    it_speaks_the_backend_api,
    a_webhook_is_tried_again_and_keeps_its_users_order,
    a_browser_signs_up_and_gets_tokens_for_its_own_session,
);
