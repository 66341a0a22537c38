//! An answer of the protocol, as far as it is read.

use serde::Deserialize;

/// What is read of an answer. The library's own type refuses whatever OpenAI itself would not say.
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
    /// What the model said; nothing when it said nothing.
    pub(super) fn text(&self) -> &str {
        let first = self.choices.first();
        first.and_then(|choice| choice.message.content.as_deref()).unwrap_or_default()
    }
}
