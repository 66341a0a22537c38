//! Callers that are not users' sessions: API keys, machines (M2M) and OAuth applications.
//!
#![doc = include_str!("../../docs/machines.md")]

mod accept;
mod answer;
#[cfg(feature = "reqwest")]
mod backend_api;
mod inquiries;
mod introspect;
mod jwt;
mod limits;
mod principal;
mod resource;
mod shape;

pub use accept::MachineTokens;
pub(super) use accept::{Judging, PendingCaller};
#[cfg(feature = "reqwest")]
pub use backend_api::BackendApiIntrospect;
pub use inquiries::{Introspection, IntrospectionBuilder};
pub use introspect::{Answer, Introspect, IntrospectError, Question};
pub(super) use principal::Found;
pub use principal::{ApiKey, M2mToken, MachineKind, OAuthToken, Principal};
pub use resource::{ProtectedResource, ResourceService};
