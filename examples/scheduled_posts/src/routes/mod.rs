//! The routes, one file for each group. The common parts of all answers are in `app`.

pub(crate) mod accounts;
pub(crate) mod docs;
pub(crate) mod health;
pub(crate) mod me;
pub(crate) mod page;
pub(crate) mod posts;
pub(crate) mod suggestions;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::state::AppState;
use crate::webhook;

/// Returns the routes that require a session token. The handlers' descriptions contain the paths
/// and methods.
pub(crate) fn of_users() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(me::show))
        .routes(routes!(accounts::list, accounts::create))
        .routes(routes!(accounts::remove))
        .routes(routes!(posts::list, posts::create))
        .routes(routes!(posts::change, posts::remove))
        .routes(routes!(suggestions::generate))
}

/// Returns the public routes of the API. The pages for people are neither part of the API nor of
/// its description.
pub(crate) fn of_all() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(webhook::receive))
        .routes(routes!(health::healthz))
        .routes(routes!(health::readyz))
}
