//! Errors that several routes have in common. What a single route adds stands with the route.

use std::collections::BTreeMap;

use utoipa::IntoResponses;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::{ContentBuilder, ObjectBuilder, Ref, RefOr, Response, ResponseBuilder, Type};

/// Of every route.
pub(crate) struct EveryAnswer;

/// Of routes that take a JSON object.
pub(crate) struct JsonBody;

/// Of routes for one thing of the caller's.
pub(crate) struct Missing;

/// Of routes behind a session token.
pub(crate) struct SignedIn;

type Responses = BTreeMap<String, RefOr<Response>>;

impl IntoResponses for EveryAnswer {
    fn responses() -> Responses {
        listed([
            ("408", error("The request was not there in time.")),
            ("500", error("A fault of the server's; its log has it.")),
        ])
    }
}

impl IntoResponses for JsonBody {
    fn responses() -> Responses {
        listed([
            ("400", error("The body is not JSON.")),
            ("413", error("The body is larger than 64 KiB.")),
            ("415", error("The body is not `application/json`.")),
            ("422", error("A member is missing, or not as it may be; `detail` says which.")),
        ])
    }
}

impl IntoResponses for Missing {
    fn responses() -> Responses {
        listed([("404", error("There is none of this id, or it is somebody else's."))])
    }
}

impl IntoResponses for SignedIn {
    fn responses() -> Responses {
        let signed_out = "No credentials (`Not authenticated`), a bad token (`Invalid token`), or one \
                          that is over (`Token expired`).";
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
            ("403", error("The user was deleted (`User no longer exists`).")),
            ("429", later(error("The user, or the address, has asked for too much."))),
            ("503", later(error("The database, or Clerk's keys, cannot be had just now."))),
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
    header(response, "Retry-After", Type::Integer, "Seconds after which to ask again.")
}

fn header(response: ResponseBuilder, name: &str, kind: Type, about: &str) -> ResponseBuilder {
    let schema = ObjectBuilder::new().schema_type(kind).build();
    response
        .header(name, HeaderBuilder::new().schema(Some(schema)).description(Some(about)).build())
}
