//! The routes that the API's description lists, a file for each group. What all answers have in common
//! is in `app`.

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

/// Behind a session token. Paths and methods stand with the handlers, in what describes them.
pub(crate) fn of_users() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(me::show))
        .routes(routes!(accounts::list, accounts::create))
        .routes(routes!(accounts::remove))
        .routes(routes!(posts::list, posts::create))
        .routes(routes!(posts::change, posts::remove))
        .routes(routes!(suggestions::generate))
}

/// Open to all, and described. The pages for people are neither of the API nor in its description.
pub(crate) fn of_all() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(webhook::receive))
        .routes(routes!(health::healthz))
        .routes(routes!(health::readyz))
}
