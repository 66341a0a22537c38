//! One check: its subject, its outcome, and what to do. Data only.

use serde::Serialize;

/// The result of one check. No text in it contains a secret or a user's data.
#[derive(Debug, Serialize)]
pub(super) struct Check {
    /// The subject, as one word for programs.
    pub(super) name: &'static str,
    pub(super) outcome: Outcome,
    /// The finding.
    pub(super) what: String,
    /// What to do; `None` if nothing is wrong.
    pub(super) todo: Option<String>,
}

/// The outcome of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    Ok,
    /// Works, but is probably not intended.
    Warn,
    Fail,
    /// Could not be checked, or there is nothing to check.
    Skipped,
}

impl Check {
    pub(super) fn ok(name: &'static str, what: impl Into<String>) -> Self {
        Self { name, outcome: Outcome::Ok, what: what.into(), todo: None }
    }

    pub(super) fn skipped(name: &'static str, what: impl Into<String>) -> Self {
        Self { name, outcome: Outcome::Skipped, what: what.into(), todo: None }
    }

    pub(super) fn warn(
        name: &'static str,
        what: impl Into<String>,
        todo: impl Into<String>,
    ) -> Self {
        Self { name, outcome: Outcome::Warn, what: what.into(), todo: Some(todo.into()) }
    }

    pub(super) fn fail(
        name: &'static str,
        what: impl Into<String>,
        todo: impl Into<String>,
    ) -> Self {
        Self { name, outcome: Outcome::Fail, what: what.into(), todo: Some(todo.into()) }
    }
}
