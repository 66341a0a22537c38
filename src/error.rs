//! The error of an invalid configuration. Each flow defines its own errors in its module.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

/// Returns an error and its causes in one line, for the log.
#[cfg(all(feature = "remote", feature = "tracing"))]
pub(crate) fn with_causes(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        line.push_str(": ");
        line.push_str(&error.to_string());
        cause = error.source();
    }
    line
}

/// A setting that cannot be used.
///
/// The message names the setting, what is wrong with it and what would be right. It never repeats
/// the value: settings are often secrets.
///
/// `Debug` writes the message too, so that a `main` that returns the error shows it.
#[derive(Clone, PartialEq, Eq)]
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

    /// Returns the same problem with another name for the setting: the one that the reader knows,
    /// for example an environment variable's.
    #[must_use]
    pub fn named(self, setting: impl Into<Cow<'static, str>>) -> Self {
        Self { setting: setting.into(), ..self }
    }

    /// Returns the setting's name.
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

impl fmt::Debug for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for ConfigError {}
