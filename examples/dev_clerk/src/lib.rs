//! A stand-in for Clerk on this machine: users, organizations, sessions, tokens, webhooks.
//!
//! The server under test reaches it over HTTP only and shares nothing with it but its address.
//!
//! The program `dev-clerk` runs it alone, for servers in any language; its README lists its routes.
//! A Rust program can embed it:
//!
//! ```
//! use dev_clerk::{DevClerk, Place};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let folder = folder.path();
//! // Any free port; no webhooks are posted.
//! let place = Place::new(0, folder.join("users.json"));
//! let DevClerk { listener, router, variables, url, .. } = DevClerk::start(&place, None).await?;
//! tokio::spawn(async move { axum::serve(listener, router).await });
//!
//! assert!(variables.contains(&("CLERK_API_URL", url.clone())));
//! let keys = reqwest::get(format!("{url}/.well-known/jwks.json")).await?;
//! assert_eq!(keys.status(), 200);
//! # Ok(())
//! # }
//! ```

mod backend_api;
mod body;
mod codes;
mod dev_api;
mod dev_page;
mod error;
mod example;
mod guard;
mod instance;
mod list;
mod machine;
mod machines;
mod organization;
mod organization_api;
mod organizations;
mod own_deliveries;
mod page;
mod random;
mod records;
mod records_file;
mod sessions;
mod sign_in;
mod start_error;
mod time;
mod user;
mod webhooks;

use std::io;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router, middleware};
use tokio::net::TcpListener;
use tower_clerk::secret::SigningSecret;
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::error::ClerkError;
use crate::instance::Instance;
use crate::records::{Records, publishable_key};
use crate::records_file::RecordsFile;
use crate::webhooks::{Endpoint, Outbox};

pub use start_error::StartError;

/// The port of a stand-in on 127.0.0.1, and the file with its users and its key.
#[derive(Clone, Debug)]
pub struct Place {
    port: u16,
    file: PathBuf,
}

impl Place {
    /// Returns a place; takes no port and opens no file. Port 0 stands for any port that is free
    /// when the stand-in starts; [`DevClerk::url`] contains the actual one.
    pub fn new(port: u16, file: impl Into<PathBuf>) -> Self {
        Self { port, file: file.into() }
    }
}

/// A stand-in that is bound to its port and ready to be served.
#[derive(Debug)]
#[non_exhaustive]
pub struct DevClerk {
    /// The listener on its port.
    pub listener: TcpListener,
    /// All routes that it serves.
    pub router: Router,
    /// The variables that point a server at it, as Clerk's Dashboard would show them.
    pub variables: Vec<(&'static str, String)>,
    /// Its origin, `http://127.0.0.1:…`: the issuer, and both APIs.
    pub url: String,
}

impl DevClerk {
    /// Takes the port and the file, which is created when it does not exist. Webhooks are posted to
    /// the URL `webhooks`; with `None`, none are posted.
    ///
    /// The file is locked until all clones of `router` are dropped, by `<file>.lock` beside it.
    ///
    /// # Errors
    ///
    /// Fails when the port is taken, another stand-in has the file, the file cannot be used, or the
    /// URL cannot be posted to.
    pub async fn start(place: &Place, webhooks: Option<&str>) -> Result<Self, StartError> {
        let endpoint = webhooks.map(Endpoint::new).transpose()?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, place.port)).await;
        let listener = listener.map_err(|error| StartError::Port(place.port, error))?;
        let port =
            listener.local_addr().map_err(|error| StartError::Port(place.port, error))?.port();
        let (host, url) = address(port);
        let file = RecordsFile::take(&place.file)?;
        let (records, issuer) = file.load_or_new(&url)?;
        let secret = SigningSecret::parse(&records.signing_secret);
        let secret = secret.map_err(|error| {
            StartError::File(place.file.clone(), io::Error::new(io::ErrorKind::InvalidData, error))
        })?;
        let variables = variables(&host, &url, &records);
        let outbox = Outbox::new(endpoint, secret);
        let instance = Instance::new(issuer, file, outbox, records);
        Ok(Self { listener, router: router(instance), variables, url })
    }
}

/// Returns the variables that point a server at the stand-in of this place, or `None` if its file
/// does not exist or cannot be used. Creates nothing; the stand-in may be running.
#[must_use]
pub fn variables_of(place: &Place) -> Option<Vec<(&'static str, String)>> {
    let (host, url) = address(place.port);
    let records = records_file::look(&place.file, &url)?;
    Some(variables(&host, &url, &records))
}

fn address(port: u16) -> (String, String) {
    let host = format!("127.0.0.1:{port}");
    let url = format!("http://{host}");
    (host, url)
}

fn router(instance: Instance) -> Router {
    let secret_key = middleware::from_fn_with_state(instance.clone(), backend_api::secret_key);
    let backend = backend_api::routes()
        .merge(organization_api::routes())
        .merge(sessions::backend_routes())
        .merge(dev_api::routes())
        .merge(machines::routes())
        .route("/v1/jwks", get(jwks))
        .route_layer(secret_key);
    let pages =
        AllowOrigin::predicate(|origin, _| origin.to_str().is_ok_and(guard::is_loopback_origin));
    let cors = CorsLayer::new()
        .allow_origin(pages)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE]);
    // The fallback comes before the layer, which answers preflights itself.
    let frontend = sessions::frontend_routes()
        .merge(own_deliveries::routes())
        .method_not_allowed_fallback(wrong_method)
        .layer(cors);
    Router::new()
        .route("/.well-known/jwks.json", get(jwks))
        .route("/.well-known/oauth-authorization-server", get(machines::authorization_server))
        .route("/dev/jwt-key.pem", get(jwt_key))
        .merge(backend)
        .merge(frontend)
        .merge(dev_page::routes())
        .merge(page::routes())
        .merge(sign_in::routes())
        .fallback(async || ClerkError::no_route(StatusCode::NOT_FOUND))
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::map_response(nosniff))
        .layer(middleware::from_fn(guard::loopback_host))
        .with_state(instance)
}

async fn wrong_method() -> ClerkError {
    ClerkError::no_route(StatusCode::METHOD_NOT_ALLOWED)
}

async fn jwks(axum::extract::State(instance): axum::extract::State<Instance>) -> Response {
    Json(instance.jwks()).into_response()
}

/// Returns the public key as Clerk's Dashboard shows it, for SDKs that verify without fetching
/// keys.
async fn jwt_key(axum::extract::State(instance): axum::extract::State<Instance>) -> Response {
    ([(header::CONTENT_TYPE, "application/x-pem-file")], instance.pem()).into_response()
}

async fn nosniff(mut response: Response) -> Response {
    let value = HeaderValue::from_static("nosniff");
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, value);
    response
}

fn variables(host: &str, url: &str, records: &Records) -> Vec<(&'static str, String)> {
    vec![
        ("CLERK_PUBLISHABLE_KEY", publishable_key(host)),
        ("CLERK_SECRET_KEY", records.secret_key.clone()),
        ("CLERK_ISSUER", url.to_owned()),
        ("CLERK_JWKS_URL", format!("{url}/.well-known/jwks.json")),
        ("CLERK_API_URL", url.to_owned()),
        ("CLERK_WEBHOOK_SIGNING_SECRET", records.signing_secret.clone()),
    ]
}
