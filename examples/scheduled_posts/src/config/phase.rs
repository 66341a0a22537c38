//! `AUTH_PHASE`: how far a server is on its way from a trusted `user_id` to verified tokens.

use tower_clerk::PublishableKey;

use super::{Clerk, Reader};

/// Whose word counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AuthPhase {
    /// 1: the client's `user_id`; Clerk's webhooks are not taken in yet.
    Trusting,
    /// 2: the client's `user_id`; webhooks are on.
    Synced,
    /// 3: verified tokens only.
    Verified,
}

impl AuthPhase {
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::Trusting => 1,
            Self::Synced => 2,
            Self::Verified => 3,
        }
    }

    /// Whether anybody is who they say they are.
    pub(crate) fn trusts_user_id(self) -> bool {
        self != Self::Verified
    }

    pub(crate) fn has_webhooks(self) -> bool {
        self != Self::Trusting
    }

    /// An unknown phase must not weaken anything.
    fn parse(text: &str) -> Result<Self, &'static str> {
        match text {
            "1" => Ok(Self::Trusting),
            "2" => Ok(Self::Synced),
            "3" => Ok(Self::Verified),
            _ => Err("must be 1, 2 or 3; unset is 3, where only verified tokens count"),
        }
    }
}

impl Reader<'_> {
    /// The phase, and that it is not a weak one in front of real users without anybody's meaning it.
    pub(super) fn auth_phase(&mut self, clerk: Option<&Clerk>) -> AuthPhase {
        let phase = self.value("AUTH_PHASE", AuthPhase::Verified, AuthPhase::parse);
        let meant = self.value("ALLOW_UNVERIFIED_USERS", false, |text| match text {
            "yes" => Ok(true),
            _ => Err("must be yes, or unset"),
        });
        if phase.trusts_user_id() && !meant && clerk.is_some_and(is_live) {
            self.errors.push(
                "AUTH_PHASE: is below 3, where anybody is whoever they say they are, and the keys \
                 are a production instance's; set 3, or ALLOW_UNVERIFIED_USERS=yes while your \
                 clients are being changed"
                    .into(),
            );
        }
        phase
    }
}

fn is_live(clerk: &Clerk) -> bool {
    match clerk {
        Clerk::Dev(_) => false,
        Clerk::Real(clerk) => {
            clerk.publishable_key().is_some_and(PublishableKey::is_live)
                || clerk.secret_key().is_some_and(|key| key.is_live())
        }
    }
}
