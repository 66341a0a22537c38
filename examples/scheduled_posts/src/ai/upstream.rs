//! One request to the AI service: what its status means, and how much of its answer is taken. The
//! library's own way has no bound, tries again by itself, and puts what it cannot read into the log.

use std::time::Duration;

use async_openai::middleware::HttpRequestFactory;
use axum::http::{HeaderMap, Response as Whole, StatusCode, header};
use bytes::{Bytes, BytesMut};
use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use tower::Service;

use super::AiError;
use super::completion::Completion;
use crate::config::{AiConfig, is_loopback};

/// What sends the library's requests.
pub(super) fn service(
    config: &AiConfig,
) -> Result<
    impl Service<
        HttpRequestFactory,
        Response = Response,
        Error = AiError,
        Future = impl Future<Output = Result<Response, AiError>> + Send + use<>,
    > + Clone
    + Send
    + Sync
    + use<>,
    reqwest::Error,
> {
    let client = Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        // The key goes where the operator said, and nowhere else.
        .redirect(Policy::none())
        .user_agent(concat!("scheduled-posts/", env!("CARGO_PKG_VERSION")));
    let local = config.base_url.host_str().is_some_and(is_loopback);
    let client = if local { client.no_proxy() } else { client }.build()?;
    Ok(tower::service_fn(move |request: HttpRequestFactory| {
        let client = client.clone();
        async move { fetch(&client, &request).await }
    }))
}

async fn fetch(client: &Client, request: &HttpRequestFactory) -> Result<Response, AiError> {
    let request = request.build().await.map_err(|_| {
        tracing::error!("no request can be made for the AI service; see OPENAI_BASE_URL");
        AiError::Unreachable
    })?;
    let response = client.execute(request).await.map_err(|error| unreachable(&error))?;
    judge(response.status(), response.headers())?;
    let body = read(response).await?;
    // The library reads it again, and would put one that it cannot read into the log as a whole.
    if serde_json::from_slice::<Completion>(&body).is_err() {
        tracing::warn!("the AI service's answer is no chat completion; is OPENAI_BASE_URL right?");
        return Err(AiError::Unreadable);
    }
    Ok(Whole::new(body).into())
}

/// The one table of what its status means for us. The log says what to look at; its answer may
/// repeat the prompt, or the key, and stays out of it.
fn judge(status: StatusCode, headers: &HeaderMap) -> Result<(), AiError> {
    let number = status.as_u16();
    match number {
        200..=299 => Ok(()),
        401 | 403 => {
            tracing::error!("the AI service answered {number}: it does not accept OPENAI_API_KEY");
            Err(AiError::KeyRefused)
        }
        429 => {
            tracing::warn!("the AI service answered 429: OPENAI_API_KEY's quota is used up");
            Err(AiError::Busy(retry_after(headers)))
        }
        500.. => {
            tracing::warn!("the AI service answered {number}");
            Err(AiError::Failed)
        }
        _ => {
            tracing::error!(
                "the AI service answered {number}; are OPENAI_BASE_URL (up to and without \
                 /chat/completions) and OPENAI_MODEL right?"
            );
            Err(AiError::Refused)
        }
    }
}

/// Seconds, as long as they make sense for somebody who waits.
fn retry_after(headers: &HeaderMap) -> Option<u16> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.parse().ok();
    seconds.filter(|seconds| (1..=3600).contains(seconds))
}

async fn read(mut response: Response) -> Result<Bytes, AiError> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| unreachable(&error))? {
        if body.len() + chunk.len() > LONGEST_ANSWER {
            tracing::warn!("the AI service's answer is longer than {LONGEST_ANSWER} bytes");
            return Err(AiError::TooLong);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

fn unreachable(error: &reqwest::Error) -> AiError {
    // Without the URL, which may hold more than a host.
    let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    tracing::warn!(cause, "the AI service cannot be reached, or hung up; see OPENAI_BASE_URL");
    AiError::Unreachable
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Five posts take a few kilobytes; a model that thinks aloud takes more.
const LONGEST_ANSWER: usize = 256 * 1024;
