//! `/api/me`: the caller by the token, and the row from the webhooks. Members that need a verified
//! token are null without one, in phases 1 and 2.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use tower_clerk::session::Organization;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::extract::{Caller, CurrentUser};
use crate::openapi::{Reading, caller};
use crate::state::AppState;
use crate::time;

/// The caller.
#[derive(Serialize, ToSchema)]
pub(crate) struct Me {
    /// What the caller has: `session`, `api_key`, `m2m` or `oauth`.
    #[schema(schema_with = caller)]
    caller: &'static str,
    /// The user who calls, or for whom the caller acts; null for machines and organizations' keys.
    #[schema(required)]
    user_id: Option<String>,
    #[schema(required)]
    session_id: Option<String>,
    /// The active organization.
    #[schema(required)]
    org: Option<Org>,
    /// The synced row; null until a webhook or a first write has created it.
    #[schema(required)]
    user: Option<SyncedUser>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Org {
    id: String,
    #[schema(required)]
    slug: Option<String>,
    #[schema(required)]
    role: Option<String>,
    permissions: Vec<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct SyncedUser {
    id: String,
    /// The primary address. It may be unverified, so that it is no proof of who somebody is.
    #[schema(required)]
    email: Option<String>,
    #[schema(format = DateTime)]
    created_at: String,
}

/// Show who is calling
#[utoipa::path(
    get, path = "/api/me", operation_id = "me", tag = "Caller", security(("session" = [])),
    responses((status = 200, description = "The caller.", body = Me), Reading)
)]
pub(crate) async fn show(
    State(state): State<AppState>,
    caller: Caller,
) -> Result<Json<Me>, ApiError> {
    Ok(Json(Me::of(&state, caller.kind(), caller.user()).await?))
}

impl Me {
    pub(super) async fn of(
        state: &AppState,
        caller: &'static str,
        user: Option<&CurrentUser>,
    ) -> Result<Self, ApiError> {
        let row = match user {
            Some(user) => state.users.find_user(user.id()).await?,
            None => None,
        };
        let session = user.and_then(|user| user.session.as_ref());
        Ok(Self {
            caller,
            user_id: user.map(|user| user.id().to_owned()),
            session_id: session.and_then(|session| session.session_id()).map(str::to_owned),
            org: session.and_then(|session| session.organization()).map(Org::from),
            user: row.map(|row| SyncedUser {
                id: row.id,
                email: row.email,
                created_at: time::show(row.created_at),
            }),
        })
    }
}

impl From<&Organization> for Org {
    fn from(org: &Organization) -> Self {
        Self {
            id: org.id().to_owned(),
            slug: org.slug().map(str::to_owned),
            role: org.role().map(str::to_owned),
            permissions: org.permissions().map(str::to_owned).collect(),
        }
    }
}
