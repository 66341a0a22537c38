//! The failures of an AI service. They contain nothing of its answers, which are users' data.

use std::fmt;

use async_openai::error::OpenAIError;

/// The reason why there are no suggestions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AiError {
    /// The service limits this server's requests, for so many seconds if it said so.
    Busy(Option<u16>),
    /// The service failed.
    Failed,
    /// The service refused the key.
    KeyRefused,
    /// The answer contains no suggestions.
    NoSuggestions,
    /// The service refused the request: an unknown model or address, or an invalid request.
    Refused,
    TimedOut,
    TooLong,
    Unreachable,
    /// The answer does not follow the protocol.
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

/// Wraps the error, which the library carries from the HTTP service to the caller.
impl From<AiError> for OpenAIError {
    fn from(error: AiError) -> Self {
        Self::Boxed(Box::new(error))
    }
}
