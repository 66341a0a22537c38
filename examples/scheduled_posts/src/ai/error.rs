//! What an AI service can do wrong. Says nothing of what it answered: that is somebody's data.

use std::fmt;

use async_openai::error::OpenAIError;

/// Why there are no suggestions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AiError {
    /// It has had enough of us for now; perhaps it said for how many seconds.
    Busy(Option<u16>),
    /// Its own fault.
    Failed,
    /// It does not know our key.
    KeyRefused,
    /// It answered, and there is nothing in it.
    NoSuggestions,
    /// No such model, no such address, or a question that it does not take.
    Refused,
    TimedOut,
    TooLong,
    Unreachable,
    /// Its answer is not the protocol's.
    Unreadable,
}

impl fmt::Display for AiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Busy(_) => "The AI service is busy; try again later",
            Self::Failed => "The AI service failed",
            Self::KeyRefused => "The AI service does not accept this server",
            Self::NoSuggestions => "The AI service made no suggestions",
            Self::Refused => "The AI service refused the request",
            Self::TimedOut => "The AI service did not answer in time",
            Self::TooLong => "The AI service's answer is too long",
            Self::Unreachable => "The AI service cannot be reached",
            Self::Unreadable => "The AI service's answer cannot be read",
        })
    }
}

impl std::error::Error for AiError {}

/// The library carries it from our HTTP service to our call.
impl From<AiError> for OpenAIError {
    fn from(error: AiError) -> Self {
        Self::Boxed(Box::new(error))
    }
}
