//! `/api/scheduled-posts/generate-ai`: posts that an AI service suggests. Writes nothing.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::{ApiError, Error};
use crate::extract::{ApiJson, CurrentUser};
use crate::openapi::{JsonBody, SignedIn};
use crate::state::AppState;

/// The body of a POST.
#[derive(Deserialize, ToSchema)]
#[schema(as = SuggestionRequest)]
pub(crate) struct Wish {
    /// The subject of the posts.
    #[schema(
        min_length = 1,
        max_length = 1000,
        pattern = "[^\\u0009-\\u000d\\u0020\\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]"
    )]
    prompt: String,
    /// The number of suggestions.
    #[schema(value_type = Option<u8>, minimum = 1, maximum = 5, default = 3)]
    count: Option<f64>,
}

/// Texts that are valid as posts.
#[derive(Serialize, ToSchema)]
pub(crate) struct Suggestions {
    #[schema(min_items = 1, max_items = 5, value_type = Vec<Suggestion>)]
    suggestions: Vec<String>,
}

/// Let an AI service suggest posts
///
/// Nothing is stored.
#[utoipa::path(
    post, path = "/api/scheduled-posts/generate-ai", operation_id = "generateAi", tag = "Posts",
    security(("session" = [])), request_body = Wish,
    responses(
        (status = 200, description = "As many as requested, or fewer.", body = Suggestions),
        (
            status = 502, description = "The AI service failed; `detail` says how.", body = Error,
            headers(("Retry-After" = u16, description = "Seconds, when the service limits requests."))
        ),
        (status = 504, description = "The AI service did not answer in time.", body = Error),
        JsonBody, SignedIn
    )
)]
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

/// A text that is valid as a post.
#[derive(ToSchema)]
#[schema(min_length = 1, max_length = 280)]
#[expect(dead_code, reason = "says what a string of the answer is")]
pub(crate) struct Suggestion(String);

impl Wish {
    /// Returns the number of suggestions, if the request is valid.
    fn check(&self) -> Result<usize, ApiError> {
        if self.prompt.trim().is_empty() || self.prompt.chars().count() > 1000 {
            return Err(ApiError::invalid(
                "prompt must be 1 to 1000 characters, not all of them spaces",
            ));
        }
        // In JSON, `3.0` is an integer.
        let count = self.count.unwrap_or(3.0);
        let whole = (1..=5).find(|whole: &u8| f64::from(*whole) == count);
        whole.map(usize::from).ok_or_else(|| ApiError::invalid("count must be 1 to 5"))
    }
}
