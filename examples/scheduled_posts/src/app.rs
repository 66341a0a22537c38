//! The router: the routes with their layers, and the common parts of all answers.

#[cfg(test)]
mod cors_tests;
#[cfg(test)]
mod tests;

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Extension, Router};
use tower_clerk::session::ClerkAuthLayer;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::CorsLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::timeout::TimeoutLayer;

use crate::access::{self, Access};
use crate::config::{AuthPhase, CorsConfig};
use crate::error::{ApiError, answer};
use crate::limits::{self, Limits};
use crate::phases::{self, KnownHosts};
use crate::requests::{self, BODY_LIMIT, X_REQUEST_ID};
use crate::routes::{self, docs, page};
use crate::state::AppState;
use crate::telemetry;
use crate::webhook::Webhook;

/// Returns all routes with all layers, which the tests and the process serve alike.
pub(crate) fn app(
    state: AppState,
    access: &Access,
    phase: AuthPhase,
    webhook: Option<Webhook>,
    limits: &Arc<Limits>,
    cors: CorsConfig,
    hosts: KnownHosts,
) -> Router {
    let all = signed_in(access, phase, limits)
        .merge(Router::from(routes::of_all()).layer(Extension(webhook)))
        .merge(page::routes())
        .route("/openapi.json", get(docs::document))
        .route("/docs", get(docs::page))
        .route("/docs/{file}", get(docs::file))
        .fallback(async || answer(StatusCode::NOT_FOUND, "Not found"))
        .layer(middleware::from_fn_with_state(state.clone(), kept))
        .with_state(state);
    let all = match phase.trusts_user_id() {
        true => all.layer(middleware::from_fn_with_state(hosts, phases::known)),
        false => all,
    };
    let app = around(all, cors);
    let app = match access.description() {
        // Outside of CORS, since pages of any origin may read it.
        Some(service) => app.merge(
            access::description(service)
                .layer(middleware::from_fn(in_common))
                .layer(middleware::from_fn(requests::identified)),
        ),
        None => app,
    };
    let app = match phase.trusts_user_id() {
        true => app.layer(middleware::map_response(phases::warned)),
        false => app,
    };
    // Costs next to nothing when no recorder is installed.
    app.layer(middleware::from_fn(telemetry::counted))
}

/// Adds the layers around all routes. A later layer is further outside.
fn around(routes: Router, cors: CorsConfig) -> Router {
    routes
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, PATIENCE))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn(requests::of_bounded_length))
        .layer(middleware::from_fn(requests::of_one_host))
        .layer(middleware::from_fn(in_common))
        .layer(cors_layer(cors))
        .layer(middleware::from_fn(requests::identified))
}

/// Returns the routes of signed-in users, and those that other callers may read too. An unknown path is not
/// behind the layers and is a 404.
fn signed_in(access: &Access, phase: AuthPhase, limits: &Arc<Limits>) -> Router<AppState> {
    let of_users = guarded(Router::from(routes::of_users()), limits, phase, access.users());
    // While a claimed user_id counts, nobody else does.
    let readers = match phase.trusts_user_id() {
        true => access.users(),
        false => access.readers(),
    };
    of_users.merge(guarded(Router::from(routes::of_readers()), limits, phase, readers))
}

/// Puts routes behind a layer, and behind the limits.
fn guarded(
    routes: Router<AppState>,
    limits: &Arc<Limits>,
    phase: AuthPhase,
    guard: ClerkAuthLayer,
) -> Router<AppState> {
    let limits = || Arc::clone(limits);
    let routes = routes
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        // The limit above reads a body up to its size, so that the connection can be kept. A body
        // whose length is far larger is refused before it arrives, and the connection is closed.
        .layer(RequestBodyLimitLayer::new(FAR_TOO_LARGE));
    let by_caller = middleware::from_fn_with_state(limits(), limits::by_caller);
    let guarded = if phase.trusts_user_id() {
        let identified = routes.route_layer(middleware::from_fn(phases::identified));
        identified.route_layer(by_caller).route_layer(guard.report_only())
    } else {
        routes.route_layer(by_caller).route_layer(guard)
    };
    guarded.route_layer(middleware::from_fn_with_state(limits(), limits::by_address))
}

fn cors_layer(CorsConfig { origins, headers }: CorsConfig) -> CorsLayer {
    CorsLayer::new()
        .allow_origin(origins)
        .allow_credentials(true)
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::DELETE])
        .allow_headers(headers)
        .expose_headers([header::RETRY_AFTER, header::WWW_AUTHENTICATE, X_REQUEST_ID])
        .max_age(Duration::from_secs(600))
}

/// Sets the headers of all answers, and gives errors without JSON, from any layer, a `detail`.
async fn in_common(request: Request, next: Next) -> Response {
    let personal = request.uri().path().starts_with("/api/");
    let mut response = next.run(request).await;
    let status = response.status();
    if (status.is_client_error() || status.is_server_error()) && !is_json(&response) {
        let reason = status.canonical_reason().unwrap_or("Error");
        let (mut parts, body) = answer(status, &sentence(reason)).into_parts();
        // Headers such as `Allow` stay; those of the old body are removed.
        let mut headers = std::mem::take(response.headers_mut());
        headers.remove(header::CONTENT_LENGTH);
        headers.extend(parts.headers);
        parts.headers = headers;
        response = Response::from_parts(parts, body);
    }
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::REFERRER_POLICY).or_insert(HeaderValue::from_static("no-referrer"));
    // Pages set their own policy. Any other answer that a browser shows as a page may load nothing.
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(NOTHING);
    if personal {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    } else {
        headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-cache"));
    }
    response
}

/// Refuses to write while SQLite's file is not the one that was opened: what was written would be
/// lost.
async fn kept(State(state): State<AppState>, request: Request, next: Next) -> Response {
    if request.method().is_safe() || state.store.file_is_in_place() {
        return next.run(request).await;
    }
    ApiError::DatabaseUnavailable.into_response()
}

fn is_json(response: &Response) -> bool {
    let name: HeaderName = header::CONTENT_TYPE;
    response
        .headers()
        .get(name)
        .is_some_and(|value| value.as_bytes().starts_with(b"application/json"))
}

/// Returns `Method not allowed` for `Method Not Allowed`, as the other details are written.
fn sentence(reason: &str) -> String {
    let mut letters = reason.chars();
    letters.next().into_iter().chain(letters.flat_map(char::to_lowercase)).collect()
}

/// Returns the answer to a panic, which was logged where it happened.
fn panicked(_: Box<dyn Any + Send>) -> Response {
    tracing::error!("a handler panicked; see the line of the panic above");
    answer(StatusCode::INTERNAL_SERVER_ERROR, "Internal server error")
}

const NOTHING: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
const FAR_TOO_LARGE: usize = 1024 * 1024;
/// The time for a whole request. The database's time limit is shorter, so that only a slow client
/// exceeds this one.
const PATIENCE: Duration = Duration::from_secs(20);
