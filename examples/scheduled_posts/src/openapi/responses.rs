//! The errors that several routes have in common. Those of a single route are with the route.

use std::collections::BTreeMap;

use utoipa::IntoResponses;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::{ContentBuilder, ObjectBuilder, Ref, RefOr, Response, ResponseBuilder, Type};

/// The errors of every route.
pub(crate) struct EveryAnswer;

/// The errors of routes that accept a JSON object.
pub(crate) struct JsonBody;

/// The errors of routes for one thing of the caller.
pub(crate) struct Missing;

/// The errors of routes that others than users may read.
pub(crate) struct Reading;

/// The errors of routes that require a session token.
pub(crate) struct SignedIn;

type Responses = BTreeMap<String, RefOr<Response>>;

impl IntoResponses for EveryAnswer {
    fn responses() -> Responses {
        listed([
            ("408", error("The request did not arrive in time.")),
            ("500", error("A fault of the server, which is in its log.")),
        ])
    }
}

impl IntoResponses for JsonBody {
    fn responses() -> Responses {
        listed([
            ("400", error("The body is not JSON.")),
            ("413", error("The body is larger than 64 KiB.")),
            ("415", error("The body is not `application/json`.")),
            ("422", error("A member is missing or invalid; `detail` says which.")),
        ])
    }
}

impl IntoResponses for Missing {
    fn responses() -> Responses {
        listed([("404", error("The id does not exist, or belongs to another user."))])
    }
}

impl IntoResponses for Reading {
    fn responses() -> Responses {
        let about = "The user was deleted (`User no longer exists`), or the caller is no user and lacks the \
                     scope `posts:read`, or acts for nobody (`Not allowed`).";
        let mut responses = SignedIn::responses();
        responses.extend(listed([("403", error(about))]));
        responses
    }
}

impl IntoResponses for SignedIn {
    fn responses() -> Responses {
        let signed_out = "No credentials (`Not authenticated`), an invalid token (`Invalid \
                          token`), or an expired one (`Token expired`).";
        let mut responses = listed([
            (
                "401",
                header(
                    error(signed_out),
                    "WWW-Authenticate",
                    Type::String,
                    "`Bearer`, with `error=\"invalid_token\"` if there was one.",
                ),
            ),
            (
                "403",
                error(
                    "The user was deleted (`User no longer exists`), or another site may have sent the \
                     session cookie (`Cross-site request`).",
                ),
            ),
            ("429", later(error("The user, or the address, has sent too many requests."))),
            ("503", later(error("The database, or Clerk's keys, are unavailable at the moment."))),
        ]);
        responses.extend(EveryAnswer::responses());
        responses
    }
}

fn listed<const N: usize>(responses: [(&str, ResponseBuilder); N]) -> Responses {
    let owned =
        |(status, response): (&str, ResponseBuilder)| (status.to_owned(), response.build().into());
    responses.into_iter().map(owned).collect()
}

fn error(description: &str) -> ResponseBuilder {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Error"))).build();
    ResponseBuilder::new().description(description).content("application/json", content)
}

fn later(response: ResponseBuilder) -> ResponseBuilder {
    header(response, "Retry-After", Type::Integer, "Seconds after which to retry.")
}

fn header(response: ResponseBuilder, name: &str, kind: Type, about: &str) -> ResponseBuilder {
    let schema = ObjectBuilder::new().schema_type(kind).build();
    response
        .header(name, HeaderBuilder::new().schema(Some(schema)).description(Some(about)).build())
}
