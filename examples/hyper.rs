//! The same on plain hyper: no framework, the layer around a function.
//!
//! ```sh
//! cargo run --example hyper
//! ```
#![allow(clippy::print_stdout, reason = "a program speaks to who starts it")]

use std::convert::Infallible;
use std::time::Duration;

use http::{Request, Response};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tower::{Layer, service_fn};
use tower_clerk::session::{ClerkAuthLayer, PemKey, Session, Verifier};
use tower_clerk::test_util::Issuer;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let issuer = Issuer::new("https://clerk.example.com", "ins_example");
    let verifier = Verifier::builder(issuer.iss(), PemKey::parse(&issuer.pem())?).build()?;
    let layer = ClerkAuthLayer::new(verifier);

    let listener = tokio::net::TcpListener::bind("127.0.0.1:3001").await?;
    let token = issuer.token("user_1").expires_after(Duration::from_secs(3600)).mint();
    println!("curl -H 'Authorization: Bearer {token}' http://{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        let service = TowerToHyperService::new(layer.layer(service_fn(greet)));
        tokio::spawn(async move {
            let mut http = hyper::server::conn::http1::Builder::new();
            http.timer(TokioTimer::new()).header_read_timeout(Duration::from_secs(10));
            if let Err(error) = http.serve_connection(TokioIo::new(stream), service).await {
                println!("a connection ended early: {error}");
            }
        });
    }
}

async fn greet(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let greeting = match request.extensions().get::<Session>() {
        Some(session) => format!("hello, {}\n", session.user_id()),
        None => "hello, whoever you are\n".to_owned(),
    };
    Ok(Response::new(Full::from(greeting)))
}
