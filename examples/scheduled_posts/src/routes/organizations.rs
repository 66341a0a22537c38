//! `/api/orgs/{slug}/…`: what is open only while that organization is the active one.

use axum::Json;
use axum::extract::State;

use crate::error::ApiError;
use crate::extract::{CurrentUser, PathText};
use crate::openapi::SignedIn;
use crate::routes::me::Me;
use crate::state::AppState;

/// Show who is calling, in an organization
#[utoipa::path(
    get, path = "/api/orgs/{slug}/me", operation_id = "meInOrganization", tag = "Organizations",
    security(("session" = [])), params(("slug" = String, Path, description = "Its slug, or its id.")),
    responses((status = 200, description = "The caller.", body = Me), SignedIn)
)]
pub(crate) async fn show_me(
    State(state): State<AppState>,
    user: CurrentUser,
    PathText(slug): PathText,
) -> Result<Json<Me>, ApiError> {
    user.verified()?.require_organization(&slug)?;
    Ok(Json(Me::of(&state, "session", Some(&user)).await?))
}
