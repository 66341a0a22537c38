//! The routes, one file for each group. The common parts of all answers are in `app`.

pub(crate) mod accounts;
pub(crate) mod docs;
pub(crate) mod health;
pub(crate) mod me;
pub(crate) mod members;
pub(crate) mod organizations;
pub(crate) mod page;
pub(crate) mod posts;
pub(crate) mod suggestions;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::state::AppState;
use crate::webhook;

/// Returns the routes that require a user's session. The handlers' descriptions contain the paths and
/// methods.
pub(crate) fn of_users() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(accounts::create))
        .routes(routes!(accounts::remove))
        .routes(routes!(posts::create))
        .routes(routes!(posts::change, posts::remove))
        .routes(routes!(posts::remove_all))
        .routes(routes!(suggestions::generate))
        .routes(routes!(members::list))
        .routes(routes!(organizations::show_me))
}

/// Returns the routes that other callers may read too, where they are accepted.
pub(crate) fn of_readers() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(me::show))
        .routes(routes!(accounts::list))
        .routes(routes!(posts::list))
}

/// Returns the public routes of the API. The pages for people are neither part of the API nor of
/// its description.
pub(crate) fn of_all() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(webhook::receive))
        .routes(routes!(health::healthz))
        .routes(routes!(health::readyz))
}
