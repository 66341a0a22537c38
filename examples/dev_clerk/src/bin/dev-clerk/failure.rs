//! The reasons why the program ends.

use std::error::Error;

/// The reason why the program fails.
pub(crate) enum Failure {
    /// Problems that another value of a setting solves, each with the setting's name.
    Settings(Vec<String>),
    Other(Box<dyn Error>),
}
