//! Who is asking, as the token says and as the webhooks told.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::extract::CurrentUser;
use crate::state::AppState;
use crate::time;

pub(crate) async fn show(
    State(state): State<AppState>,
    user: CurrentUser,
) -> Result<Json<Value>, ApiError> {
    let row = state.users.find_user(user.id()).await?;
    let org = user.session.organization().map(|org| {
        let permissions: Vec<&str> = org.permissions().collect();
        json!({
            "id": org.id(), "slug": org.slug(), "role": org.role(), "permissions": permissions,
        })
    });
    let row = row.map(
        |row| json!({ "id": row.id, "email": row.email, "created_at": time::show(row.created_at) }),
    );
    Ok(Json(json!({
        "user_id": user.id(), "session_id": user.session.session_id(), "org": org, "user": row,
    })))
}
