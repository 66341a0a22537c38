//! Authorization checks: Clerk's `has()`. Pure; denies when in doubt.

use std::time::Duration;

use super::Claims;
use super::org::Organization;
use super::parts::{Entitlement, FactorAges};

/// A requirement on a user, for [`Session::has`](super::super::Session::has): a role, a permission,
/// a feature, a plan, a recent verification, or several of them.
///
/// Each part must hold. A claim that is missing or not understood satisfies no part. A part that
/// asks for an empty text never holds.
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
    // Never empty: an empty requirement would always be satisfied.
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
    /// Requires a role in the active organization, with or without its prefix: `org:admin` or
    /// `admin`.
    #[must_use]
    pub fn role(role: &str) -> Self {
        Self::of(Part::Role(role.into()))
    }

    /// Requires a permission in the active organization, with or without its prefix:
    /// `org:posts:publish` or `posts:publish`. System permissions (`org:sys_…`) are never in a
    /// token.
    #[must_use]
    pub fn permission(permission: &str) -> Self {
        Self::of(Part::Permission(permission.into()))
    }

    /// Requires a feature of the user's or the active organization's plan; the prefix `user:` or
    /// `org:` selects one of the two.
    #[must_use]
    pub fn feature(feature: &str) -> Self {
        Self::of(Part::Feature(feature.into()))
    }

    /// Requires a plan of the user or the active organization; the prefix `user:` or `org:` selects
    /// one of the two.
    #[must_use]
    pub fn plan(plan: &str) -> Self {
        Self::of(Part::Plan(plan.into()))
    }

    /// Requires that the user's factors were verified recently.
    #[must_use]
    pub fn reverified(reverification: Reverification) -> Self {
        Self::of(Part::Reverified(reverification))
    }

    /// Requires all of `self` and all of `other`.
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

/// A requirement on how recently, and by which factors, a user was verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reverification {
    level: FactorLevel,
    within: Duration,
}

/// The factors that must have been verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FactorLevel {
    /// The first factor.
    First,
    /// The second factor, or the first if the user has enrolled no second.
    Second,
    /// Both factors, or the first if the user has enrolled no second.
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

    /// Returns the requirement that these factors were verified less than `within` ago. A `within`
    /// of zero is never satisfied.
    #[must_use]
    pub const fn new(level: FactorLevel, within: Duration) -> Self {
        Self { level, within }
    }

    /// Returns the JSON body on which Clerk's front-end components let the user verify again and
    /// then repeat the request; send it with 403 and `application/json`.
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

    /// Returns whether the factors are fresh enough. A factor that was never verified is not, and
    /// one of exactly this age is too old.
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

/// Returns whether the user has a role; both sides are compared without their prefix, however often
/// it occurs.
fn has_role(organization: &Organization, asked: &str) -> bool {
    let asked = without_prefix(asked);
    !asked.is_empty() && organization.role().is_some_and(|role| without_prefix(role) == asked)
}

/// Returns whether the user has a permission. A token's permissions have one prefix; the one asked
/// for may have any number, none included.
fn has_permission(organization: &Organization, asked: &str) -> bool {
    let asked = without_prefix(asked);
    !asked.is_empty()
        && organization.permissions().any(|name| name.strip_prefix("org:") == Some(asked))
}

fn without_prefix(name: &str) -> &str {
    name.trim_start_matches("org:")
}

/// Returns whether an entitlement matches `slug`, `org:slug` or `user:slug`. What follows a second
/// colon is ignored, so that a slug with a colon in it never matches.
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
