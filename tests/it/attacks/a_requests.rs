//! What a request says around its token: other headers, paths, the header's syntax, cookies.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::{Request, StatusCode};
use tower::ServiceExt as _;
use tower_clerk::session::{AuthErrorKind, ClerkAuthLayer, Session};

use super::target::{Target, Verdict, answer};

/// Headers by which other servers have been told who somebody is.
const IDENTITY_HEADERS: [&str; 10] = [
    "x-user-id",
    "x-clerk-auth-status",
    "x-clerk-auth-reason",
    "x-clerk-auth-token",
    "x-clerk-auth-signature",
    "x-clerk-user-id",
    "x-middleware-subrequest",
    "x-forwarded-user",
    "x-original-url",
    "remote-user",
];

#[tokio::test]
async fn a40_what_other_headers_say_of_an_identity_counts_for_nothing() {
    let target = Target::new();
    let layer = ClerkAuthLayer::new(target.verifier.clone());
    let good = target.token().mint();
    let bearing = |authorization: Option<&str>| {
        let mut request = Request::builder();
        for name in IDENTITY_HEADERS {
            request = request.header(name, if name.ends_with("token") { &good } else { "user_2" });
        }
        if let Some(value) = authorization {
            request = request.header("authorization", value);
        }
        request.body(()).unwrap()
    };
    assert_eq!(answer(&layer, bearing(None)).await, Err(AuthErrorKind::MissingCredentials));
    let own = answer(&layer, bearing(Some(&format!("Bearer {good}")))).await;
    assert_eq!(own, Ok("user_1".into()));
    let optional = layer.clone().optional();
    assert_eq!(answer(&optional, bearing(None)).await, Ok("anonymous".into()));
}

/// The layer hangs on the routes: however a path is written, it leads to a guarded handler or to
/// none.
#[tokio::test]
async fn a41_no_spelling_of_a_path_leads_past_the_layer() {
    let target = Target::new();
    let reached = Arc::new(AtomicUsize::new(0));
    let counted = reached.clone();
    let posts = move |session: Option<Session>| async move {
        counted.fetch_add(1, Ordering::Relaxed);
        session.map(|session| session.user_id().to_owned()).unwrap_or_default()
    };
    let guarded = Router::new()
        .route("/posts", get(posts.clone()).post(posts.clone()))
        .route("/posts/{id}", get(posts))
        .layer(ClerkAuthLayer::new(target.verifier.clone()));
    let app = Router::new().route("/public", get(async || "public")).nest("/api", guarded);
    let status = async |method: &str, path: &str, token: Option<&str>| {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let request = request.body(Body::empty()).unwrap();
        app.clone().oneshot(request).await.unwrap().status()
    };
    assert_eq!(status("GET", "/public", None).await, StatusCode::OK);
    for path in [
        "/api/posts",
        "/API/posts",
        "/api/POSTS",
        "//api/posts",
        "/api//posts",
        "/api/posts/",
        "/api/%70osts",
        "/%61pi/posts",
        "/api/./posts",
        "/public/../api/posts",
        "/public/..%2fapi/posts",
        "/api;x/posts",
        "/api/posts;x",
        "/api/posts%00",
        "/api/posts?public",
        "/api/posts/../posts",
        "/api/posts/1",
        "/api/posts/%2e%2e",
    ] {
        for method in ["GET", "HEAD", "POST", "OPTIONS", "PUT", "get"] {
            let status = status(method, path, None).await;
            let refused = [StatusCode::UNAUTHORIZED, StatusCode::NOT_FOUND];
            assert!(refused.contains(&status), "{method} {path}: {status}");
        }
    }
    assert_eq!(reached.load(Ordering::Relaxed), 0);
    assert_eq!(status("GET", "/api/posts", Some(&target.token().mint())).await, StatusCode::OK);
    assert_eq!(reached.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a42_where_the_anonymous_may_pass_a_bad_token_may_not() {
    let target = Target::new();
    let required = ClerkAuthLayer::new(target.verifier.clone());
    let optional = required.clone().optional();
    let with = |value: &str| Request::builder().header("authorization", value).body(()).unwrap();
    let good = target.token().mint();
    let expired = target.token().claim("exp", 1).mint();
    for (value, kind) in [
        ("Bearer garbage", AuthErrorKind::Malformed),
        ("Bearer", AuthErrorKind::Malformed),
        (&*good, AuthErrorKind::Malformed),
        (&*format!("Bearer {good}x"), AuthErrorKind::Malformed),
        (&*format!("Bearer {expired}"), AuthErrorKind::Expired),
    ] {
        for layer in [&required, &optional] {
            assert_eq!(answer(layer, with(value)).await, Err(kind), "{value}");
        }
    }
    let none = || Request::new(());
    assert_eq!(answer(&required, none()).await, Err(AuthErrorKind::MissingCredentials));
    assert_eq!(answer(&optional, none()).await, Ok("anonymous".into()));
}

#[tokio::test]
async fn a43_the_header_is_one_line_with_the_scheme_and_one_token() {
    let target = Target::new();
    let layer = ClerkAuthLayer::new(target.verifier.clone());
    let token = target.token().mint();
    let ask = async |lines: &[String]| -> Verdict {
        let mut request = Request::builder();
        for line in lines {
            request = request.header("authorization", line);
        }
        answer(&layer, request.body(()).unwrap()).await
    };
    for scheme in ["Bearer", "bearer", "BEARER", "bEaReR"] {
        assert_eq!(ask(&[format!("{scheme} {token}")]).await, Ok("user_1".into()), "{scheme}");
    }
    let bearer = format!("Bearer {token}");
    for lines in [
        vec![token.clone()],
        vec![format!("Bearer{token}")],
        vec![format!("Bearer\t{token}")],
        vec![format!("Bearer: {token}")],
        vec![format!("Bearer={token}")],
        vec![format!("Bearer \"{token}\"")],
        vec![format!("Bearer '{token}'")],
        vec![format!("Bearer <{token}>")],
        vec![format!("{bearer} extra")],
        vec![format!("{bearer} {token}")],
        vec![format!("{bearer},")],
        vec![format!("{bearer}, {bearer}")],
        vec![format!("{bearer};x=y")],
        vec![format!("Bearer token={token}")],
        vec![format!("Bearer Bearer {token}")],
        vec![format!("Basic {token}")],
        vec![format!("Token {token}")],
        vec![format!("JWT {token}")],
        vec![format!("Basic YTpi, {bearer}")],
        vec![bearer.clone(), bearer.clone()],
        vec![bearer.clone(), "Basic YTpi".into()],
        vec!["Basic YTpi".into(), bearer.clone()],
        vec![String::new(), bearer.clone()],
        vec![bearer.clone(), String::new()],
    ] {
        assert!(ask(&lines).await.is_err(), "{lines:?}");
    }
    // Bytes that are no text are no absence either, where the anonymous may pass.
    for token in [&b"Bearer a.b.\xff"[..], b"Bearer \xff", b"Bearer \xff a.b.c"] {
        let value = http::HeaderValue::from_bytes(token).unwrap();
        for layer in [layer.clone(), layer.clone().optional()] {
            let request = Request::builder().header("authorization", value.clone());
            let verdict = answer(&layer, request.body(()).unwrap()).await;
            assert_eq!(verdict, Err(AuthErrorKind::Malformed), "{value:?}");
        }
    }
}

#[tokio::test]
async fn a44_a_bad_header_is_not_made_up_for_by_a_good_cookie() {
    let target = Target::new();
    let layer = ClerkAuthLayer::new(target.verifier.clone());
    let good = target.token().mint();
    for bad in ["Bearer garbage", "Bearer", "garbage", "Bearer a.b.c", "Bearer null"] {
        for cookie in [format!("__session={good}"), format!("__client_uat=1; __session={good}")] {
            for layer in [layer.clone(), layer.clone().optional()] {
                let request = Request::builder()
                    .header("authorization", bad)
                    .header("cookie", &cookie)
                    .body(())
                    .unwrap();
                assert_eq!(answer(&layer, request).await, Err(AuthErrorKind::Malformed), "{bad}");
            }
        }
    }
}
