//! Sessions and their tokens: in the Backend API with the secret key, for a page with its client
//! token.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::body::Body;
use crate::error::ClerkError;
use crate::guard;
use crate::instance::{Instance, SessionEnd, TokenVersion};
use crate::records::SignIn;
use crate::time;

type Answer = Result<Json<Value>, ClerkError>;

/// Returns the routes of the Backend API.
pub(super) fn backend_routes() -> Router<Instance> {
    Router::new()
        .route("/v1/sessions", get(list_sessions).post(create_session))
        .route("/v1/sessions/{id}", get(show_session))
        .route("/v1/sessions/{id}/revoke", post(revoke_session))
        .route("/v1/sessions/{id}/tokens", post(create_token))
}

/// Returns the routes of the Frontend API, called by pages on this machine.
pub(super) fn frontend_routes() -> Router<Instance> {
    Router::new()
        .route("/v1/client/sessions", post(redeem_code))
        .route("/v1/client/sessions/{id}/tokens", post(client_token))
        .route("/v1/client/sessions/{id}/remove", post(client_sign_out))
}

#[derive(Deserialize)]
struct NewSession {
    user_id: String,
    active_organization_id: Option<String>,
}

async fn create_session(State(instance): State<Instance>, Body(new): Body<NewSession>) -> Answer {
    let session = instance.sign_in(&new.user_id, new.active_organization_id)?;
    Ok(Json(session.clerk_json(STATUS)))
}

/// The filters and the page of a list of sessions.
#[derive(Deserialize)]
struct Listing {
    client_id: Option<String>,
    user_id: Option<String>,
    status: Option<String>,
    #[serde(default = "usual_limit")]
    limit: usize,
    #[serde(default)]
    offset: usize,
    #[serde(default)]
    paginated: bool,
}

fn usual_limit() -> usize {
    10
}

/// Lists sessions, the newest first; with `paginated`, in an object with the total count.
async fn list_sessions(
    State(instance): State<Instance>,
    listing: Result<Query<Listing>, QueryRejection>,
) -> Answer {
    let Query(listing) = listing.map_err(|rejection| {
        ClerkError::invalid("form_param_format_invalid", rejection.body_text())
    })?;
    let is_or_any = |asked: &Option<String>, own: &str| asked.as_deref().is_none_or(|is| is == own);
    let matching: Vec<Value> = instance.read(|records| {
        let matching = records.sessions.iter().rev().filter(|session| {
            is_or_any(&listing.user_id, &session.user_id)
                && is_or_any(&listing.client_id, &session.client_id())
                && is_or_any(&listing.status, STATUS)
        });
        matching.map(|session| session.clerk_json(STATUS)).collect()
    });
    let total_count = matching.len();
    let page = matching.into_iter().skip(listing.offset).take(listing.limit).collect::<Value>();
    Ok(Json(if listing.paginated {
        json!({ "data": page, "total_count": total_count })
    } else {
        page
    }))
}

async fn show_session(State(instance): State<Instance>, Path(id): Path<String>) -> Answer {
    let session = instance.read(|records| records.session(&id).map(|it| it.clerk_json(STATUS)));
    session.map(Json).ok_or_else(|| ClerkError::not_found("session"))
}

async fn revoke_session(State(instance): State<Instance>, Path(id): Path<String>) -> Answer {
    instance.end_session(&id, SessionEnd::Revoked).map(Json)
}

#[derive(Deserialize)]
struct NewToken {
    expires_in_seconds: Option<u32>,
}

/// The format of the token's claims, which at Clerk is a setting of the instance.
#[derive(Deserialize)]
struct Format {
    v: Option<u8>,
}

async fn create_token(
    State(instance): State<Instance>,
    Path(id): Path<String>,
    format: Result<Query<Format>, QueryRejection>,
    headers: HeaderMap,
    Body(new): Body<NewToken>,
) -> Answer {
    let session = instance.read(|records| records.session(&id).cloned());
    let session = session.ok_or_else(|| ClerkError::not_found("session"))?;
    let version = match format.map(|Query(format)| format.v) {
        Ok(None | Some(2)) => TokenVersion::Two,
        Ok(Some(1)) => TokenVersion::One,
        Ok(Some(_)) | Err(_) => {
            return Err(ClerkError::invalid("form_param_format_invalid", "v must be 1 or 2"));
        }
    };
    let token = instance.token(&session, origin(&headers), new.expires_in_seconds, version);
    Ok(token_json(&token))
}

#[derive(Deserialize)]
struct Redeeming {
    code: String,
}

/// Exchanges the code of a sign-in for the session and its client token.
async fn redeem_code(
    State(instance): State<Instance>,
    Body(Redeeming { code }): Body<Redeeming>,
) -> Result<Response, ClerkError> {
    let session = instance.session_for(&code);
    let session =
        session.ok_or_else(|| ClerkError::unauthorized("The code is used or too old."))?;
    let mut given = session.clerk_json(STATUS);
    given["client_token"] = session.client_token.into();
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(given)).into_response())
}

#[derive(Deserialize)]
pub(super) struct Client {
    #[serde(rename = "__clerk_db_jwt")]
    token: Option<String>,
}

async fn client_token(
    State(instance): State<Instance>,
    Path(id): Path<String>,
    Query(client): Query<Client>,
    headers: HeaderMap,
) -> Answer {
    let session = own_session(&instance, &id, client, &headers)?;
    Ok(token_json(&instance.token(&session, origin(&headers), None, TokenVersion::Two)))
}

async fn client_sign_out(
    State(instance): State<Instance>,
    Path(id): Path<String>,
    Query(client): Query<Client>,
    headers: HeaderMap,
) -> Result<StatusCode, ClerkError> {
    let session = own_session(&instance, &id, client, &headers)?;
    instance.end_session(&session.id, SessionEnd::Removed).map(|_| StatusCode::NO_CONTENT)
}

/// Returns the session that both the path and the client token name.
pub(super) fn own_session(
    instance: &Instance,
    id: &str,
    client: Client,
    headers: &HeaderMap,
) -> Result<SignIn, ClerkError> {
    let header = guard::text(headers, header::AUTHORIZATION);
    let header = header.map(|value| value.strip_prefix("Bearer ").unwrap_or(value).to_owned());
    let token = client.token.or(header);
    let session = instance.read(|records| records.session(id).cloned());
    let now = time::now().timestamp_millis();
    session
        .filter(|session| token.as_deref() == Some(session.client_token.as_str()))
        .filter(|session| now < session.expire_at())
        .ok_or_else(|| ClerkError::unauthorized("You are signed out."))
}

/// Returns the origin of a browser's request, which becomes the token's `azp`, as with Clerk.
fn origin(headers: &HeaderMap) -> Option<&str> {
    guard::text(headers, header::ORIGIN)
}

fn token_json(jwt: &str) -> Json<Value> {
    Json(json!({ "object": "token", "jwt": jwt }))
}

/// The status of every session, because ended sessions are removed.
const STATUS: &str = "active";
