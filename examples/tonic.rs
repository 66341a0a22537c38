//! The layer on a tonic server, and a client that is first refused and then admitted.
//!
//! ```sh
//! cargo run --example tonic
//! ```
#![allow(clippy::print_stdout, reason = "a program prints for its user")]

use std::net::SocketAddr;

use tokio::net::TcpListener;
use tonic::metadata::MetadataValue;
use tonic::transport::server::{Router, TcpIncoming};
use tonic::transport::{Channel, Server};
use tonic::{Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tower::layer::util::{Identity, Stack};
use tower_clerk::session::{ClerkAuthLayer, PemKey, Verifier};
use tower_clerk::test_util::Issuer;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let issuer = Issuer::new("https://clerk.example.com", "ins_example");
    let verifier = Verifier::builder(issuer.iss(), PemKey::parse(&issuer.pem())?).build()?;

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let addr = listener.local_addr()?;
    tokio::spawn(app(verifier).serve_with_incoming(TcpIncoming::from(listener)));

    println!("without a token: {:?}", ask(addr, None).await?);
    let token = issuer.token("user_1").mint();
    println!("with a token: {:?}", ask(addr, Some(&token)).await?);
    Ok(())
}

/// Returns the whole server: gRPC's health service behind the layer.
pub(crate) fn app(verifier: Verifier) -> Router<Stack<ClerkAuthLayer, Identity>> {
    let (_reporter, health) = tonic_health::server::health_reporter();
    Server::builder().layer(ClerkAuthLayer::new(verifier).grpc()).add_service(health)
}

/// Asks the server for its health; returns its answer, or the status of a refusal.
pub(crate) async fn ask(
    addr: SocketAddr,
    token: Option<&str>,
) -> Result<Result<ServingStatus, Status>, Box<dyn std::error::Error>> {
    let channel = Channel::from_shared(format!("http://{addr}"))?.connect().await?;
    let mut request = Request::new(HealthCheckRequest::default());
    if let Some(token) = token {
        let bearer = MetadataValue::try_from(format!("Bearer {token}"))?;
        request.metadata_mut().insert("authorization", bearer);
    }
    let answer = HealthClient::new(channel).check(request).await;
    Ok(answer.map(|answer| answer.into_inner().status()))
}
