//! One check: what was looked at, how it is, and what to do about it. Data only.

use serde::Serialize;

/// The result of a look at one thing. No text in it holds a secret or anybody's data.
#[derive(Debug, Serialize)]
pub(super) struct Check {
    /// What was looked at, one word for programs.
    pub(super) name: &'static str,
    pub(super) outcome: Outcome,
    /// What was found.
    pub(super) what: String,
    /// What to do; nothing where all is well.
    pub(super) todo: Option<String>,
}

/// How a thing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    Ok,
    /// Works, and is most likely not what was meant.
    Warn,
    Fail,
    /// Could not be looked at, or there is nothing to look at.
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
