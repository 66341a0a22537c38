//! What is wrong with a configuration. Errors of the flows live with their flow.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

/// A setting that cannot be used.
///
/// The message names the setting, what is wrong with it and what would be right, and never
/// repeats the value: settings are often secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    setting: Cow<'static, str>,
    problem: Cow<'static, str>,
}

impl ConfigError {
    pub(crate) fn new(
        setting: impl Into<Cow<'static, str>>,
        problem: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { setting: setting.into(), problem: problem.into() }
    }

    /// The same problem under the name that the reader knows the setting by, for example an
    /// environment variable.
    #[must_use]
    pub fn named(self, setting: impl Into<Cow<'static, str>>) -> Self {
        Self { setting: setting.into(), ..self }
    }

    /// The setting's name.
    #[must_use]
    pub fn setting(&self) -> &str {
        &self.setting
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.setting, self.problem)
    }
}

impl Error for ConfigError {}
