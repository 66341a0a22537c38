//! `/api/x-accounts`: the caller's X accounts.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::entities::x_account;
use crate::error::ApiError;
use crate::extract::{ApiJson, CurrentUser, IdPath};
use crate::state::AppState;
use crate::store::WriteError;
use crate::time;

/// An X account as clients see it.
#[derive(Serialize)]
pub(crate) struct Account {
    id: Uuid,
    handle: String,
    created_at: String,
}

impl From<x_account::Model> for Account {
    fn from(row: x_account::Model) -> Self {
        Self { id: row.id, handle: row.handle, created_at: time::show(row.created_at) }
    }
}

/// All of a user's X accounts.
#[derive(Serialize)]
pub(crate) struct AccountList {
    accounts: Vec<Account>,
}

pub(crate) async fn list(
    State(state): State<AppState>,
    user: CurrentUser,
) -> Result<Json<AccountList>, ApiError> {
    let accounts = state.store.accounts(user.id()).await?;
    let accounts = accounts.into_iter().map(Account::from).collect();
    Ok(Json(AccountList { accounts }))
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
) -> Result<(StatusCode, Json<Account>), ApiError> {
    check_handle(&new.handle)?;
    user.ensure_row(&state).await?;
    match state.store.add_account(user.id(), &new.handle).await {
        Ok(account) => Ok((StatusCode::CREATED, Json(account.into()))),
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

const NOT_FOUND: ApiError = ApiError::NotFound("X account not found");
