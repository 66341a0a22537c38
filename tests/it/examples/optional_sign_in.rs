//! `examples/optional_sign_in.rs`.

#[expect(dead_code, reason = "tests start it without its `main`")]
#[path = "../../../examples/optional_sign_in.rs"]
mod example;

use super::{follow, serve};

#[tokio::test]
async fn a_page_greets_the_signed_in_user_and_the_anonymous_one() {
    let (verifier, token) = example::stand_in().unwrap();
    let addr = serve(example::app(verifier)).await;
    let bodies = follow(&example::instructions(addr, &token)).await;
    assert_eq!(
        bodies,
        [
            "Welcome back, user_1.\n",
            "Welcome. Sign in to see your account.\n",
            r#"{"detail":"Not authenticated"}"#,
            r#"{"detail":"Invalid token"}"#,
        ]
    );
}
