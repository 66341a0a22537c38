//! `examples/own_tests.rs`; the tests in it are run too.

#[expect(dead_code, reason = "tests start it without its `main`")]
#[path = "../../../examples/own_tests.rs"]
mod example;

use std::sync::Arc;

use tower_clerk::clock::SystemClock;
use tower_clerk::session::{StaticKeys, Verifier};

use super::{follow, serve};
use crate::support::delivery::secret;
use crate::support::servers::{ISS, issuer};

#[tokio::test]
async fn the_server_of_the_tests_to_copy_works_on_a_socket_too() {
    let issuer = issuer();
    let keys = StaticKeys::from_jwks(&issuer.jwks().to_string()).unwrap();
    let verifier = Verifier::builder(ISS, keys).build().unwrap();
    let app = example::app(verifier, vec![secret()], Arc::new(SystemClock::new())).unwrap();
    let addr = serve(app).await;
    let bodies = follow(&example::instructions(addr, &issuer.token("user_1").mint())).await;
    assert_eq!(bodies, ["user_1", ""]);
}
