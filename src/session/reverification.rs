//! A requirement on recent verification, and how Clerk's front end is told of it. Names nothing.

use std::time::Duration;

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
        format!("{{{}}}", self.clerk_error_member())
    }

    /// Returns the member `clerk_error` of a JSON object, without the object's braces.
    pub(crate) fn clerk_error_member(self) -> String {
        let level = match self.level {
            FactorLevel::First => "first_factor",
            FactorLevel::Second => "second_factor",
            FactorLevel::Multi => "multi_factor",
        };
        let minutes = self.within.as_secs_f64() / 60.0;
        format!(
            r#""clerk_error":{{"type":"forbidden","reason":"reverification-error","metadata":{{"reverification":{{"level":"{level}","afterMinutes":{minutes}}}}}}}"#
        )
    }

    /// Returns the factors that must have been verified.
    #[must_use]
    pub const fn level(&self) -> FactorLevel {
        self.level
    }

    /// Returns the age that the factors must be below.
    #[must_use]
    pub const fn within(&self) -> Duration {
        self.within
    }
}
