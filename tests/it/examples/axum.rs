//! `examples/axum.rs`, and with it the code that README.md and the crate's documentation begin with.

#[expect(dead_code, reason = "tests start it without its `main`")]
#[path = "../../../examples/axum.rs"]
mod example;

use super::{curl, follow, serve};

async fn start() -> (std::net::SocketAddr, String) {
    let (verifier, token) = example::stand_in().unwrap();
    (serve(example::app(verifier)).await, token)
}

#[tokio::test]
async fn who_signed_in_is_told_who_they_are_and_nobody_else_is() {
    let (addr, token) = start().await;
    let bodies = follow(&example::instructions(addr, &token)).await;
    assert_eq!(
        bodies,
        [
            r#"{"session_id":"sess_user_1","user_id":"user_1"}"#,
            r#"{"detail":"Not authenticated"}"#,
            ""
        ]
    );
}

#[tokio::test]
async fn fault_a6_an_unknown_path_is_404_and_a_guarded_one_401_with_the_code_of_the_readme() {
    let quick_start =
        r#"Router::new().route("/me", get(me)).route_layer(ClerkAuthLayer::new(verifier))"#;
    for text in [
        include_str!("../../../examples/axum.rs"),
        include_str!("../../../README.md"),
        include_str!("../../../src/lib.rs"),
    ] {
        assert!(text.contains(quick_start), "another code than the one that is served here");
    }

    let (addr, token) = start().await;
    let bearer = format!("authorization: Bearer {token}");
    let status = async |path: &str, header: Option<&str>| {
        let mut words = vec![format!("http://{addr}{path}")];
        words.extend(header.into_iter().flat_map(|header| ["-H".to_owned(), header.to_owned()]));
        curl(&words).await.0
    };
    for path in ["/favicon.ico", "/", "/me/more"] {
        assert_eq!(status(path, None).await, 404, "{path} for nobody");
        assert_eq!(status(path, Some("authorization: Bearer x.y.z")).await, 404, "{path}");
        assert_eq!(status(path, Some(&bearer)).await, 404, "{path} for somebody");
    }
    assert_eq!(status("/me", None).await, 401);
    assert_eq!(status("/me", Some("authorization: Bearer x.y.z")).await, 401);
    assert_eq!(status("/me", Some(&bearer)).await, 200);
}
