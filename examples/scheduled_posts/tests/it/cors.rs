//! CORS: the pages that may read answers, including errors.

use serde_json::json;

use crate::support::{Answer, Api, World, answer, free_port, on_every_backend, until};

const OWN: &str = "https://app.example.com";
const SECOND: &str = "http://localhost:5173";
const HEADERS: &str =
    "authorization,content-type,x-request-id,traceparent,tracestate,baggage,sentry-trace";

async fn f15_only_listed_origins_may_read_answers(world: World) {
    let _server = world.serve_with(&origins()).await;
    let api = world.api();
    for path in ["/api/me", "/api/nothing", "/healthz", "/"] {
        for origin in [OWN, SECOND] {
            let allowed = answer(api.request("GET", path).header("origin", origin)).await;
            is_readable_by(&allowed, origin);
        }
        // A cache must not give one origin what another was told.
        let without = api.get(path).await;
        assert_eq!(without.header("vary"), Some("origin"), "{without:?}");
    }
    for origin in [
        "null",
        "*",
        "https://app.example.com.evil.com",
        "https://evil-app.example.com",
        "https://evilapp.example.com",
        "https://evil.app.example.com",
        "https://example.com",
        "http://app.example.com",
        "https://app.example.com:8443",
        "https://app.example.com:443",
        "https://app.example.com/",
        "https://app.example.com.",
        "https://APP.example.com",
        "HTTPS://app.example.com",
        "https://app.example.com, http://localhost:5173",
        "https://app.example.com http://localhost:5173",
        "https://app.example.com@evil.com",
        "https://app\u{2024}example.com",
        "http://localhost:3000",
        "http://localhost:51730",
        "",
    ] {
        for (method, path) in [("GET", "/api/me"), ("POST", "/api/x-accounts"), ("GET", "/")] {
            is_readable_by_nobody(
                &answer(api.request(method, path).header("origin", origin)).await,
            );
        }
        is_readable_by_nobody(&preflight(&api, origin, "POST", "authorization").await);
    }
    // An allowed origin beside another is two origins, which no browser sends.
    let two = api.request("GET", "/api/me").header("origin", "https://evil.com");
    is_readable_by_nobody(&answer(two.header("origin", OWN)).await);
}

async fn f16_a_preflight_needs_no_token_and_counts_on_no_limit(world: World) {
    let limits = [("ADDRESS_RATE_LIMIT", "1/hour"), ("RATE_LIMIT", "1/hour")];
    let limits = limits.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let _server = world.serve_with(&[origins(), limits.to_vec()].concat()).await;
    let api = world.api();
    for n in 0..10 {
        for (path, method) in [
            ("/api/me", "GET"),
            ("/api/scheduled-posts", "POST"),
            ("/api/scheduled-posts/1", "PUT"),
            ("/api/x-accounts/1", "DELETE"),
        ] {
            let allowed = ask_first(&api, path, OWN, method, "authorization,content-type").await;
            assert!(matches!(allowed.status, 200 | 204), "{allowed:?}");
            is_readable_by(&allowed, OWN);
            let methods = allowed.header("access-control-allow-methods").unwrap();
            assert!(methods.split(',').any(|allowed| allowed == method), "{methods}");
            let headers = allowed.header("access-control-allow-headers").unwrap();
            assert_eq!(headers, HEADERS);
        }
        // In between the limit is used up, and it is of no consequence.
        let status = api.get("/api/me").await.status;
        assert_eq!(status, if n == 0 { 401 } else { 429 });
    }
}

/// Libraries for tracing add these to the requests of a page.
async fn fault_c5_the_headers_of_tracing_and_those_that_are_named_pass_a_preflight(world: World) {
    let more = ("CORS_ALLOWED_HEADERS".to_owned(), "X-App-Version".to_owned());
    let _server = world.serve_with(&[origins(), vec![more]].concat()).await;
    let api = world.api();
    let wanted = "baggage,sentry-trace,traceparent,tracestate,x-request-id,x-app-version";
    let allowed = ask_first(&api, "/api/me", OWN, "GET", wanted).await;
    is_readable_by(&allowed, OWN);
    let headers = allowed.header("access-control-allow-headers").unwrap();
    for name in wanted.split(',') {
        assert!(headers.split(',').any(|allowed| allowed == name), "{name} in {headers}");
    }
    assert!(!headers.contains('*'), "{headers}");
}

/// The page of a desktop shell reads answers as any other page.
async fn fault_c6_a_page_under_a_shells_own_scheme_can_read_answers(world: World) {
    let list = "tauri://localhost,capacitor://localhost,chrome-extension://abcdefghijklmnop";
    let allowed = ("CORS_ALLOWED_ORIGINS".to_owned(), list.to_owned());
    let _server = world.serve_with(&[allowed]).await;
    for origin in list.split(',') {
        let answer = answer(world.api().request("GET", "/healthz").header("origin", origin)).await;
        is_readable_by(&answer, origin);
    }
}

async fn f16_errors_of_all_kinds_can_be_read_by_the_page(world: World) {
    let (mut clerk_process, clerk_variables) = world.dev_clerk().await;
    let limit = ("RATE_LIMIT".to_owned(), "12/hour".to_owned());
    let variables = [clerk_variables, origins(), vec![limit]].concat();
    let _server = world.serve_with(&variables).await;
    let clerk = world.clerk();
    let (id, api) = clerk.user(&world.api(), "errors@example.com").await;
    let error = async |status: u16, request: reqwest::RequestBuilder| {
        let refused = answer(request.header("origin", OWN)).await;
        assert_eq!(refused.status, status, "{refused:?}");
        is_readable_by(&refused, OWN);
        assert!(refused.json()["detail"].is_string(), "{refused:?}");
        refused
    };
    let post = |body: Vec<u8>| {
        let request = api.request("POST", "/api/x-accounts");
        request.header("content-type", "application/json").body(body)
    };
    let nobody = error(401, world.api().request("GET", "/api/me")).await;
    let exposed = nobody.header("access-control-expose-headers").unwrap();
    assert!(exposed.contains("www-authenticate") && exposed.contains("retry-after"), "{exposed}");
    error(404, api.request("GET", "/nothing")).await;
    error(404, api.request("DELETE", "/api/x-accounts/1")).await;
    error(405, api.request("PATCH", "/api/scheduled-posts/1")).await;
    error(405, world.api().request("GET", "/api/webhooks/clerk")).await;
    error(400, post(b"{".to_vec())).await;
    error(413, post(vec![b' '; 70_000])).await;
    error(415, api.request("POST", "/api/x-accounts").body("a")).await;
    error(422, post(b"{}".to_vec())).await;
    error(400, world.api().request("POST", "/api/webhooks/clerk").json(&json!({}))).await;
    clerk.backend.delete(&format!("/v1/users/{id}")).await;
    until("the deletion has arrived", async || (world.count("users").await == 0).then_some(()))
        .await;
    error(403, api.request("GET", "/api/me")).await;
    until("the limit is reached", async || (api.get("/api/me").await.status == 429).then_some(()))
        .await;
    error(429, api.request("GET", "/api/me")).await;

    // Keys that cannot be had.
    let token = clerk.token(&clerk.sign_up("keys@example.com").await).await;
    clerk_process.kill();
    let (mut late, late_api) = world.instance("late", free_port(), &variables);
    late.ready(&late_api).await;
    error(503, late_api.with_token(&token).request("GET", "/api/me")).await;
    late.terminate();
    until("it says that it stops", async || {
        let ready = answer(late_api.request("GET", "/readyz").header("origin", OWN)).await;
        (ready.status == 503).then(|| is_readable_by(&ready, OWN))
    })
    .await;
}

on_every_backend!(
    f15_only_listed_origins_may_read_answers,
    f16_a_preflight_needs_no_token_and_counts_on_no_limit,
    f16_errors_of_all_kinds_can_be_read_by_the_page,
    fault_c5_the_headers_of_tracing_and_those_that_are_named_pass_a_preflight,
    fault_c6_a_page_under_a_shells_own_scheme_can_read_answers,
);

async fn preflight(api: &Api, origin: &str, method: &str, headers: &str) -> Answer {
    ask_first(api, "/api/scheduled-posts", origin, method, headers).await
}

/// As a browser does before a request that a plain form could not send.
async fn ask_first(api: &Api, path: &str, origin: &str, method: &str, headers: &str) -> Answer {
    let request = api.request("OPTIONS", path).header("origin", origin);
    let request = request
        .header("access-control-request-method", method)
        .header("access-control-request-headers", headers);
    answer(request).await
}

#[track_caller]
fn is_readable_by(answer: &Answer, origin: &str) {
    assert_eq!(answer.header("access-control-allow-origin"), Some(origin), "{answer:?}");
    assert_eq!(answer.header("access-control-allow-credentials"), Some("true"), "{answer:?}");
    assert_eq!(answer.header("vary"), Some("origin"), "{answer:?}");
}

#[track_caller]
fn is_readable_by_nobody(answer: &Answer) {
    assert_eq!(answer.header("access-control-allow-origin"), None, "{answer:?}");
    assert_eq!(answer.header("vary"), Some("origin"), "{answer:?}");
}

fn origins() -> Vec<(String, String)> {
    vec![("CORS_ALLOWED_ORIGINS".to_owned(), format!("{OWN}, {SECOND}"))]
}
