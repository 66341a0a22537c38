//! Callers that are not sessions: API keys, machines and OAuth applications, over real sockets.

mod api;
mod asked;
mod jwts;
mod locked_out;
mod served;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use serde_json::{Value, json};
use tower::{Layer, ServiceExt, service_fn};
use tower_clerk::secret::SecretKey;
use tower_clerk::session::machine::{
    BackendApiIntrospect, Introspection, MachineTokens, Principal,
};
use tower_clerk::session::{AuthError, AuthErrorKind, ClerkAuthLayer, StaticKeys, Verifier};
use tower_clerk::test_util::{Issuer, ManualClock};

use self::api::TokenApi;
use crate::support::servers::ISS;

/// A secret of the right shape, which the API knows by what it begins with.
fn secret(prefix: &str, name: &str) -> String {
    format!("{prefix}{name}/AbC+0123456789-_==")
}

fn verifier(issuer: &Issuer) -> Verifier {
    let keys = StaticKeys::from_jwks(&issuer.jwks().to_string()).unwrap();
    Verifier::builder(ISS, keys).build().unwrap()
}

fn questions(api: &TokenApi) -> BackendApiIntrospect {
    let key = SecretKey::parse("sk_live_canary").unwrap();
    BackendApiIntrospect::new(&api.url()).unwrap().secret_key(&key).unwrap()
}

/// All callers there are.
fn all(introspection: &Introspection) -> MachineTokens {
    MachineTokens::new(introspection).accept_api_keys().accept_m2m().accept_oauth()
}

fn layer(issuer: &Issuer, introspection: &Introspection) -> ClerkAuthLayer {
    ClerkAuthLayer::new(verifier(issuer)).machines(all(introspection))
}

fn clocked(api: &TokenApi) -> (Introspection, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new());
    (questions(api).into_builder().clock(clock.clone()).build(), clock)
}

/// What Clerk answers about a token that is in force.
fn answer(object: &str, subject: &str) -> Value {
    json!({
        "object": object, "id": "id_1", "subject": subject, "scopes": ["posts:read"],
        "revoked": false, "expired": false, "expiration": null, "claims": null,
        "name": "ci", "client_id": "app_1",
    })
}

fn api_key() -> Value {
    answer("api_key", "user_1")
}

/// The caller whom a layer lets in with a bearer token, or why it refuses the request.
async fn caller(layer: &ClerkAuthLayer, token: &str) -> Result<Principal, AuthErrorKind> {
    let who = service_fn(async |request: Request<()>| {
        let mut response = Response::new(http_body_util::Empty::<bytes::Bytes>::new());
        response.extensions_mut().insert(Principal::of(request.extensions()).unwrap());
        Ok::<_, Infallible>(response)
    });
    let request = Request::builder().header("authorization", format!("Bearer {token}"));
    let response = layer.layer(who).oneshot(request.body(()).unwrap()).await.unwrap();
    match response.extensions().get::<Principal>() {
        Some(principal) => Ok(principal.clone()),
        None => Err(response.extensions().get::<AuthError>().unwrap().kind()),
    }
}

/// Long enough for everything that is to happen, and never waited for in full.
const DEADLINE: Duration = Duration::from_secs(20);
