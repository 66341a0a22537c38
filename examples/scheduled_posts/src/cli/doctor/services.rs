//! What the server uses beside Clerk and its database: Redis, the AI service, the certificate. Asks
//! each once and changes nothing.

use std::time::Duration;

use axum::http::StatusCode;
use tower_clerk::clock::{Clock as _, SystemClock};

use crate::cli::doctor::check::Check;
use crate::cli::doctor::facts::Facts;
use crate::cli::doctor::http::{Answer, get_with};
use crate::config::{RedisUrl, ServeConfig};

/// The answers; each is `None` where there was no reason to ask.
#[derive(Default)]
pub(super) struct Services {
    redis: Option<Result<(), String>>,
    ai: Option<Result<Answer, String>>,
}

impl Services {
    pub(super) async fn ask(facts: &Facts) -> Self {
        let Some(config) = &facts.config else { return Self::default() };
        let redis = async {
            match &config.limits.redis {
                Some(url) => Some(ping(url).await),
                None => None,
            }
        };
        let ai = async {
            let ai = config.ai.as_ref()?;
            // Nearly all services list their models, and none charges for it.
            let url = format!("{}/models", ai.base_url.as_str().trim_end_matches('/'));
            Some(get_with(&url, Some(ai.key.expose())).await)
        };
        let (redis, ai) = tokio::join!(redis, ai);
        Self { redis, ai }
    }
}

/// Returns the checks of what is configured.
pub(super) fn checks(facts: &Facts, services: &Services) -> Vec<Check> {
    let certificate = facts.config.as_ref().and_then(certificate);
    let redis = services.redis.as_ref().map(redis);
    let ai = services.ai.as_ref().map(ai);
    [certificate, redis, ai].into_iter().flatten().collect()
}

fn redis(answer: &Result<(), String>) -> Check {
    const NAME: &str = "redis";
    match answer {
        Ok(()) => Check::ok(NAME, "Redis answers"),
        Err(problem) => Check::fail(
            NAME,
            format!("Redis cannot be used: {problem}"),
            "check REDIS_URL, its password, and that Redis runs; until then each server counts by \
             itself",
        ),
    }
}

async fn ping(url: &RedisUrl) -> Result<(), String> {
    let asked = async {
        let mut connection = url.client().get_multiplexed_async_connection().await?;
        redis::cmd("PING").query_async::<String>(&mut connection).await
    };
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(error.category().to_owned()),
        Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
    }
}

fn ai(answer: &Result<Answer, String>) -> Check {
    const NAME: &str = "ai_service";
    const URL: &str = "check OPENAI_BASE_URL, the network and proxies; until then generate-ai \
                       answers 502";
    match answer {
        Err(silence) => Check::fail(NAME, format!("the AI service {silence}"), URL),
        Ok(Answer { status, .. }) => match *status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Check::fail(
                NAME,
                format!("the AI service refuses OPENAI_API_KEY ({status})"),
                "set a key that is valid for the service of OPENAI_BASE_URL",
            ),
            status if status.is_success() => Check::ok(NAME, "the AI service takes the key"),
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => Check::ok(
                NAME,
                "the AI service answers; it lists no models, so the key could not be tried",
            ),
            status => Check::warn(NAME, format!("the AI service answers {status}"), URL),
        },
    }
}

fn certificate(config: &ServeConfig) -> Option<Check> {
    const NAME: &str = "certificate";
    let certificate = &config.tls.as_ref()?.certificate;
    let now = SystemClock::new().now();
    let check = match (certificate.ends_before(now + SOON), certificate.ends_before(now + LATE)) {
        (Some(end), _) => Check::warn(
            NAME,
            format!("the certificate of TLS_CERT ends on {end}"),
            "renew it now, and check why it was not renewed: the server takes the new files within a \
             minute",
        ),
        (None, Some(end)) => Check::ok(NAME, format!("the certificate ends on {end}")),
        (None, None) => Check::ok(NAME, "the certificate ends in more than a century"),
    };
    Some(check)
}

const PATIENCE: Duration = Duration::from_secs(5);
const DAY: u64 = 24 * 3600;
/// Renewed certificates are usually there a month before, and short ones a third of their life.
const SOON: Duration = Duration::from_secs(7 * DAY);
const LATE: Duration = Duration::from_secs(100 * 366 * DAY);
