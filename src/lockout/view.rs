//! An instance's view of the lock-outs, and the rule by which they bar a token. Pure: the time is an
//! argument.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::order::{Barred, Lockout};

/// The bearer of a token, as its claims say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bearer<'a> {
    pub(crate) session_id: Option<&'a str>,
    pub(crate) user_id: &'a str,
    /// The active organization.
    pub(crate) organization_id: Option<&'a str>,
    /// The time at which the token was issued, in milliseconds since 1970. Clerk tells whole seconds: of the
    /// second in which a lock-out happened, all tokens are barred.
    pub(crate) issued_at: Option<i64>,
}

/// Why a token is barred.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// The session has ended, or the user is banned.
    SessionEnded,
    /// The user is no longer a member of the active organization.
    MembershipEnded,
}

/// The lock-outs that an instance knows.
#[derive(Debug, Default)]
pub(super) struct View {
    sessions: HashMap<String, Instant>,
    users: HashMap<String, Known>,
    organizations: HashMap<String, Known>,
    /// By organization and user.
    memberships: HashMap<String, HashMap<String, Known>>,
    swept_at: Option<Instant>,
}

/// The latest lock-out of somebody.
#[derive(Clone, Copy, Debug)]
struct Known {
    occurred_at: i64,
    learned_at: Instant,
}

impl View {
    /// Adds a lock-out; returns whether it bars more than before.
    pub(super) fn add(&mut self, lockout: Lockout, now: Instant) -> bool {
        let Lockout { barred, occurred_at } = lockout;
        let known = match barred {
            Barred::Session(id) => return self.sessions.insert(id, now).is_none(),
            Barred::User(id) => self.users.entry(id),
            Barred::Organization(id) => self.organizations.entry(id),
            Barred::Membership { organization_id, user_id } => {
                self.memberships.entry(organization_id).or_default().entry(user_id)
            }
        };
        let before = known.or_insert(Known { occurred_at: i64::MIN, learned_at: now });
        let bars_more = before.occurred_at < occurred_at;
        if bars_more {
            *before = Known { occurred_at, learned_at: now };
        }
        bars_more
    }

    /// Forgets what bars no token any more, once a minute at most: it looks at everything.
    pub(super) fn forget(&mut self, now: Instant) {
        let last = self.swept_at.get_or_insert(now);
        if now.saturating_duration_since(*last) < BETWEEN_SWEEPS {
            return;
        }
        *last = now;
        let is_of_use = |learned_at: Instant| now.saturating_duration_since(learned_at) < LIFETIME;
        self.sessions.retain(|_, learned_at| is_of_use(*learned_at));
        self.users.retain(|_, known| is_of_use(known.learned_at));
        self.organizations.retain(|_, known| is_of_use(known.learned_at));
        self.memberships.retain(|_, users| {
            users.retain(|_, known| is_of_use(known.learned_at));
            !users.is_empty()
        });
    }

    /// Returns why a token is barred, if it is.
    pub(super) fn bars(&self, bearer: Bearer<'_>) -> Option<Reason> {
        let issued_at = bearer.issued_at.unwrap_or(i64::MIN);
        let is_later = |known: Option<&Known>| known.is_some_and(|it| issued_at <= it.occurred_at);
        let has_ended = bearer.session_id.is_some_and(|id| self.sessions.contains_key(id));
        if has_ended || is_later(self.users.get(bearer.user_id)) {
            return Some(Reason::SessionEnded);
        }
        let organization = bearer.organization_id?;
        let members = self.memberships.get(organization);
        let left = members.and_then(|members| members.get(bearer.user_id));
        let is_out = is_later(left) || is_later(self.organizations.get(organization));
        is_out.then_some(Reason::MembershipEnded)
    }
}

/// How long a lock-out is of use: as long as a token may live, with the largest skew and the time of a late
/// commit.
pub(super) const LIFETIME: Duration = Duration::from_secs(65 * 60);

/// How long it is at least from one sweep to the next.
const BETWEEN_SWEEPS: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock as _, SystemClock};

    const BEARER: Bearer<'_> = Bearer {
        session_id: Some("sess_1"),
        user_id: "user_1",
        organization_id: Some("org_1"),
        issued_at: Some(10_000),
    };

    fn text(text: &str) -> String {
        text.to_owned()
    }

    fn membership(organization: &str, user: &str) -> Barred {
        Barred::Membership { organization_id: text(organization), user_id: text(user) }
    }

    fn bars(barred: Barred, occurred_at: i64, bearer: Bearer<'_>) -> Option<Reason> {
        let mut view = View::default();
        assert!(view.add(Lockout::new(barred, occurred_at), SystemClock::new().monotonic()));
        view.bars(bearer)
    }

    #[test]
    fn each_lock_out_bars_the_tokens_that_it_is_about_and_no_others() {
        let (ended, left) = (Some(Reason::SessionEnded), Some(Reason::MembershipEnded));
        let rows = [
            (Barred::Session(text("sess_1")), 0, ended),
            (Barred::Session(text("sess_2")), 99_999, None),
            (Barred::User(text("user_1")), 10_000, ended),
            (Barred::User(text("user_1")), 10_999, ended),
            (Barred::User(text("user_1")), 9_999, None),
            (Barred::User(text("user_2")), 99_999, None),
            (Barred::Organization(text("org_1")), 10_000, left),
            (Barred::Organization(text("org_1")), 9_999, None),
            (Barred::Organization(text("org_2")), 99_999, None),
            (membership("org_1", "user_1"), 10_000, left),
            (membership("org_1", "user_1"), 9_999, None),
            (membership("org_2", "user_1"), 99_999, None),
            (membership("org_1", "user_2"), 99_999, None),
        ];
        for (barred, occurred_at, expected) in rows {
            let name = format!("{barred:?} at {occurred_at}");
            assert_eq!(bars(barred, occurred_at, BEARER), expected, "{name}");
        }
    }

    #[test]
    fn what_a_token_does_not_say_counts_against_it_and_never_for_another() {
        let ageless = Bearer { issued_at: None, ..BEARER };
        assert!(bars(Barred::User(text("user_1")), 0, ageless).is_some());
        let none = Bearer { session_id: None, organization_id: None, ..BEARER };
        assert_eq!(bars(Barred::Session(text("")), 99_999, none), None);
        assert_eq!(bars(membership("", "user_1"), 99_999, none), None);
    }

    #[test]
    fn the_latest_of_several_counts_in_every_order_and_only_it_is_news() {
        let now = SystemClock::new().monotonic();
        let at = |occurred_at| Lockout::new(Barred::User(text("user_1")), occurred_at);
        let mut view = View::default();
        let news = [3, 12_000, 12_000, 5].map(|time| view.add(at(time), now));
        assert_eq!(news, [true, true, false, false]);
        assert!(view.bars(BEARER).is_some());
        let session = || Lockout::new(Barred::Session(text("sess_9")), 1);
        assert!(view.add(session(), now));
        assert!(!view.add(session(), now));
    }

    #[test]
    fn a_lock_out_is_forgotten_when_no_token_from_before_it_can_be_valid() {
        let now = SystemClock::new().monotonic();
        let all = [
            Barred::Session(text("sess_1")),
            Barred::User(text("user_1")),
            Barred::Organization(text("org_1")),
            membership("org_1", "user_1"),
        ];
        for barred in all {
            let mut view = View::default();
            view.add(Lockout::new(barred.clone(), 99_999), now);
            view.forget(now);
            view.forget(now + LIFETIME - Duration::from_secs(61));
            assert!(view.bars(BEARER).is_some(), "{barred:?}");
            view.forget(now + LIFETIME);
            assert_eq!(view.bars(BEARER), None, "{barred:?}");
        }
    }
}
