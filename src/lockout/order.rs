//! What is locked out, and since when.

/// The lock-out of a session, a user, or the members of an organization, as an event at Clerk caused it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Lockout {
    /// Whose tokens are refused.
    pub barred: Barred,
    /// The time of the event by Clerk's clock, in milliseconds since 1970. Except for a session, tokens that
    /// were issued later are good.
    pub occurred_at: i64,
}

/// Whose tokens a lock-out refuses.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Barred {
    /// Of a user as a member of an organization: those in which it is active.
    Membership {
        /// The organization's id.
        organization_id: String,
        /// The user's id.
        user_id: String,
    },
    /// Of all members of an organization: those in which it is active.
    Organization(String),
    /// Of a session, whenever they were issued.
    Session(String),
    /// Of a user.
    User(String),
}

impl Lockout {
    /// Creates a lock-out since a time by Clerk's clock, in milliseconds since 1970.
    #[must_use]
    pub const fn new(barred: Barred, occurred_at: i64) -> Self {
        Self { barred, occurred_at }
    }
}

impl Barred {
    /// Returns the parts, to be stored: a word for the kind, the id, and for a membership the user's.
    #[must_use]
    pub fn parts(&self) -> (&'static str, &str, Option<&str>) {
        match self {
            Self::Membership { organization_id, user_id } => {
                ("membership", organization_id, Some(user_id))
            }
            Self::Organization(id) => ("organization", id, None),
            Self::Session(id) => ("session", id, None),
            Self::User(id) => ("user", id, None),
        }
    }

    /// Returns what has these [parts](Self::parts): `None` for a kind that a later release may have stored.
    #[must_use]
    pub fn from_parts(kind: &str, id: String, user_id: Option<String>) -> Option<Self> {
        Some(match (kind, user_id) {
            ("membership", Some(user_id)) => Self::Membership { organization_id: id, user_id },
            ("organization", _) => Self::Organization(id),
            ("session", _) => Self::Session(id),
            ("user", _) => Self::User(id),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_come_back() {
        let text = str::to_owned;
        let membership =
            Barred::Membership { organization_id: text("org_1"), user_id: text("user_1") };
        let all = [
            membership,
            Barred::Organization(text("org_1")),
            Barred::Session(text("sess_1")),
            Barred::User(text("user_1")),
        ];
        for barred in all {
            let (kind, id, user_id) = barred.parts();
            let back = Barred::from_parts(kind, text(id), user_id.map(text));
            assert_eq!(back, Some(barred));
        }
        assert_eq!(Barred::from_parts("device", text("x"), None), None);
        assert_eq!(Barred::from_parts("membership", text("org_1"), None), None);
    }
}
