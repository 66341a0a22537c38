//! Suggestions for posts from an OpenAI-compatible service. Knows no HTTP status of ours.

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

/// A service that writes posts. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Ai {
    client: Arc<Client<OpenAIConfig>>,
    model: Arc<str>,
}

impl Ai {
    /// Opens nothing yet.
    ///
    /// # Errors
    ///
    /// No TLS client can be made on this machine.
    pub(crate) fn new(config: &AiConfig) -> Result<Self, reqwest::Error> {
        // The library would take an organization and a project from the environment.
        let settings = OpenAIConfig::new()
            .with_api_base(config.base_url.as_str().trim_end_matches('/'))
            .with_api_key(config.key.expose())
            .with_org_id("")
            .with_project_id("");
        let client = Client::with_config(settings).with_http_service(upstream::service(config)?);
        Ok(Self { client: Arc::new(client), model: config.model.as_str().into() })
    }

    /// Up to `count` posts about what `prompt` says. One question, and no second try: whoever asked
    /// is waiting, and gives up by dropping this.
    ///
    /// # Errors
    ///
    /// Whatever is wrong with the service or its answer; the log has what the operator must know.
    pub(crate) async fn suggest(&self, prompt: &str, count: usize) -> Result<Vec<String>, AiError> {
        // What a model may be told about the answer's form differs from service to service: asking
        // in words is what all of them take.
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
                "the AI service's answer holds no suggestions; is OPENAI_MODEL a model that follows instructions?"
            );
            return Err(AiError::NoSuggestions);
        }
        Ok(suggestions)
    }
}

/// Our own error, out of the library's.
fn told(error: OpenAIError) -> AiError {
    let OpenAIError::Boxed(error) = error else { return AiError::Unreadable };
    error.downcast().map_or(AiError::Unreadable, |error| *error)
}

/// Below what a request may take as a whole, so that there is time to say what happened.
const PATIENCE: Duration = Duration::from_secs(15);
