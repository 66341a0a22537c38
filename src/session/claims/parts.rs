//! Claims of several parts: the impersonator, the ages of factors, features and plans.

use std::fmt;
use std::time::Duration;

/// The impersonator of a user: `act`.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Actor {
    /// The impersonator's user id: `act.sub`.
    pub user_id: Box<str>,
    /// The id of the impersonator's own session: `act.sid`.
    pub session_id: Option<Box<str>>,
}

impl fmt::Debug for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Actor").field("user_id", &self.user_id).finish_non_exhaustive()
    }
}

/// The times since the two factors were verified, which Clerk counts in minutes. `None`: not
/// enrolled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FactorAges {
    /// The first factor.
    pub first: Option<Duration>,
    /// The second factor.
    pub second: Option<Duration>,
}

/// A feature or a plan of the user, the active organization, or both.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entitlement {
    /// The name, without scope.
    pub slug: Box<str>,
    /// Whether the user has it: scope `u`, `uo` or `ou`.
    pub of_user: bool,
    /// Whether the active organization has it: scope `o`, `uo` or `ou`.
    pub of_organization: bool,
}
