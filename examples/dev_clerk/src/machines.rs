//! API keys, machines' tokens and OAuth access tokens: how they are made, and what is answered about them.
//! Callers need the secret key.

use axum::extract::{Path, State};
use axum::routing::post;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::body::Body;
use crate::error::ClerkError;
use crate::instance::Instance;
use crate::machine::{Given, Kind, Machine};

type Answer = Result<Json<Value>, ClerkError>;

/// Returns the routes, which the caller puts behind the secret key. The questions are answered with and
/// without `/v1`, as Clerk's SDKs ask them.
pub(super) fn routes() -> Router<Instance> {
    let questions = || {
        Router::new()
            .route("/api_keys/verify", post(verify_api_key))
            .route("/m2m_tokens/verify", post(verify_m2m_token))
            .route("/oauth_applications/access_tokens/verify", post(verify_oauth_token))
    };
    Router::new()
        .route("/v1/api_keys", post(create_api_key))
        .route("/v1/api_keys/{id}/revoke", post(revoke))
        .route("/v1/m2m_tokens", post(create_m2m_token))
        .route("/v1/m2m_tokens/{id}/revoke", post(revoke))
        .route("/dev/oauth_tokens", post(create_oauth_token))
        .merge(questions())
        .nest("/v1", questions())
}

async fn create_api_key(State(instance): State<Instance>, Body(given): Body<Given>) -> Answer {
    let subject = given.subject.clone().unwrap_or_default();
    let is_known = instance.read(|records| {
        records.user(&subject).is_some()
            || records.organization(&subject).is_some()
            || is_machine(&subject)
    });
    if !is_known {
        let message = "subject must be the id of a user, an organization or a machine";
        return Err(ClerkError::invalid("form_param_value_invalid", message));
    }
    let key = keep(&instance, Machine::new(Kind::ApiKey, subject, given))?;
    Ok(key.with_secret("secret"))
}

async fn create_m2m_token(State(instance): State<Instance>, Body(given): Body<Given>) -> Answer {
    // At Clerk the machine's own key tells which it is.
    let subject = given.subject.clone().unwrap_or_else(|| "mch_dev".to_owned());
    if !is_machine(&subject) {
        let message = "subject must be a machine's id, mch_…";
        return Err(ClerkError::invalid("form_param_value_invalid", message));
    }
    if given.is_jwt()? {
        let token = instance.m2m_jwt(&subject, &given.scopes);
        return Ok(Json(
            json!({ "object": Kind::M2m.object(), "subject": subject, "token": token }),
        ));
    }
    let token = keep(&instance, Machine::new(Kind::M2m, subject, given))?;
    Ok(token.with_secret("token"))
}

async fn create_oauth_token(State(instance): State<Instance>, Body(given): Body<Given>) -> Answer {
    let user_id = given.user_id.clone().unwrap_or_default();
    if instance.read(|records| records.user(&user_id).is_none()) {
        return Err(ClerkError::not_found("user"));
    }
    let client_id = given.client_id.clone().unwrap_or_else(|| "client_dev".to_owned());
    if given.is_jwt()? {
        let token = instance.oauth_jwt(&user_id, &client_id, &given.scopes, given.audience.clone());
        let scope = given.scopes.join(" ");
        return Ok(Json(json!({ "access_token": token, "token_type": "bearer", "scope": scope })));
    }
    let given = Given { client_id: Some(client_id), ..given };
    let token = keep(&instance, Machine::new(Kind::OAuth, user_id, given))?;
    Ok(token.with_secret("access_token"))
}

/// Describes the stand-in as an authorization server (RFC 8414). It has no pages for clients: tokens come
/// from `/dev/oauth_tokens`.
pub(super) async fn authorization_server(State(instance): State<Instance>) -> Json<Value> {
    let url = instance.url();
    Json(json!({
        "issuer": url,
        "authorization_endpoint": format!("{url}/oauth/authorize"),
        "token_endpoint": format!("{url}/oauth/token"),
        "jwks_uri": format!("{url}/.well-known/jwks.json"),
        "response_types_supported": ["code"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "code_challenge_methods_supported": ["S256"],
        "scopes_supported": ["profile", "email", "posts:read"],
    }))
}

fn is_machine(subject: &str) -> bool {
    subject.strip_prefix("mch_").is_some_and(|rest| {
        !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    })
}

fn keep(instance: &Instance, machine: Machine) -> Result<Machine, ClerkError> {
    instance.change(|records| {
        records.machines.push(machine.clone());
        Ok((machine, Vec::new()))
    })
}

async fn revoke(State(instance): State<Instance>, Path(id): Path<String>) -> Answer {
    instance.change(|records| {
        let machine = records.machines.iter_mut().find(|machine| machine.id == id);
        let machine = machine.ok_or_else(|| ClerkError::not_found("token"))?;
        machine.revoked = true;
        Ok((Json(machine.clerk_json()), Vec::new()))
    })
}

#[derive(Deserialize)]
struct Secret {
    secret: String,
}

async fn verify_api_key(State(instance): State<Instance>, Body(it): Body<Secret>) -> Answer {
    verify(&instance, Kind::ApiKey, &it.secret)
}

#[derive(Deserialize)]
struct Token {
    token: String,
}

async fn verify_m2m_token(State(instance): State<Instance>, Body(it): Body<Token>) -> Answer {
    verify(&instance, Kind::M2m, &it.token)
}

#[derive(Deserialize)]
struct AccessToken {
    access_token: String,
}

async fn verify_oauth_token(
    State(instance): State<Instance>,
    Body(it): Body<AccessToken>,
) -> Answer {
    verify(&instance, Kind::OAuth, &it.access_token)
}

fn verify(instance: &Instance, kind: Kind, secret: &str) -> Answer {
    let found = instance.read(|records| {
        let is_asked = |it: &&Machine| it.kind == kind && it.secret == secret;
        records.machines.iter().find(is_asked).map(Machine::clerk_json)
    });
    found.map(Json).ok_or_else(|| ClerkError::not_found("token"))
}
