//! Claims that are more than one text: who impersonates, how old the factors are, what is paid for.

use std::fmt;
use std::time::Duration;

/// Who impersonates the user: `act`.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Actor {
    /// The impersonator's user id: `act.sub`.
    pub user_id: Box<str>,
    /// The impersonator's own session: `act.sid`.
    pub session_id: Option<Box<str>>,
}

impl fmt::Debug for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Actor").field("user_id", &self.user_id).finish_non_exhaustive()
    }
}

/// How long ago the two factors were verified; Clerk counts in minutes. `None`: not enrolled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FactorAges {
    /// The first factor.
    pub first: Option<Duration>,
    /// The second factor.
    pub second: Option<Duration>,
}

/// A feature or a plan, and who has it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entitlement {
    /// Its name, without scope.
    pub slug: Box<str>,
    /// The user has it: scope `u`, `uo` or `ou`.
    pub of_user: bool,
    /// The active organization has it: scope `o`, `uo` or `ou`.
    pub of_organization: bool,
}
