//! Verification of session tokens: from a request's headers to a [`Session`] for the handler.
//!
//! ```
//! use std::convert::Infallible;
//!
//! use http::{Request, Response, StatusCode};
//! use tower::{Layer, ServiceExt, service_fn};
//! use tower_clerk::session::{ClerkAuthLayer, PemKey, Session, Verifier};
//! # use tower_clerk::test_util::Issuer;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let issuer = Issuer::new("https://clerk.example.com", "ins_1");
//! # let (pem, token) = (issuer.pem(), issuer.token("user_1").mint());
//! let verifier = Verifier::builder("https://clerk.example.com", PemKey::parse(&pem)?)
//!     .authorized_parties(["https://app.example.com"])
//!     .build()?;
//!
//! let whoami = service_fn(|request: Request<String>| async move {
//!     let session = request.extensions().get::<Session>().expect("the layer is mounted");
//!     Ok::<_, Infallible>(Response::new(session.user_id().to_owned()))
//! });
//! let service = ClerkAuthLayer::new(verifier).layer(whoami);
//!
//! # let token = issuer.token("user_1").claim("azp", "https://app.example.com").mint();
//! let request = Request::builder().header("Authorization", format!("Bearer {token}"));
//! let response = service.clone().oneshot(request.body(String::new())?).await?;
//! assert_eq!(response.status(), StatusCode::OK);
//!
//! let anonymous = service.oneshot(Request::new(String::new())).await?;
//! assert_eq!(anonymous.status(), StatusCode::UNAUTHORIZED);
//! # Ok(())
//! # }
//! ```
//!
#![doc = include_str!("../docs/refused.md")]
//!
//! [`authorization`] says how roles, permissions and the like are required, and [`observability`] lists
//! the events and metrics.
#![warn(clippy::indexing_slicing)]

mod bar;
mod body;
mod cache;
mod claims;
mod error;
mod extract;
mod future;
mod gate;
mod guard;
mod json;
pub mod keys;
mod layer;
#[cfg(feature = "machines")]
pub mod machine;
mod parse;
mod public_key;
mod reject;
mod reverification;
mod scope;
mod service;
#[expect(clippy::module_inception, reason = "the file is named after its type, Session")]
mod session;
pub mod source;
mod verify;
mod window;

pub use body::AuthBody;
#[cfg(feature = "machines")]
pub use body::NoBody;
pub use claims::{
    Actor, Authorization, Claims, CustomClaimsError, Entitlement, FactorAges, Organization,
};
pub use error::{AuthError, AuthErrorKind};
pub use future::ResponseFuture;
pub use guard::{RequireLayer, RequireService};
pub use keys::{KeySource, PemKey, StaticKeys};
pub use layer::ClerkAuthLayer;
pub use reject::{
    EmptyResponder, GrpcResponder, JsonResponder, ProblemResponder, Refusal, Responder,
};
pub use reverification::{FactorLevel, Reverification};
pub use scope::Scope;
pub use service::ClerkAuth;
pub use session::Session;
pub use verify::{AudiencePolicy, AuthorizedPartyPolicy, Denied, Verifier, VerifierBuilder};

#[cfg(feature = "reqwest")]
pub(crate) use verify::{check_authorized_parties, check_issuer};

#[cfg(any(feature = "axum", feature = "tonic"))]
pub(crate) use reject::Anonymous;
#[cfg(feature = "axum")]
pub(crate) use reject::finish;
#[cfg(all(feature = "axum", feature = "machines"))]
pub(crate) use reject::refuse_session;

#[doc = include_str!("../docs/authorization.md")]
pub mod authorization {}

#[doc = include_str!("../docs/observability.md")]
pub mod observability {}
