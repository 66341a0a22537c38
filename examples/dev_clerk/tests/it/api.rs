//! The stand-in's answers and the webhooks that it posts.

use std::time::{Duration, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
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
async fn sessions_are_shown_alone_and_listed_the_newest_first() {
    let program = Program::new();
    let running = program.running().await;
    let backend = running.backend();
    let (ada, bob) = (backend.sign_up("ada@example.com").await, backend.sign_up("b@c.d").await);
    let sign_in =
        async |user: &str| backend.post("/v1/sessions", &json!({ "user_id": user })).await.json();
    let (first, _, third) = (sign_in(&ada).await, sign_in(&bob).await, sign_in(&ada).await);
    assert_eq!(backend.get(&format!("/v1/sessions/{}", text(&first["id"]))).await.json(), first);
    let missing = backend.get("/v1/sessions/sess_none").await;
    assert_eq!((missing.status, missing.code().as_str()), (404, "resource_not_found"));

    let of_ada = format!("/v1/sessions?user_id={ada}&status=active");
    assert_eq!(backend.get(&of_ada).await.json(), json!([third, first]));
    let page = backend.get(&format!("{of_ada}&paginated=true&limit=1&offset=1")).await.json();
    assert_eq!(page, json!({ "data": [first], "total_count": 2 }));
    let of_client = format!("/v1/sessions?client_id={}", text(&third["client_id"]));
    assert_eq!(backend.get(&of_client).await.json(), json!([third]));
    assert_eq!(backend.get("/v1/sessions?status=revoked").await.json(), json!([]));
    let refused = backend.get("/v1/sessions?limit=many").await;
    assert_eq!((refused.status, refused.code().as_str()), (422, "form_param_format_invalid"));
}

#[tokio::test]
async fn metadata_is_merged_by_patch_and_replaced_by_put() {
    let program = Program::new();
    let running = program.running().await;
    let backend = running.backend();
    let path = format!("/v1/users/{}/metadata", backend.sign_up("ada@example.com").await);
    let first = json!({ "public_metadata": { "a": { "b": 1, "c": 2 } }, "first_name": "not here" });
    let user = backend.send("PATCH", &path, &first).await.json();
    assert_eq!(
        (&user["public_metadata"], &user["first_name"]),
        (&first["public_metadata"], &json!(null))
    );
    let change =
        json!({ "public_metadata": { "a": { "b": null }, "d": 3 }, "private_metadata": {} });
    let user = backend.send("PATCH", &path, &change).await.json();
    assert_eq!(user["public_metadata"], json!({ "a": { "c": 2 }, "d": 3 }));
    let put = json!({ "public_metadata": { "e": 4 } });
    let user = backend.send("PUT", &path, &put).await.json();
    assert_eq!(user["public_metadata"], json!({ "e": 4 }));
    let deliveries = backend.get("/dev/deliveries").await.json();
    assert_eq!(deliveries[0]["type"], "user.updated");
}

#[tokio::test]
async fn the_public_key_is_shown_as_pem_as_in_clerks_dashboard() {
    let program = Program::new();
    let running = program.running().await;
    let open = running.open();
    let pem = open.get("/dev/jwt-key.pem").await.text;
    let body = pem.strip_prefix("-----BEGIN PUBLIC KEY-----\n").unwrap();
    let body = body.strip_suffix("-----END PUBLIC KEY-----\n").unwrap();
    let der = STANDARD.decode(body.replace('\n', "")).unwrap();
    let jwks = open.get("/.well-known/jwks.json").await.json();
    let modulus = URL_SAFE_NO_PAD.decode(text(&jwks["keys"][0]["n"])).unwrap();
    assert!(modulus.len() == 256 && der.windows(256).any(|part| part == modulus));
}

#[tokio::test]
async fn what_it_does_not_have_is_refused_in_clerks_shape() {
    let program = Program::new();
    let running = program.running().await;
    let backend = running.backend();
    for (method, path, status) in [
        ("GET", "/v1/organizations_of_another_world", 404),
        ("PUT", "/v1/users", 405),
        ("DELETE", "/.well-known/jwks.json", 405),
    ] {
        let refused = backend.send(method, path, &json!({})).await;
        assert_eq!((refused.status, refused.code().as_str()), (status, "resource_not_found"));
    }
}

#[tokio::test]
async fn a_webhook_is_tried_again_and_keeps_its_users_order() {
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook?key=1", server.local_addr().unwrap());
    let program = Program::new().with("DEV_CLERK_WEBHOOK_URL", &url);
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

/// Browsers first ask (a preflight) whether a page on another port may request a token.
#[tokio::test]
async fn a_page_on_this_machine_may_ask_for_its_tokens_and_no_other_page_may() {
    let program = Program::new();
    let running = program.running().await;
    let open = running.open();
    for (path, method) in
        [("/v1/client/sessions/sess_1/tokens", "POST"), ("/dev/sessions/sess_1/deliveries", "GET")]
    {
        for (origin, allowed) in [("http://127.0.0.1:8002", true), ("https://evil.example", false)]
        {
            let preflight = open
                .request("OPTIONS", path)
                .header("origin", origin)
                .header("access-control-request-method", method);
            let answer = preflight.send().await.unwrap();
            let allows = answer.headers().get("access-control-allow-origin");
            assert_eq!(answer.status(), 200, "{path} {origin}");
            assert_eq!(allows.is_some_and(|it| it == origin), allowed, "{path} {origin}");
        }
    }
}
