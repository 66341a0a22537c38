//! `/api/scheduled-posts/generate-ai`: posts that an AI service suggests. Writes nothing.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};

use crate::error::ApiError;
use crate::extract::{ApiJson, CurrentUser};
use crate::state::AppState;

/// The body of a POST.
#[derive(Deserialize)]
pub(crate) struct Wish {
    prompt: String,
    count: Option<usize>,
}

/// Texts that a post may hold.
#[derive(Serialize)]
pub(crate) struct Suggestions {
    suggestions: Vec<String>,
}

pub(crate) async fn generate(
    State(state): State<AppState>,
    _user: CurrentUser,
    ApiJson(wish): ApiJson<Wish>,
) -> Result<Json<Suggestions>, ApiError> {
    let count = wish.check()?;
    let ai = state.ai.ok_or(ApiError::AiUnconfigured)?;
    let suggestions = ai.suggest(wish.prompt.trim(), count).await?;
    Ok(Json(Suggestions { suggestions }))
}

impl Wish {
    /// How many, when everything is as it may be.
    fn check(&self) -> Result<usize, ApiError> {
        if self.prompt.trim().is_empty() || self.prompt.chars().count() > 1000 {
            return Err(ApiError::invalid(
                "prompt must be 1 to 1000 characters, not all of them spaces",
            ));
        }
        let count = self.count.unwrap_or(3);
        if !(1..=5).contains(&count) {
            return Err(ApiError::invalid("count must be 1 to 5"));
        }
        Ok(count)
    }
}
