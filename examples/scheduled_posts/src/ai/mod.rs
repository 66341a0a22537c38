//! Suggestions for posts from an OpenAI-compatible service. Knows nothing of this server's answers.

mod completion;
mod error;
mod suggestions;
mod upstream;

pub(crate) use error::AiError;

use std::sync::Arc;
use std::time::Duration;

use async_openai::Client;
use async_openai::config::OpenAIConfig;
use async_openai::error::OpenAIError;
use async_openai::types::chat::{
    ChatCompletionRequestSystemMessage, ChatCompletionRequestUserMessage,
    CreateChatCompletionRequest,
};
use completion::Completion;

use crate::config::AiConfig;

/// A client of a service that writes posts. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Ai {
    client: Arc<Client<OpenAIConfig>>,
    model: Arc<str>,
}

impl Ai {
    /// Creates a client; opens no connection.
    ///
    /// # Errors
    ///
    /// Fails when TLS cannot be set up on this machine.
    pub(crate) fn new(config: &AiConfig) -> Result<Self, reqwest::Error> {
        // Otherwise the library would read an organization and a project from the environment.
        let settings = OpenAIConfig::new()
            .with_api_base(config.base_url.as_str().trim_end_matches('/'))
            .with_api_key(config.key.expose())
            .with_org_id("")
            .with_project_id("");
        // Without a client of ours, the library makes one that needs root certificates.
        let http = upstream::client(config)?;
        let client = Client::build(http.clone(), settings);
        let client = client.with_http_service(upstream::service(http));
        Ok(Self { client: Arc::new(client), model: config.model.as_str().into() })
    }

    /// Returns up to `count` posts on the subject of `prompt`. Sends one request and never retries:
    /// the client is waiting, and cancels by dropping the future.
    ///
    /// # Errors
    ///
    /// Returns what is wrong with the service or its answer. The log has the details for the
    /// operator.
    pub(crate) async fn suggest(&self, prompt: &str, count: usize) -> Result<Vec<String>, AiError> {
        // Services differ in how they can be told the form of an answer. All accept it in words.
        let task = format!(
            "You write posts for X. Answer with a JSON array of {count} strings and nothing else. \
             Each string is a whole post of at most 280 characters on what the user asks for."
        );
        let request = CreateChatCompletionRequest {
            model: self.model.to_string(),
            messages: vec![
                ChatCompletionRequestSystemMessage::from(task).into(),
                ChatCompletionRequestUserMessage::from(prompt).into(),
            ],
            ..Default::default()
        };
        let chat = self.client.chat();
        let answer = tokio::time::timeout(PATIENCE, chat.create_byot(request));
        let answer: Result<Completion, _> = answer.await.unwrap_or_else(|_| {
            tracing::warn!("the AI service did not answer within {PATIENCE:?}");
            Err(AiError::TimedOut.into())
        });
        let suggestions = suggestions::read(answer.map_err(told)?.text(), count);
        if suggestions.is_empty() {
            tracing::warn!(
                "the AI service's answer contains no suggestions; set OPENAI_MODEL to a model that follows instructions"
            );
            return Err(AiError::NoSuggestions);
        }
        Ok(suggestions)
    }
}

/// Returns the [`AiError`] that the library's error wraps.
fn told(error: OpenAIError) -> AiError {
    let OpenAIError::Boxed(error) = error else { return AiError::Unreadable };
    error.downcast().map_or(AiError::Unreadable, |error| *error)
}

/// The time for an answer: less than a whole request may take, so that an error can be sent.
const PATIENCE: Duration = Duration::from_secs(15);
