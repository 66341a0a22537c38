//! The parts of a chat completion that are read.

use serde::Deserialize;

/// The parts of an answer that are read. The library's own type refuses answers of services that
/// differ from OpenAI's.
#[derive(Deserialize)]
pub(super) struct Completion {
    choices: Vec<Choice>,
}

#[derive(Deserialize)]
struct Choice {
    message: Message,
}

#[derive(Deserialize)]
struct Message {
    content: Option<String>,
}

impl Completion {
    /// Returns the model's text, which is empty when there is none.
    pub(super) fn text(&self) -> &str {
        let first = self.choices.first();
        first.and_then(|choice| choice.message.content.as_deref()).unwrap_or_default()
    }
}
