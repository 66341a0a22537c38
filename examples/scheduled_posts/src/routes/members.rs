//! `/api/admin/members`: the members of the active organization, for those who may read them.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use tower_clerk::session::Authorization;
use utoipa::{IntoParams, ToSchema};

use crate::error::{ApiError, Error};
use crate::extract::{ApiQuery, CurrentUser};
use crate::openapi::{SignedIn, limit, member_cursor};
use crate::routes::posts::read_limit;
use crate::state::AppState;
use crate::store;
use crate::time;

/// A member of an organization.
#[derive(Serialize, ToSchema)]
pub(crate) struct Member {
    /// The user's id.
    id: String,
    /// The user's primary address, which may be unverified.
    #[schema(required)]
    email: Option<String>,
    #[schema(required)]
    role: Option<String>,
    /// When the user became a member.
    #[schema(format = DateTime)]
    created_at: String,
}

impl From<store::Member> for Member {
    fn from(member: store::Member) -> Self {
        let store::Member { user_id, email, role, created_at, .. } = member;
        Self { id: user_id, email, role, created_at: time::show(created_at) }
    }
}

/// A page of an organization's members.
#[derive(Serialize, ToSchema)]
pub(crate) struct MemberList {
    #[schema(max_items = 500)]
    members: Vec<Member>,
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
    #[param(schema_with = member_cursor)]
    cursor: Option<String>,
}

/// The members of the active organization
#[utoipa::path(
    get, path = "/api/admin/members", operation_id = "listMembers", tag = "Organizations",
    security(("session" = [])), params(ListQuery),
    responses(
        (status = 200, description = "A page of them.", body = MemberList),
        (status = 422, description = "A parameter is invalid.", body = Error),
        SignedIn
    )
)]
pub(crate) async fn list(
    State(state): State<AppState>,
    user: CurrentUser,
    ApiQuery(query): ApiQuery<ListQuery>,
) -> Result<Json<MemberList>, ApiError> {
    let after = read_cursor(query.cursor.as_deref())?;
    let limit = read_limit(query.limit.as_deref())?;
    let session = user.verified()?;
    session.require(&Authorization::permission(READ_USERS))?;
    // Whoever has a permission has an organization.
    let organization = session.organization().ok_or(ApiError::NotAllowed)?;
    let (members, next_cursor) = state.store.members(organization.id(), after, limit).await?;
    let members = members.into_iter().map(Member::from).collect();
    Ok(Json(MemberList { members, next_cursor }))
}

/// Reads the end of the previous page: the id of its last membership.
fn read_cursor(given: Option<&str>) -> Result<Option<&str>, ApiError> {
    let given = given.filter(|text| !text.is_empty());
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    match given {
        Some(text) if text.len() > 255 || !text.bytes().all(plain) => {
            Err(ApiError::invalid("cursor is not from a list"))
        }
        given => Ok(given),
    }
}

const READ_USERS: &str = "org:users:read";
