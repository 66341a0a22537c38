//! The limits on requests: by address before the token is verified, by verified user after it.

mod address;
mod counter;
mod layer;
mod shared;
mod table;

pub(crate) use layer::{by_address, by_caller};

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use axum::http::HeaderMap;

use crate::config::{LimitsConfig, Rate, TrustedProxies};
use counter::Counter;
use serving::keep_running;
use shared::Shared;

/// Both limits, shared by all requests.
pub(crate) struct Limits {
    address: Option<Limit>,
    user: Option<Limit>,
    proxies: TrustedProxies,
    /// Whether a possible proxy outside `TRUSTED_PROXIES` has been reported.
    told_of_proxy: AtomicBool,
}

/// A limit on one kind of key.
struct Limit {
    kind: &'static str,
    rate: Rate,
    own: Counter,
    shared: Option<Arc<Shared>>,
}

impl Limits {
    /// Connects to Redis if it is configured, and starts removing idle keys at intervals.
    pub(crate) async fn start(config: LimitsConfig) -> Arc<Self> {
        let shared = match config.redis.filter(|_| config.address.or(config.user).is_some()) {
            Some(url) => Some(Shared::start(&url).await),
            None => None,
        };
        let limit =
            |kind, rate| Limit { kind, rate, own: Counter::new(rate), shared: shared.clone() };
        let limits = Arc::new(Self {
            address: config.address.map(|rate| limit("address", rate)),
            user: config.user.map(|rate| limit("user", rate)),
            proxies: config.proxies,
            told_of_proxy: AtomicBool::new(false),
        });
        limits.announce();
        let weak = Arc::downgrade(&limits);
        keep_running("forgetting idle counts", move || forget_idle(weak.clone()));
        limits
    }

    fn announce(&self) {
        let rate = |limit: &Option<Limit>| match limit {
            Some(limit) => limit.rate.to_string(),
            None => "no limit".to_owned(),
        };
        tracing::info!(
            "requests to /api: {} per address, {} per user",
            rate(&self.address),
            rate(&self.user)
        );
    }

    /// Returns the key of the limit by address. All requests without a peer share one key; every
    /// connection of this server has a peer.
    fn address_key(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> String {
        let Some(peer) = peer else { return "unknown".to_owned() };
        let forwarded = headers.contains_key(address::FORWARDED_FOR);
        if forwarded
            && !self.proxies.contain(peer)
            && !self.told_of_proxy.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(
                "a request with X-Forwarded-For came from an address outside TRUSTED_PROXIES, so \
                 the header is ignored. If that address is your proxy, all its clients share one \
                 ADDRESS_RATE_LIMIT: add the proxy's address to TRUSTED_PROXIES. This is logged \
                 once"
            );
        }
        address::key(address::client(peer, headers, &self.proxies))
    }
}

impl Limit {
    /// Counts a request that may pass, or returns the time to wait until one may.
    ///
    /// Redis decides as long as it answers. Requests that it lets pass are counted here too, so
    /// that no count restarts when Redis becomes unavailable.
    async fn take(&self, key: &String) -> Result<(), Duration> {
        let together = match &self.shared {
            Some(shared) => shared.take(self.kind, key, self.rate).await,
            None => None,
        };
        match together {
            Some(Err(wait)) => Err(wait),
            Some(Ok(())) => self.own.take(key).or(Ok(())),
            None => self.own.take(key),
        }
    }
}

/// Removes idle keys at intervals until the limits are dropped.
async fn forget_idle(limits: Weak<Limits>) {
    loop {
        tokio::time::sleep(FORGET_EVERY).await;
        let Some(limits) = limits.upgrade() else { return };
        limits.address.iter().chain(&limits.user).for_each(|limit| limit.own.forget_idle());
    }
}

const FORGET_EVERY: Duration = Duration::from_secs(10);
