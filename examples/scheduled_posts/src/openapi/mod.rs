//! The API's description, OpenAPI 3.1: the descriptions of the routes, and their common parts.

mod responses;
mod schemas;

pub(crate) use responses::{EveryAnswer, JsonBody, Missing, Reading, SignedIn};
pub(crate) use schemas::{
    bound, caller, cursor, handle, instant, limit, member_cursor, status, status_change,
};

use std::sync::LazyLock;

use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder};
use utoipa::{PartialSchema as _, ToSchema as _};

use crate::error::Error;
use crate::routes;

/// Returns the document as JSON, for `/openapi.json` and the subcommand `openapi`.
pub(crate) fn document() -> &'static str {
    static DOCUMENT: LazyLock<String> = LazyLock::new(|| {
        // Only maps and texts, which JSON can always represent.
        build().to_pretty_json().unwrap_or_default()
    });
    &DOCUMENT
}

/// Builds the document from the routers of the server.
fn build() -> OpenApi {
    let users = routes::of_users().merge(routes::of_readers());
    let routes = users.merge(routes::of_all()).into_openapi();
    let mut components = routes.components.unwrap_or_default();
    components.schemas.insert(Error::name().into_owned(), Error::schema());
    components.security_schemes.insert(BEARER.to_owned(), bearer().into());
    let info = InfoBuilder::new()
        .title("Scheduled posts")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(ABOUT))
        .license(Some(LicenseBuilder::new().name("MIT").identifier(Some("MIT")).build()));
    let tags =
        TAGS.map(|(name, about)| TagBuilder::new().name(name).description(Some(about)).build());
    OpenApiBuilder::new()
        .info(info)
        .paths(routes.paths)
        .components(Some(components))
        .tags(Some(tags))
        .build()
}

fn bearer() -> SecurityScheme {
    let scheme = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some("A session token of Clerk, as `getToken()` of its SDKs returns it."));
    SecurityScheme::Http(scheme.build())
}

/// The name that the routes use.
const BEARER: &str = "session";

const ABOUT: &str = "Posts that are to be published later, each user's own. The verified token alone identifies \
the caller: a `user_id` in query, body or header changes nothing, unless answers carry the `Warning` \
of a server that is still migrating to verified tokens. Members and parameters that are not listed \
are ignored.\n\nEvery error of this API is `application/json` with a member `detail`; so are 404 for a \
path that is not listed, 405 (with `Allow`) for a method that is not, and 413 and 414 for a request \
that is too large. Headers that are too large are 431, without a body.";

const TAGS: [(&str, &str); 6] = [
    ("Posts", "Scheduled posts of the caller."),
    ("X accounts", "The accounts that posts are published on."),
    ("Caller", "The signed-in user."),
    ("Organizations", "The active organization of the caller."),
    ("Webhooks", "For Clerk, which signs what it sends."),
    ("Health", "For load balancers and the like."),
];
