//! What a user may do: Clerk's `has()`. Pure; says yes or no, and no whenever in doubt.

use std::time::Duration;

use super::Claims;
use super::org::Organization;
use super::parts::{Entitlement, FactorAges};

/// What a user must be, have or have proved, for [`Session::has`](super::super::Session::has).
///
/// Each part of it must hold. What a token does not say, or says in a way that is not understood,
/// does not hold; neither does an empty text.
///
/// ```
/// use tower_clerk::session::{Authorization, Reverification, Session};
///
/// fn may_publish(session: &Session) -> bool {
///     let editor = Authorization::role("editor").and(Authorization::permission("posts:publish"));
///     session.has(&editor.and(Authorization::reverified(Reverification::STRICT)))
/// }
/// ```
///
/// Source: `has()` of Clerk's JavaScript SDK.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorization {
    // Never empty: whoever asks nothing would be told yes.
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Role(Box<str>),
    Permission(Box<str>),
    Feature(Box<str>),
    Plan(Box<str>),
    Reverified(Reverification),
}

impl Authorization {
    /// A role in the active organization, with or without its prefix: `org:admin` or `admin`.
    #[must_use]
    pub fn role(role: &str) -> Self {
        Self::of(Part::Role(role.into()))
    }

    /// A permission in the active organization, with or without its prefix: `org:posts:publish` or
    /// `posts:publish`. System permissions (`org:sys_…`) are never in a token.
    #[must_use]
    pub fn permission(permission: &str) -> Self {
        Self::of(Part::Permission(permission.into()))
    }

    /// A feature of the user's or the active organization's plan; `user:` or `org:` before it asks
    /// for one of the two.
    #[must_use]
    pub fn feature(feature: &str) -> Self {
        Self::of(Part::Feature(feature.into()))
    }

    /// A plan of the user or the active organization; `user:` or `org:` before it asks for one of
    /// the two.
    #[must_use]
    pub fn plan(plan: &str) -> Self {
        Self::of(Part::Plan(plan.into()))
    }

    /// That the user has proved who they are a short while ago.
    #[must_use]
    pub fn reverified(reverification: Reverification) -> Self {
        Self::of(Part::Reverified(reverification))
    }

    /// All of this and all of `other`.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.parts.extend(other.parts);
        self
    }

    fn of(part: Part) -> Self {
        Self { parts: vec![part] }
    }

    fn holds_for(&self, claims: &Claims) -> bool {
        let organization = claims.organization().filter(|org| !org.id().is_empty());
        self.parts.iter().all(|part| match part {
            Part::Role(role) => organization.is_some_and(|org| has_role(org, role)),
            Part::Permission(name) => organization.is_some_and(|org| has_permission(org, name)),
            // These need no active organization: a user has features and plans too.
            Part::Feature(query) => has_entitlement(claims.features(), query),
            Part::Plan(query) => has_entitlement(claims.plans(), query),
            Part::Reverified(asked) => claims.factor_ages.is_some_and(|ages| asked.met_by(ages)),
        })
    }
}

impl Claims {
    /// Returns whether the user satisfies `required`: Clerk's `has()`.
    #[must_use]
    pub fn has(&self, required: &Authorization) -> bool {
        required.holds_for(self)
    }
}

/// How lately, and by which factors, a user must have proved who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reverification {
    level: FactorLevel,
    within: Duration,
}

/// By which factors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FactorLevel {
    /// The first.
    First,
    /// The second; the first where the user has enrolled no second.
    Second,
    /// Both; the first where the user has enrolled no second.
    Multi,
}

impl Reverification {
    /// Clerk's `strict_mfa`: both factors, less than ten minutes ago.
    pub const STRICT_MFA: Self = Self::new(FactorLevel::Multi, Duration::from_secs(10 * 60));

    /// Clerk's `strict`: the second factor, less than ten minutes ago.
    pub const STRICT: Self = Self::new(FactorLevel::Second, Duration::from_secs(10 * 60));

    /// Clerk's `moderate`: the second factor, less than an hour ago.
    pub const MODERATE: Self = Self::new(FactorLevel::Second, Duration::from_secs(60 * 60));

    /// Clerk's `lax`: the second factor, less than a day ago.
    pub const LAX: Self = Self::new(FactorLevel::Second, Duration::from_secs(24 * 60 * 60));

    /// These factors, less than so long ago. Nothing is less than no time ago.
    #[must_use]
    pub const fn new(level: FactorLevel, within: Duration) -> Self {
        Self { level, within }
    }

    /// The JSON body that Clerk's front-end components answer by asking the user to prove who they
    /// are, and then asking again; it goes with 403 and `application/json`.
    ///
    /// ```
    /// use tower_clerk::session::Reverification;
    ///
    /// assert_eq!(
    ///     Reverification::STRICT.clerk_error(),
    ///     r#"{"clerk_error":{"type":"forbidden","reason":"reverification-error","metadata":{"reverification":{"level":"second_factor","afterMinutes":10}}}}"#,
    /// );
    /// ```
    #[must_use]
    pub fn clerk_error(&self) -> String {
        let level = match self.level {
            FactorLevel::First => "first_factor",
            FactorLevel::Second => "second_factor",
            FactorLevel::Multi => "multi_factor",
        };
        let minutes = self.within.as_secs_f64() / 60.0;
        format!(
            r#"{{"clerk_error":{{"type":"forbidden","reason":"reverification-error","metadata":{{"reverification":{{"level":"{level}","afterMinutes":{minutes}}}}}}}}}"#
        )
    }

    /// A factor that was never verified is not fresh, and one as old as asked for is too old.
    fn met_by(self, ages: FactorAges) -> bool {
        let fresh = |age: Option<Duration>| age.is_some_and(|age| age < self.within);
        match (self.level, ages.second) {
            (FactorLevel::First, _) | (FactorLevel::Second | FactorLevel::Multi, None) => {
                fresh(ages.first)
            }
            (FactorLevel::Second, Some(_)) => fresh(ages.second),
            (FactorLevel::Multi, Some(_)) => fresh(ages.first) && fresh(ages.second),
        }
    }
}

/// Both sides without their prefix, however often it stands there.
fn has_role(organization: &Organization, asked: &str) -> bool {
    let asked = without_prefix(asked);
    !asked.is_empty() && organization.role().is_some_and(|role| without_prefix(role) == asked)
}

/// A token's permissions have one prefix; the one asked for may have any number, none included.
fn has_permission(organization: &Organization, asked: &str) -> bool {
    let asked = without_prefix(asked);
    !asked.is_empty()
        && organization.permissions().any(|name| name.strip_prefix("org:") == Some(asked))
}

fn without_prefix(name: &str) -> &str {
    name.trim_start_matches("org:")
}

/// `slug`, `org:slug` or `user:slug`; what follows a second colon is passed over, so that a slug
/// with a colon in it cannot be asked for.
fn has_entitlement(entitlements: &[Entitlement], query: &str) -> bool {
    let mut pieces = query.split(':');
    let first = pieces.next().unwrap_or_default();
    let (scope, slug) = match pieces.next() {
        None | Some("") => (None, first),
        Some(slug) => (Some(first), slug),
    };
    !slug.is_empty()
        && entitlements.iter().filter(|entitlement| *entitlement.slug == *slug).any(|entitlement| {
            match scope {
                None => true,
                Some("o" | "org" | "organization") => entitlement.of_organization,
                Some("u" | "user") => entitlement.of_user,
                Some(_) => false,
            }
        })
}

#[cfg(test)]
mod tests;
