//! The common parts of all answers: JSON errors, the headers of refusals.

use serde_json::json;

use crate::support::{World, answer, on_every_backend};

async fn refusals_are_exact(world: World) {
    let _server = world.serve().await;
    let api = world.api();
    for path in ["/api/me", "/api/x-accounts", "/api/scheduled-posts"] {
        let nobody = api.get(path).await;
        assert_eq!(nobody.text, r#"{"detail":"Not authenticated"}"#);
        nobody.is_error(401, "Not authenticated");
        assert_eq!(nobody.header("www-authenticate"), Some("Bearer"));
        let forged = api.with_token("a.b.c").get(path).await;
        forged.is_error(401, "Invalid token");
        assert_eq!(forged.header("www-authenticate"), Some(r#"Bearer error="invalid_token""#));
        assert_eq!(forged.header("cache-control"), Some("no-store"));
        // What a request says of itself does not make this server speak gRPC.
        let grpc = api.with_token("a.b.c").request("GET", path);
        let grpc = answer(grpc.header("content-type", "application/grpc")).await;
        grpc.is_error(401, "Invalid token");
    }
    let clerk = world.clerk();
    let user = clerk.sign_up("expired@example.com").await;
    let path = format!("/v1/sessions/{}/tokens", clerk.session(&user).await);
    let token = clerk.backend.post(&path, &json!({ "expires_in_seconds": 0 })).await.json();
    // A token of no length is over within the skew; an hour-old one would need an hour-old clock.
    let api = api.with_token(token["jwt"].as_str().unwrap());
    crate::support::until("the token expires", async || {
        let answer = api.get("/api/me").await;
        (answer.status == 401).then(|| answer.is_error(401, "Token expired"))
    })
    .await;
}

async fn f8_f9_every_rejection_is_json(world: World) {
    let _server = world.serve().await;
    let (_, api) = world.clerk().user(&world.api(), "json@example.com").await;
    let post = |body: &'static [u8], content_type: &'static str| {
        let request = api.request("POST", "/api/x-accounts").header("content-type", content_type);
        // Whose body is not read to its end, its connection ends.
        let request = request.header("connection", "close");
        answer(request.body(body))
    };
    const JSON: &str = "application/json";
    let deep: &'static [u8] =
        Box::leak(format!("{{\"x\":{}", "[".repeat(60_000)).into_bytes().into_boxed_slice());
    let large: &'static [u8] = Box::leak(vec![b' '; 70_000].into_boxed_slice());
    for (status, body, content_type) in [
        (400, &b""[..], JSON),
        (400, b"{", JSON),
        (400, b"{\"handle\":\"a\"}x", JSON),
        (400, b"{\"handle\":\"\xff\"}", JSON),
        (400, b"\xef\xbb\xbf{\"handle\":\"a\"}", JSON),
        (400, b"{\"handle\":NaN}", JSON),
        (400, deep, JSON),
        (413, large, JSON),
        (415, b"{\"handle\":\"a\"}", "text/plain"),
        (422, b"{\"handle\":\"a\",\"handle\":\"b\"}", JSON),
        (422, b"{}", JSON),
        (422, b"[\"@a\"]", JSON),
        (422, b"null", JSON),
    ] {
        let refused = post(body, content_type).await;
        assert_eq!(refused.status, status, "{refused:?}");
        assert_eq!(refused.header("content-type"), Some(JSON), "{refused:?}");
        assert!(refused.json()["detail"].is_string());
        assert_eq!(refused.header("x-content-type-options"), Some("nosniff"));
    }
    api.get("/api/nothing").await.is_error(404, "Not found");
    api.get("/nothing").await.is_error(404, "Not found");
    let wrong = answer(api.request("PATCH", "/api/scheduled-posts/1")).await;
    wrong.is_error(405, "Method not allowed");
    assert_eq!(wrong.header("allow"), Some("PUT,DELETE"));
    let hook = api.get("/api/webhooks/clerk").await;
    hook.is_error(405, "Method not allowed");
    assert_eq!(hook.header("allow"), Some("POST"));
    assert_eq!(world.api().get("/healthz").await.status, 200);
    let page = world.api().get("/").await;
    assert!(page.header("content-security-policy").unwrap().starts_with("default-src 'none'"));
    let unsigned = world.api().post("/api/webhooks/clerk", &json!({})).await;
    assert_eq!(unsigned.status, 400, "{unsigned:?}");
    assert!(unsigned.json()["detail"].is_string());
}

on_every_backend!(refusals_are_exact, f8_f9_every_rejection_is_json);
