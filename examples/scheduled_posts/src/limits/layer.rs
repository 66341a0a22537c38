//! The limits as middleware, and the answer to requests over a limit.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use tower_clerk::session::machine::Principal;

use super::Limits;
use crate::error::answer;
use crate::telemetry;

/// Applies the limit by address. Stands outside of verification, so that a flood of invalid tokens
/// is limited too.
pub(crate) async fn by_address(
    State(limits): State<Arc<Limits>>,
    request: Request,
    next: Next,
) -> Response {
    if let Some(limit) = &limits.address {
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
        let peer = peer.map(|ConnectInfo(peer)| peer.ip());
        let key = limits.address_key(peer, request.headers());
        if let Err(wait) = limit.take(&key).await {
            return too_many(limit.kind, wait);
        }
    }
    next.run(request).await
}

/// Applies the limit by caller. Stands inside of verification. What acts for a user shares the user's limit. A
/// request that passed without a caller has only the limit of its address: any name that it claims could be
/// another user's, or a new one each time.
pub(crate) async fn by_caller(
    State(limits): State<Arc<Limits>>,
    request: Request,
    next: Next,
) -> Response {
    if let (Some(limit), Some(caller)) = (&limits.user, Principal::of(request.extensions())) {
        let key = caller.subject().to_owned();
        if let Err(wait) = limit.take(&key).await {
            return too_many(limit.kind, wait);
        }
    }
    next.run(request).await
}

fn too_many(kind: &'static str, wait: Duration) -> Response {
    telemetry::rate_limited(kind);
    let mut response = answer(StatusCode::TOO_MANY_REQUESTS, "Too many requests");
    let seconds = HeaderValue::from(retry_after(wait));
    response.headers_mut().insert(header::RETRY_AFTER, seconds);
    response
}

/// Returns the whole seconds after which one request passes.
fn retry_after(wait: Duration) -> u64 {
    let begun = u64::from(wait.subsec_nanos() > 0);
    wait.as_secs().saturating_add(begun).max(1)
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use axum::body::Body;
    use axum::middleware::from_fn_with_state;
    use axum::{Router, routing::get};
    use tower::ServiceExt as _;

    use super::*;
    use crate::config::{LimitsConfig, Per, Rate, TrustedProxies};

    #[test]
    fn f20_retry_after_is_in_whole_seconds_and_never_zero() {
        for (millis, seconds) in [(0, 1), (1, 1), (1000, 1), (1001, 2), (36_000, 36)] {
            assert_eq!(retry_after(Duration::from_millis(millis)), seconds);
        }
    }

    #[tokio::test]
    async fn f21_requests_without_a_known_peer_share_a_limit_and_are_no_fault() {
        let limits = Limits::start(LimitsConfig {
            address: Some(Rate::new(NonZeroU32::new(2).unwrap(), Per::Hour)),
            user: None,
            proxies: TrustedProxies::default(),
            redis: None,
        });
        let limits = from_fn_with_state(limits.await, by_address);
        let app = Router::new().route("/", get(async || "ok")).layer(limits);
        let mut statuses = Vec::new();
        for n in 0..4 {
            let request = Request::builder().header("x-forwarded-for", format!("203.0.113.{n}"));
            let request = request.body(Body::empty()).unwrap();
            statuses.push(app.clone().oneshot(request).await.unwrap().status().as_u16());
        }
        assert_eq!(statuses, [200, 200, 429, 429]);
    }
}
