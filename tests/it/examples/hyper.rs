//! `examples/hyper.rs`.

#[expect(dead_code, reason = "tests start it without its `main`")]
#[path = "../../../examples/hyper.rs"]
mod example;

use super::{bind, follow};

#[tokio::test]
async fn a_function_on_plain_hyper_greets_whom_the_layer_lets_through() {
    let (verifier, token) = example::stand_in().unwrap();
    let (listener, addr) = bind().await;
    tokio::spawn(example::serve(listener, example::app(verifier)));
    let bodies = follow(&example::instructions(addr, &token)).await;
    assert_eq!(bodies, ["hello, user_1\n", r#"{"detail":"Not authenticated"}"#]);
}
