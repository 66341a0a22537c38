//! The layer on a tonic server, and a client that is refused and then let in.
//!
//! ```sh
//! cargo run --example tonic
//! ```
#![allow(clippy::print_stdout, reason = "a program speaks to who starts it")]

use tokio::net::TcpListener;
use tonic::Request;
use tonic::metadata::MetadataValue;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Server};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tower_clerk::session::{ClerkAuthLayer, PemKey, Verifier};
use tower_clerk::test_util::Issuer;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let issuer = Issuer::new("https://clerk.example.com", "ins_example");
    let verifier = Verifier::builder(issuer.iss(), PemKey::parse(&issuer.pem())?).build()?;

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let addr = listener.local_addr()?;
    let (_reporter, health) = tonic_health::server::health_reporter();
    let server = Server::builder().layer(ClerkAuthLayer::new(verifier)).add_service(health);
    tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));

    let channel = Channel::from_shared(format!("http://{addr}"))?.connect().await?;
    let mut client = HealthClient::new(channel);
    let refused = client.check(HealthCheckRequest::default()).await.err();
    println!("without a token: {refused:?}");

    let mut request = Request::new(HealthCheckRequest::default());
    let bearer = format!("Bearer {}", issuer.token("user_1").mint());
    request.metadata_mut().insert("authorization", MetadataValue::try_from(bearer)?);
    println!("with a token: {:?}", client.check(request).await?.into_inner());
    Ok(())
}
