//! `AUTH_PHASE`: the phase of the migration from a trusted `user_id` to verified tokens.

use crate::config::reader::Reader;

/// The source of a request's user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AuthPhase {
    /// 1: the client's `user_id`; Clerk's webhooks are not received yet.
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

    /// Returns whether the client's `user_id` is trusted.
    pub(crate) fn trusts_user_id(self) -> bool {
        self != Self::Verified
    }

    pub(crate) fn has_webhooks(self) -> bool {
        self != Self::Trusting
    }

    /// Parses a phase. An unknown one is an error, so that it weakens nothing.
    fn parse(text: &str) -> Result<Self, &'static str> {
        match text {
            "1" => Ok(Self::Trusting),
            "2" => Ok(Self::Synced),
            "3" => Ok(Self::Verified),
            _ => Err("must be 1, 2 or 3; unset means 3, where only verified tokens count"),
        }
    }
}

impl Reader<'_> {
    /// Reads the phase, and refuses phases 1 and 2 with production keys unless they are explicitly
    /// allowed. Looks at the keys' prefixes only, so that other errors in Clerk's settings do not
    /// matter.
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
                "AUTH_PHASE: is below 3, where any client can act as any user, and the keys belong \
                 to a production instance; set 3, or ALLOW_UNVERIFIED_USERS=yes while your clients \
                 are being migrated"
                    .into(),
            );
        }
        phase
    }
}

const KEYS: [&str; 3] =
    ["CLERK_PUBLISHABLE_KEY", "NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY", "CLERK_SECRET_KEY"];
