//! Authorization checks: Clerk's `has()`. Pure; denies when in doubt.

use std::time::Duration;

use super::Claims;
use super::org::Organization;
use super::parts::{Entitlement, FactorAges};
use crate::session::reverification::{FactorLevel, Reverification};

/// A requirement on a user, for [`Session::has`](super::super::Session::has): a role, a permission,
/// a feature, a plan, a recent verification, or several of them.
///
/// Requirements are combined by [`and`](Self::and) and [`or`](Self::or), in any depth. A claim that is
/// missing or not understood satisfies no part, and a part that asks for an empty text never holds:
/// of several such parts, joined by `or`, none does.
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
    rule: Rule,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Rule {
    Part(Part),
    // Never empty: nothing at all would always be satisfied.
    All(Vec<Self>),
    Any(Vec<Self>),
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

    /// Requires both `self` and `other`.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let mut rules = Vec::new();
        for rule in [self.rule, other.rule] {
            match rule {
                Rule::All(all) => rules.extend(all),
                rule => rules.push(rule),
            }
        }
        Self { rule: Rule::All(rules) }
    }

    /// Requires `self` or `other`, or both.
    ///
    /// ```
    /// use tower_clerk::session::Authorization;
    ///
    /// let admin = Authorization::role("admin");
    /// let editor = Authorization::role("editor").and(Authorization::permission("posts:publish"));
    /// let either = admin.or(editor);
    /// ```
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        let mut rules = Vec::new();
        for rule in [self.rule, other.rule] {
            match rule {
                Rule::Any(any) => rules.extend(any),
                rule => rules.push(rule),
            }
        }
        Self { rule: Rule::Any(rules) }
    }

    fn of(part: Part) -> Self {
        Self { rule: Rule::Part(part) }
    }
}

/// What a user lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::session) enum Lack {
    /// A recent verification, and nothing else.
    Verification(Reverification),
    /// Something that verifying again would not bring.
    Other,
}

impl Rule {
    /// Returns what the user lacks of it; `None` if it holds.
    fn lack(&self, claims: &Claims) -> Option<Lack> {
        match self {
            Self::Part(part) => part.lack(claims),
            Self::All(rules) => {
                let mut lacks = rules.iter().filter_map(|rule| rule.lack(claims));
                let first = lacks.next()?;
                Some(if lacks.any(|lack| lack == Lack::Other) { Lack::Other } else { first })
            }
            Self::Any(rules) => {
                let mut easiest = Lack::Other;
                for rule in rules {
                    let lack = rule.lack(claims)?;
                    if easiest == Lack::Other {
                        easiest = lack;
                    }
                }
                Some(easiest)
            }
        }
    }
}

impl Part {
    fn lack(&self, claims: &Claims) -> Option<Lack> {
        let organization = claims.organization().filter(|org| !org.id().is_empty());
        let holds = match self {
            Self::Role(role) => organization.is_some_and(|org| has_role(org, role)),
            Self::Permission(name) => organization.is_some_and(|org| has_permission(org, name)),
            // These need no active organization: a user has features and plans too.
            Self::Feature(query) => has_entitlement(claims.features(), query),
            Self::Plan(query) => has_entitlement(claims.plans(), query),
            Self::Reverified(asked) => claims.factor_ages.is_some_and(|ages| is_met(*asked, ages)),
        };
        match self {
            _ if holds => None,
            // Nothing is less than no time ago, so that verifying again is of no use.
            Self::Reverified(asked) if !asked.within().is_zero() => {
                Some(Lack::Verification(*asked))
            }
            _ => Some(Lack::Other),
        }
    }
}

impl Claims {
    /// Returns whether the user satisfies `required`: Clerk's `has()`.
    #[must_use]
    pub fn has(&self, required: &Authorization) -> bool {
        self.lack(required).is_none()
    }

    /// Returns what the user lacks of `required`; `None` if it holds.
    pub(in crate::session) fn lack(&self, required: &Authorization) -> Option<Lack> {
        required.rule.lack(self)
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

/// Returns whether the factors are fresh enough. A factor that was never verified is not, and one of
/// exactly this age is too old.
fn is_met(asked: Reverification, ages: FactorAges) -> bool {
    let fresh = |age: Option<Duration>| age.is_some_and(|age| age < asked.within());
    match (asked.level(), ages.second) {
        (FactorLevel::First, _) | (FactorLevel::Second | FactorLevel::Multi, None) => {
            fresh(ages.first)
        }
        (FactorLevel::Second, Some(_)) => fresh(ages.second),
        (FactorLevel::Multi, Some(_)) => fresh(ages.first) && fresh(ages.second),
    }
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
