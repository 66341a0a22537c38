//! `AUTH_PHASE`: how far a server is on its way from a trusted `user_id` to verified tokens.

use crate::config::reader::Reader;

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
    /// Judged by how the keys begin, whatever else is wrong with Clerk's settings.
    pub(super) fn auth_phase(&mut self) -> AuthPhase {
        let phase = self.value("AUTH_PHASE", AuthPhase::Verified, AuthPhase::parse);
        let meant = self.value("ALLOW_UNVERIFIED_USERS", false, |text| match text {
            "yes" => Ok(true),
            _ => Err("must be yes, or unset"),
        });
        let mut keys = KEYS.iter().filter_map(|name| self.env.get(name));
        let live = keys.any(|key| key.starts_with("pk_live_") || key.starts_with("sk_live_"));
        if phase.trusts_user_id() && !meant && live {
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

const KEYS: [&str; 3] =
    ["CLERK_PUBLISHABLE_KEY", "NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY", "CLERK_SECRET_KEY"];
