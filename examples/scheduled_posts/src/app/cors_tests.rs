//! Errors that no request can cause from outside, as a page of an allowed origin sees them.

use axum::body::Body;
use tower::ServiceExt as _;

use super::*;

#[expect(clippy::panic, reason = "that is what is to be survived")]
async fn panics() -> Response {
    panic!("a handler at its worst")
}

/// Never answers; the test's paused clock runs into the time limit.
async fn waits() -> Response {
    std::future::pending().await
}

#[tokio::test(start_paused = true)]
async fn f16_the_answers_to_a_panic_and_to_too_slow_a_request_can_be_read_by_the_page() {
    const OWN: &str = "https://app.example.com";
    let routes = Router::new().route("/panics", get(panics)).route("/waits", get(waits));
    let origins = vec![HeaderValue::from_static(OWN)];
    let app = around(routes, CorsConfig { origins, headers: Vec::new() });
    for (path, status) in [("/panics", 500), ("/waits", 408)] {
        for (origin, allowed) in [(OWN, Some(OWN)), ("https://evil.com", None)] {
            let request = Request::builder().uri(path).header(header::ORIGIN, origin);
            let request = request.header(header::HOST, "localhost:8002");
            let request = request.body(Body::empty()).unwrap();
            let response = app.clone().oneshot(request).await.unwrap();
            assert_eq!(response.status().as_u16(), status);
            let header = |name| response.headers().get(name).map(|value| value.to_str().unwrap());
            assert_eq!(header(header::ACCESS_CONTROL_ALLOW_ORIGIN), allowed);
            assert_eq!(header(header::VARY), Some("origin"));
            assert_eq!(header(header::CONTENT_TYPE), Some("application/json"));
        }
    }
}
