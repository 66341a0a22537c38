//! `/api/scheduled-posts`: the caller's posts.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tower_clerk::session::{Authorization, Reverification};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::entities::scheduled_post::{self, STATUSES};
use crate::error::{ApiError, Error};
use crate::extract::{ApiJson, ApiQuery, CurrentUser, IdPath, ReadingUser};
use crate::openapi::{
    JsonBody, Missing, Reading, SignedIn, bound, cursor, instant, limit, status, status_change,
};
use crate::state::AppState;
use crate::store::{Change, Cursor, NewPost, Page, WriteError};
use crate::time::{self, TimeError};

/// A post as clients see it.
#[derive(Serialize, ToSchema)]
pub(crate) struct Post {
    id: Uuid,
    x_account_id: Uuid,
    #[schema(min_length = 1, max_length = 280)]
    content: String,
    #[schema(format = DateTime)]
    scheduled_at: String,
    #[schema(schema_with = status)]
    status: String,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    updated_at: String,
}

impl From<scheduled_post::Model> for Post {
    fn from(row: scheduled_post::Model) -> Self {
        Self {
            id: row.id,
            x_account_id: row.x_account_id,
            content: row.content,
            scheduled_at: time::show(row.scheduled_at),
            status: row.status,
            created_at: time::show(row.created_at),
            updated_at: time::show(row.updated_at),
        }
    }
}

/// A page of posts.
#[derive(Serialize, ToSchema)]
pub(crate) struct PostList {
    #[schema(max_items = 500)]
    posts: Vec<Post>,
    /// Where the next page begins; null on the last one.
    #[schema(required)]
    next_cursor: Option<String>,
}

/// The query of the list. All members are text, so that every refusal names its parameter.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    #[param(schema_with = bound)]
    start_date: Option<String>,
    #[param(schema_with = bound)]
    end_date: Option<String>,
    #[param(schema_with = limit)]
    limit: Option<String>,
    #[param(schema_with = cursor)]
    cursor: Option<String>,
}

/// The caller's posts by time, then by id
#[utoipa::path(
    get, path = "/api/scheduled-posts", operation_id = "listPosts", tag = "Posts",
    security(("session" = [])), params(ListQuery),
    responses(
        (status = 200, description = "A page of them.", body = PostList),
        (status = 422, description = "A parameter is invalid.", body = Error),
        Reading
    )
)]
pub(crate) async fn list(
    State(state): State<AppState>,
    ReadingUser(user): ReadingUser,
    ApiQuery(query): ApiQuery<ListQuery>,
) -> Result<Json<PostList>, ApiError> {
    let page = query.page()?;
    let (posts, next) = state.store.posts(user.id(), &page).await?;
    let posts = posts.into_iter().map(Post::from).collect();
    Ok(Json(PostList { posts, next_cursor: next.map(|cursor| cursor.encode()) }))
}

/// The body of a POST.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewPost)]
pub(crate) struct NewPostBody {
    /// One of the caller's accounts.
    x_account_id: Uuid,
    /// Any characters but NUL.
    #[schema(min_length = 1, max_length = 280, pattern = "^[^\\u0000]*$")]
    content: String,
    #[schema(schema_with = instant)]
    scheduled_at: String,
}

/// Schedule a post
#[utoipa::path(
    post, path = "/api/scheduled-posts", operation_id = "createPost", tag = "Posts",
    security(("session" = [])), request_body = NewPostBody,
    responses(
        (
            status = 201, description = "The post.", body = Post,
            links(
                ("change" = (
                    operation_id = "changePost", parameters(("post_id" = "$response.body#/id"))
                )),
                ("remove" = (
                    operation_id = "deletePost", parameters(("post_id" = "$response.body#/id"))
                ))
            )
        ),
        (status = 404, description = "The caller has no such X account.", body = Error),
        JsonBody, SignedIn
    )
)]
pub(crate) async fn create(
    State(state): State<AppState>,
    user: CurrentUser,
    ApiJson(body): ApiJson<NewPostBody>,
) -> Result<(StatusCode, Json<Post>), ApiError> {
    check_content(&body.content)?;
    let scheduled_at = read_scheduled_at(&body.scheduled_at)?;
    let new = NewPost { x_account_id: body.x_account_id, content: body.content, scheduled_at };
    match state.store.add_post(user.id(), new).await {
        Ok(post) => Ok((StatusCode::CREATED, Json(post.into()))),
        Err(WriteError::NoParent) => Err(user.no_parent(&state, "X account not found").await?),
        Err(WriteError::TooMany) => Err(ApiError::invalid("there are too many posts")),
        Err(WriteError::Database(error)) => Err(error.into()),
    }
}

/// The body of a PUT. Members that it leaves out stay as they are.
#[derive(Deserialize, ToSchema)]
#[schema(as = PostChange)]
pub(crate) struct ChangeBody {
    #[schema(min_length = 1, max_length = 280, pattern = "^[^\\u0000]*$")]
    content: Option<String>,
    #[schema(format = DateTime, pattern = "^(19[7-9]|[2-9][0-9]{2})[0-9]-")]
    scheduled_at: Option<String>,
    #[schema(schema_with = status_change)]
    status: Option<String>,
}

/// Change what the body names
#[utoipa::path(
    put, path = "/api/scheduled-posts/{post_id}", operation_id = "changePost", tag = "Posts",
    security(("session" = [])), params(("post_id" = Uuid, Path)), request_body = ChangeBody,
    responses(
        (status = 200, description = "The post as it is now.", body = Post),
        Missing, JsonBody, SignedIn
    )
)]
pub(crate) async fn change(
    State(state): State<AppState>,
    user: CurrentUser,
    IdPath(id): IdPath,
    ApiJson(body): ApiJson<ChangeBody>,
) -> Result<Json<Post>, ApiError> {
    let change = body.check()?;
    let id = id.ok_or(NOT_FOUND)?;
    let post = state.store.change_post(user.id(), id, change).await?;
    post.map(|post| Json(post.into())).ok_or(NOT_FOUND)
}

/// Drop a post
#[utoipa::path(
    delete, path = "/api/scheduled-posts/{post_id}", operation_id = "deletePost", tag = "Posts",
    security(("session" = [])), params(("post_id" = Uuid, Path)),
    responses((status = 204, description = "Gone."), Missing, SignedIn)
)]
pub(crate) async fn remove(
    State(state): State<AppState>,
    user: CurrentUser,
    IdPath(id): IdPath,
) -> Result<StatusCode, ApiError> {
    let id = id.ok_or(NOT_FOUND)?;
    let removed = state.store.remove_post(user.id(), id).await?;
    if removed { Ok(StatusCode::NO_CONTENT) } else { Err(NOT_FOUND) }
}

/// Delete all posts of the caller, who has to verify again
#[utoipa::path(
    delete, path = "/api/me/posts", operation_id = "deletePosts", tag = "Posts",
    security(("session" = [])),
    responses(
        (status = 204, description = "Gone."),
        SignedIn,
        (
            status = 403, body = Error,
            description = "The user was not verified within the last ten minutes (`Reverification \
                           required`, with Clerk's `clerk_error`), or was deleted."
        )
    )
)]
pub(crate) async fn remove_all(
    State(state): State<AppState>,
    user: CurrentUser,
) -> Result<StatusCode, ApiError> {
    user.verified()?.require(&Authorization::reverified(Reverification::STRICT))?;
    state.store.remove_posts(user.id()).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl ListQuery {
    fn page(&self) -> Result<Page, ApiError> {
        let start = |text: &str| time::parse_start(text).map_err(bound_problem);
        let end = |text: &str| time::parse_end(text).map_err(bound_problem);
        Ok(Page {
            start: read(self.start_date.as_deref(), start, "start_date")?,
            end: read(self.end_date.as_deref(), end, "end_date")?,
            after: read_cursor(self.cursor.as_deref())?,
            limit: read_limit(self.limit.as_deref())?,
        })
    }
}

impl ChangeBody {
    fn check(self) -> Result<Change, ApiError> {
        let content = self.content;
        content.as_deref().map(check_content).transpose()?;
        let scheduled_at = self.scheduled_at.as_deref().map(read_scheduled_at).transpose()?;
        let status = self.status.as_deref().map(read_status).transpose()?;
        Ok(Change { content, scheduled_at, status })
    }
}

/// Reads a parameter; one that is empty counts as left out.
fn read<T>(
    given: Option<&str>,
    parse: impl FnOnce(&str) -> Result<T, &'static str>,
    name: &str,
) -> Result<Option<T>, ApiError> {
    let given = given.filter(|text| !text.is_empty());
    let parsed = given.map(parse).transpose();
    parsed.map_err(|problem| ApiError::invalid(format!("{name} {problem}")))
}

/// Reads the end of the previous page.
pub(super) fn read_cursor(given: Option<&str>) -> Result<Option<Cursor>, ApiError> {
    read(given, |text| Cursor::decode(text).ok_or("is not from a list"), "cursor")
}

/// Reads the most rows of a page.
pub(super) fn read_limit(given: Option<&str>) -> Result<u32, ApiError> {
    let limit = read(given, |text| parse_limit(text).ok_or("must be 1 to 500"), "limit")?;
    Ok(limit.unwrap_or(100))
}

fn bound_problem(error: TimeError) -> &'static str {
    match error {
        TimeError::Form => "must be RFC 3339 (a `+` in it sent as %2B) or YYYY-MM-DD",
        TimeError::Range => OUT_OF_RANGE,
    }
}

fn parse_limit(text: &str) -> Option<u32> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|limit| digits && (1..=500).contains(limit))
}

fn check_content(content: &str) -> Result<(), ApiError> {
    if !(1..=280).contains(&content.chars().count()) {
        return Err(ApiError::invalid("content must be 1 to 280 characters"));
    }
    if content.contains('\0') {
        return Err(ApiError::invalid("content must not hold a NUL character"));
    }
    Ok(())
}

fn read_scheduled_at(text: &str) -> Result<DateTime<Utc>, ApiError> {
    time::parse(text).map_err(|error| {
        let problem = match error {
            TimeError::Form => "must be RFC 3339 with an offset, for example 2027-01-31T09:00:00Z",
            TimeError::Range => OUT_OF_RANGE,
        };
        ApiError::invalid(format!("scheduled_at {problem}"))
    })
}

/// Parses a status that a client may set; only the server sets others.
fn read_status(text: &str) -> Result<&'static str, ApiError> {
    let known = STATUSES.into_iter().find(|status| *status == text);
    known.ok_or_else(|| ApiError::invalid("status must be draft, scheduled or cancelled"))
}

const OUT_OF_RANGE: &str = "must be from 1970 to 9999, UTC";
const NOT_FOUND: ApiError = ApiError::NotFound("Post not found");
