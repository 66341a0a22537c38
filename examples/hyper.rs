//! The server of `axum.rs` on plain hyper: no framework, the layer around a function.
//!
//! ```sh
//! cargo run --example hyper
//! ```
#![allow(clippy::print_stdout, reason = "a program prints for its user")]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use http::{Request, Response};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tower::{Layer, Service, service_fn};
use tower_clerk::config::ClerkConfig;
use tower_clerk::session::{AuthBody, ClerkAuthLayer, PemKey, Session, Verifier};
use tower_clerk::test_util::Issuer;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (verifier, token) = match std::env::var("CLERK_PUBLISHABLE_KEY") {
        Ok(_) => (ClerkConfig::from_env()?.verifier()?, TOKEN_OF_YOURS.to_owned()),
        Err(_) => stand_in()?,
    };
    let listener = TcpListener::bind("127.0.0.1:3001").await?;
    println!("{}", instructions(listener.local_addr()?, &token));
    serve(listener, app(verifier)).await?;
    Ok(())
}

/// Returns the whole service: a function behind the layer.
pub(crate) fn app(
    verifier: Verifier,
) -> impl Service<
    Request<Incoming>,
    Response = Response<AuthBody<Full<Bytes>>>,
    Error = Infallible,
    Future: Send,
> + Clone
+ Send
+ 'static {
    ClerkAuthLayer::new(verifier).layer(service_fn(greet))
}

async fn greet(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let greeting = match request.extensions().get::<Session>() {
        Some(session) => format!("hello, {}\n", session.user_id()),
        // Happens behind `ClerkAuthLayer::optional` only.
        None => "hello, whoever you are\n".to_owned(),
    };
    Ok(Response::new(Full::from(greeting)))
}

/// Serves HTTP/1.1 on every connection to `listener`.
pub(crate) async fn serve<S>(listener: TcpListener, service: S) -> std::io::Result<()>
where
    S: Service<Request<Incoming>, Response = Response<AuthBody<Full<Bytes>>>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send,
{
    loop {
        let (stream, _) = listener.accept().await?;
        let service = TowerToHyperService::new(service.clone());
        tokio::spawn(async move {
            let mut http = hyper::server::conn::http1::Builder::new();
            http.timer(TokioTimer::new()).header_read_timeout(Duration::from_secs(10));
            if let Err(error) = http.serve_connection(TokioIo::new(stream), service).await {
                println!("a connection ended early: {error}");
            }
        });
    }
}

/// Stands in for Clerk: returns a verifier and a token that it accepts.
pub(crate) fn stand_in() -> Result<(Verifier, String), Box<dyn std::error::Error>> {
    let issuer = Issuer::new("https://clerk.example.com", "ins_example");
    let verifier = Verifier::builder(issuer.iss(), PemKey::parse(&issuer.pem())?).build()?;
    Ok((verifier, issuer.token("user_1").expires_after(Duration::from_secs(3600)).mint()))
}

/// Returns the commands that try the server, each below the status that it gets.
pub(crate) fn instructions(addr: SocketAddr, token: &str) -> String {
    format!(
        "In another terminal:

  TOKEN='{token}'

200, and a greeting with the user id:
  curl -i -H \"Authorization: Bearer $TOKEN\" http://{addr}/

401 without a token:
  curl -i http://{addr}/
"
    )
}

const TOKEN_OF_YOURS: &str = "<what `await Clerk.session.getToken()` returns in your front end>";
