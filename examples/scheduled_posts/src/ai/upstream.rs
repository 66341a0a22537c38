//! A request to the AI service: the meaning of its status and the limit on its answer. The
//! library's own HTTP client has no limit, retries by itself, and logs answers that it cannot read.

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

/// Returns the HTTP client.
pub(super) fn client(config: &AiConfig) -> Result<Client, reqwest::Error> {
    let client = Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        // The key is sent to the configured URL only.
        .redirect(Policy::none())
        .user_agent(concat!("scheduled-posts/", env!("CARGO_PKG_VERSION")));
    // Root certificates are needed, and loaded, for `https:` only.
    let client = match config.base_url.scheme() {
        "http" => client.tls_certs_only([]),
        _ => client,
    };
    let local = config.base_url.host_str().is_some_and(is_loopback);
    if local { client.no_proxy() } else { client }.build()
}

/// Returns the service that sends the library's requests.
pub(super) fn service(
    client: Client,
) -> impl Service<
    HttpRequestFactory,
    Response = Response,
    Error = AiError,
    Future = impl Future<Output = Result<Response, AiError>> + Send + use<>,
> + Clone
+ Send
+ Sync
+ use<> {
    tower::service_fn(move |request: HttpRequestFactory| {
        let client = client.clone();
        async move { fetch(&client, &request).await }
    })
}

async fn fetch(client: &Client, request: &HttpRequestFactory) -> Result<Response, AiError> {
    let request = request.build().await.map_err(|_| {
        tracing::error!("cannot build a request to the AI service; check OPENAI_BASE_URL");
        AiError::Unreachable
    })?;
    let response = client.execute(request).await.map_err(|error| unreachable(&error))?;
    judge(response.status(), response.headers())?;
    let body = read(response).await?;
    // The library parses it again, and would log the whole answer if it could not.
    if serde_json::from_slice::<Completion>(&body).is_err() {
        tracing::warn!("the AI service's answer is not a chat completion; check OPENAI_BASE_URL");
        return Err(AiError::Unreadable);
    }
    Ok(Whole::new(body).into())
}

/// Returns the error that a status means. The log says what to check, and contains nothing of the
/// answer, which may repeat the prompt or the key.
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
                "the AI service answered {number}; check OPENAI_BASE_URL (without \
                 /chat/completions) and OPENAI_MODEL"
            );
            Err(AiError::Refused)
        }
    }
}

/// Returns the seconds of `Retry-After`, if they are between 1 and 3600.
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
    // Without the URL, which may contain more than a host.
    let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    tracing::warn!(
        cause,
        "the AI service cannot be reached or closed the connection; check OPENAI_BASE_URL"
    );
    AiError::Unreachable
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest answer, in bytes. Five posts take a few kilobytes; a model's reasoning takes more.
const LONGEST_ANSWER: usize = 256 * 1024;
