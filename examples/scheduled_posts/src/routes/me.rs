//! `/api/me`: the caller by the token, and the row from the webhooks. Members that need a verified
//! token are null without one, in phases 1 and 2.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use tower_clerk::session::Organization;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::extract::CurrentUser;
use crate::openapi::SignedIn;
use crate::state::AppState;
use crate::time;

/// The caller.
#[derive(Serialize, ToSchema)]
pub(crate) struct Me {
    user_id: String,
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

/// Show the signed-in user
#[utoipa::path(
    get, path = "/api/me", operation_id = "me", tag = "Caller", security(("session" = [])),
    responses((status = 200, description = "The caller.", body = Me), SignedIn)
)]
pub(crate) async fn show(
    State(state): State<AppState>,
    user: CurrentUser,
) -> Result<Json<Me>, ApiError> {
    let row = state.users.find_user(user.id()).await?;
    let session = user.session.as_ref();
    Ok(Json(Me {
        user_id: user.id().to_owned(),
        session_id: session.and_then(|session| session.session_id()).map(str::to_owned),
        org: session.and_then(|session| session.organization()).map(Org::from),
        user: row.map(|row| SyncedUser {
            id: row.id,
            email: row.email,
            created_at: time::show(row.created_at),
        }),
    }))
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
