//! `examples/tonic.rs`.

#[expect(dead_code, reason = "tests start it without its `main`")]
#[path = "../../../examples/tonic.rs"]
mod example;

use tonic::Code;
use tonic::transport::server::TcpIncoming;
use tonic_health::pb::health_check_response::ServingStatus;
use tower_clerk::session::{StaticKeys, Verifier};

use super::bind;
use crate::support::servers::{ISS, issuer};

#[tokio::test]
async fn a_grpc_client_is_refused_without_a_token_and_answered_with_one() {
    let issuer = issuer();
    let keys = StaticKeys::from_jwks(&issuer.jwks().to_string()).unwrap();
    let verifier = Verifier::builder(ISS, keys).build().unwrap();
    let (listener, addr) = bind().await;
    let server = example::app(verifier).serve_with_incoming(TcpIncoming::from(listener));
    tokio::spawn(server);

    let refused = example::ask(addr, None).await.unwrap().unwrap_err();
    assert_eq!((refused.code(), refused.message()), (Code::Unauthenticated, "Not authenticated"));
    let token = issuer.token("user_1").mint();
    let served = example::ask(addr, Some(&token)).await.unwrap().unwrap();
    assert_eq!(served, ServingStatus::Serving);
}
