//! The Backend API's routes for the instance and its users, as Clerk's own SDKs call them. Callers
//! need the secret key.

use axum::extract::{Path, Query, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, patch, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::body::Body;
use crate::error::ClerkError;
use crate::guard;
use crate::instance::Instance;
use crate::list::Listing;
use crate::user::{Metadata, Profile, User};

type Answer = Result<Json<Value>, ClerkError>;

pub(super) fn routes() -> Router<Instance> {
    Router::new()
        .route("/v1/instance", get(show_instance))
        .route("/v1/users", get(list_users).post(create_user))
        .route("/v1/users/count", get(count_users))
        .route("/v1/users/{id}", get(show_user).patch(change_user).delete(delete_user))
        .route("/v1/users/{id}/ban", post(ban_user))
        .route("/v1/users/{id}/unban", post(unban_user))
        .route("/v1/users/{id}/lock", post(lock_user))
        .route("/v1/users/{id}/unlock", post(unlock_user))
        .route("/v1/users/{id}/metadata", patch(merge_metadata).put(replace_metadata))
}

/// Admits requests with the secret key and refuses all others.
pub(super) async fn secret_key(
    State(instance): State<Instance>,
    request: Request,
    next: Next,
) -> Response {
    let given = guard::text(request.headers(), header::AUTHORIZATION);
    let key = given.and_then(|value| value.strip_prefix("Bearer "));
    if instance.read(|records| key == Some(records.secret_key.as_str())) {
        return next.run(request).await;
    }
    let message = "The provided Clerk Secret Key is invalid. The dev Clerk prints its own when it \
                   starts; send it as Authorization: Bearer sk_test_…";
    ClerkError::new(StatusCode::UNAUTHORIZED, "clerk_key_invalid", message).into_response()
}

async fn show_instance(State(instance): State<Instance>) -> Json<Value> {
    let id = instance.read(|records| records.instance_id.clone());
    Json(json!({
        "object": "instance", "id": id, "environment_type": "development", "allowed_origins": null,
    }))
}

type Parameters = Query<Vec<(String, String)>>;

async fn list_users(State(instance): State<Instance>, Query(given): Parameters) -> Answer {
    let listing = Listing::read(&given)?;
    let users = instance.read(|records| listing.page(&records.users))?;
    Ok(Json(users.iter().map(User::clerk_json).collect()))
}

async fn count_users(State(instance): State<Instance>, Query(given): Parameters) -> Answer {
    let listing = Listing::read(&given)?;
    let count = instance.read(|records| listing.count(&records.users));
    Ok(Json(json!({ "object": "total_count", "total_count": count })))
}

async fn show_user(State(instance): State<Instance>, Path(id): Path<String>) -> Answer {
    let user = instance.read(|records| records.user(&id).map(User::clerk_json));
    user.map(Json).ok_or_else(|| ClerkError::not_found("user"))
}

/// The parameters of a new user. Clerk's other parameters are ignored.
#[derive(Deserialize)]
struct NewUser {
    #[serde(default)]
    email_address: Vec<String>,
    #[serde(flatten)]
    profile: Profile,
}

async fn create_user(State(instance): State<Instance>, Body(new): Body<NewUser>) -> Answer {
    let user = instance.create_user(new.email_address, new.profile)?;
    Ok(Json(user.clerk_json()))
}

#[derive(Deserialize)]
struct UserChange {
    primary_email_address_id: Option<String>,
    #[serde(flatten)]
    profile: Profile,
}

async fn change_user(
    State(instance): State<Instance>,
    Path(id): Path<String>,
    Body(change): Body<UserChange>,
) -> Answer {
    let user = instance.change_user(&id, change.profile, change.primary_email_address_id)?;
    Ok(Json(user.clerk_json()))
}

async fn ban_user(State(instance): State<Instance>, Path(id): Path<String>) -> Answer {
    Ok(Json(instance.ban(&id, true)?.clerk_json()))
}

async fn unban_user(State(instance): State<Instance>, Path(id): Path<String>) -> Answer {
    Ok(Json(instance.ban(&id, false)?.clerk_json()))
}

async fn lock_user(State(instance): State<Instance>, Path(id): Path<String>) -> Answer {
    Ok(Json(instance.lock(&id, true)?.clerk_json()))
}

async fn unlock_user(State(instance): State<Instance>, Path(id): Path<String>) -> Answer {
    Ok(Json(instance.lock(&id, false)?.clerk_json()))
}

async fn merge_metadata(
    State(instance): State<Instance>,
    Path(id): Path<String>,
    Body(change): Body<Metadata>,
) -> Answer {
    Ok(Json(instance.merge_metadata(&id, change)?.clerk_json()))
}

async fn replace_metadata(
    State(instance): State<Instance>,
    Path(id): Path<String>,
    Body(metadata): Body<Metadata>,
) -> Answer {
    Ok(Json(instance.change_user(&id, metadata.into(), None)?.clerk_json()))
}

async fn delete_user(State(instance): State<Instance>, Path(id): Path<String>) -> Answer {
    instance.delete_user(&id).map(Json)
}
