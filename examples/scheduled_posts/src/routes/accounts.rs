//! `/api/x-accounts`: the caller's X accounts.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::entities::x_account;
use crate::error::ApiError;
use crate::extract::{ApiJson, CurrentUser, IdPath};
use crate::state::AppState;
use crate::store::WriteError;
use crate::time;

pub(crate) async fn list(
    State(state): State<AppState>,
    user: CurrentUser,
) -> Result<Json<Value>, ApiError> {
    let accounts = state.store.accounts(user.id()).await?;
    let accounts: Vec<Value> = accounts.iter().map(shown).collect();
    Ok(Json(json!({ "accounts": accounts })))
}

/// The body of a POST.
#[derive(Deserialize)]
pub(crate) struct NewAccount {
    handle: String,
}

pub(crate) async fn create(
    State(state): State<AppState>,
    user: CurrentUser,
    ApiJson(new): ApiJson<NewAccount>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    check_handle(&new.handle)?;
    user.ensure_row(&state).await?;
    match state.store.add_account(user.id(), &new.handle).await {
        Ok(account) => Ok((StatusCode::CREATED, Json(shown(&account)))),
        // Only a deletion that came in between takes the row away.
        Err(WriteError::NoParent) => Err(ApiError::UserGone),
        Err(WriteError::Database(error)) => Err(error.into()),
    }
}

pub(crate) async fn remove(
    State(state): State<AppState>,
    user: CurrentUser,
    IdPath(id): IdPath,
) -> Result<StatusCode, ApiError> {
    let id = id.ok_or(NOT_FOUND)?;
    let removed = state.store.remove_account(user.id(), id).await?;
    if removed { Ok(StatusCode::NO_CONTENT) } else { Err(NOT_FOUND) }
}

/// X itself allows less; what it allows changes, and only what could harm is refused here.
fn check_handle(handle: &str) -> Result<(), ApiError> {
    let length = handle.chars().count();
    let bad = |c: char| c.is_control() || c.is_whitespace();
    if (1..=50).contains(&length) && !handle.contains(bad) {
        return Ok(());
    }
    Err(ApiError::invalid("handle must be 1 to 50 characters without spaces"))
}

fn shown(account: &x_account::Model) -> Value {
    json!({
        "id": account.id, "handle": account.handle, "created_at": time::show(account.created_at),
    })
}

pub(crate) const NOT_FOUND: ApiError = ApiError::NotFound("X account not found");
