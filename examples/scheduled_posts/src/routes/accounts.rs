//! `/api/x-accounts`: the caller's X accounts.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::entities::x_account;
use crate::error::{ApiError, Error};
use crate::extract::{ApiJson, ApiQuery, CurrentUser, IdPath, ReadingUser};
use crate::openapi::{JsonBody, Missing, Reading, SignedIn, cursor, handle, limit};
use crate::routes::posts::{read_cursor, read_limit};
use crate::state::AppState;
use crate::store::{MOST_ACCOUNTS, WriteError};
use crate::time;

/// An X account as clients see it.
#[derive(Serialize, ToSchema)]
pub(crate) struct Account {
    id: Uuid,
    #[schema(min_length = 1, max_length = 50)]
    handle: String,
    #[schema(format = DateTime)]
    created_at: String,
}

impl From<x_account::Model> for Account {
    fn from(row: x_account::Model) -> Self {
        Self { id: row.id, handle: row.handle, created_at: time::show(row.created_at) }
    }
}

/// A page of a user's X accounts.
#[derive(Serialize, ToSchema)]
pub(crate) struct AccountList {
    #[schema(max_items = 500)]
    accounts: Vec<Account>,
    /// Where the next page begins; null on the last one.
    #[schema(required)]
    next_cursor: Option<String>,
}

/// The query of the list. All members are text, so that every refusal names its parameter.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    #[param(schema_with = limit)]
    limit: Option<String>,
    #[param(schema_with = cursor)]
    cursor: Option<String>,
}

/// The caller's X accounts, the oldest first
#[utoipa::path(
    get, path = "/api/x-accounts", operation_id = "listAccounts", tag = "X accounts",
    security(("session" = [])), params(ListQuery),
    responses(
        (status = 200, description = "A page of them.", body = AccountList),
        (status = 422, description = "A parameter is invalid.", body = Error),
        Reading
    )
)]
pub(crate) async fn list(
    State(state): State<AppState>,
    ReadingUser(user): ReadingUser,
    ApiQuery(query): ApiQuery<ListQuery>,
) -> Result<Json<AccountList>, ApiError> {
    let after = read_cursor(query.cursor.as_deref())?;
    let limit = read_limit(query.limit.as_deref())?;
    let (accounts, next) = state.store.accounts(user.id(), after, limit).await?;
    let accounts = accounts.into_iter().map(Account::from).collect();
    Ok(Json(AccountList { accounts, next_cursor: next.map(|cursor| cursor.encode()) }))
}

/// The body of a POST.
#[derive(Deserialize, ToSchema)]
pub(crate) struct NewAccount {
    #[schema(schema_with = handle)]
    handle: String,
}

/// Connect an X account, of at most a thousand
#[utoipa::path(
    post, path = "/api/x-accounts", operation_id = "createAccount", tag = "X accounts",
    security(("session" = [])), request_body = NewAccount,
    responses(
        (
            status = 201, description = "The account.", body = Account,
            links(
                ("remove" = (
                    operation_id = "deleteAccount", parameters(("id" = "$response.body#/id"))
                ))
            )
        ),
        JsonBody, SignedIn
    )
)]
pub(crate) async fn create(
    State(state): State<AppState>,
    user: CurrentUser,
    ApiJson(new): ApiJson<NewAccount>,
) -> Result<(StatusCode, Json<Account>), ApiError> {
    check_handle(&new.handle)?;
    user.ensure_row(&state).await?;
    match state.store.add_account(user.id(), &new.handle).await {
        Ok(account) => Ok((StatusCode::CREATED, Json(account.into()))),
        // Only a deletion in between removes the row.
        Err(WriteError::NoParent) => Err(ApiError::UserGone),
        Err(WriteError::TooMany) => Err(ApiError::invalid(format!(
            "there are at most {MOST_ACCOUNTS} X accounts; disconnect one first"
        ))),
        Err(WriteError::Database(error)) => Err(error.into()),
    }
}

/// Disconnect an X account, and drop its posts
#[utoipa::path(
    delete, path = "/api/x-accounts/{id}", operation_id = "deleteAccount", tag = "X accounts",
    security(("session" = [])), params(("id" = Uuid, Path)),
    responses((status = 204, description = "Gone."), Missing, SignedIn)
)]
pub(crate) async fn remove(
    State(state): State<AppState>,
    user: CurrentUser,
    IdPath(id): IdPath,
) -> Result<StatusCode, ApiError> {
    let id = id.ok_or(NOT_FOUND)?;
    let removed = state.store.remove_account(user.id(), id).await?;
    if removed { Ok(StatusCode::NO_CONTENT) } else { Err(NOT_FOUND) }
}

/// Checks a handle. X's own rules are stricter and change; this refuses only what could do harm.
fn check_handle(handle: &str) -> Result<(), ApiError> {
    let length = handle.chars().count();
    let bad = |c: char| c.is_control() || c.is_whitespace() || is_invisible(c);
    if (1..=50).contains(&length) && !handle.contains(bad) {
        return Ok(());
    }
    Err(ApiError::invalid("handle must be 1 to 50 characters, none of them a space or invisible"))
}

/// Returns whether a character shows nothing, or only changes how its neighbours are shown: with them
/// one handle looks like another, or like none.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

const NOT_FOUND: ApiError = ApiError::NotFound("X account not found");
