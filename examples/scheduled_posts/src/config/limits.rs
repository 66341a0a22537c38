//! The limits on requests, and the proxies whose `X-Forwarded-For` is trusted. Opens nothing.

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU32;

use ipnet::{IpNet, Ipv4Net};
use redis::Client;

use crate::config::reader::Reader;

/// The settings of the limits.
#[derive(Debug)]
pub(crate) struct LimitsConfig {
    /// The limit of each address, applied before the token is verified.
    pub(crate) address: Option<Rate>,
    /// The limit of each verified user.
    pub(crate) user: Option<Rate>,
    pub(crate) proxies: TrustedProxies,
    /// The Redis in which several instances count together.
    pub(crate) redis: Option<RedisUrl>,
}

impl Reader<'_> {
    /// Reads the limits. Users of the stand-in have none by default.
    pub(super) fn limits(&mut self, has_dev_clerk: bool) -> LimitsConfig {
        let user = (!has_dev_clerk).then_some(Rate::new(number(100), Per::Hour));
        let address = Some(Rate::new(number(600), Per::Minute));
        LimitsConfig {
            address: self.value("ADDRESS_RATE_LIMIT", address, rate),
            user: self.value("RATE_LIMIT", user, rate),
            proxies: self.value(
                "TRUSTED_PROXIES",
                TrustedProxies::default(),
                TrustedProxies::parse,
            ),
            redis: self.value("REDIS_URL", None, |url| RedisUrl::parse(url).map(Some)),
        }
    }
}

/// A number of requests per time. All of them may come at once; after that, one more may come per
/// `per / requests`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    pub(crate) requests: NonZeroU32,
    pub(crate) per: Per,
}

/// The time of a [`Rate`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Per {
    Hour,
    Minute,
    Second,
}

impl Rate {
    pub(crate) fn new(requests: NonZeroU32, per: Per) -> Self {
        Self { requests, per }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per = match self.per {
            Per::Hour => "hour",
            Per::Minute => "minute",
            Per::Second => "second",
        };
        write!(f, "{}/{per}", self.requests)
    }
}

/// The networks whose `X-Forwarded-For` is trusted. IPv4-mapped networks are stored as IPv4.
#[derive(Clone, Debug, Default)]
pub(crate) struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let networks = text.split(',').map(str::trim).filter(|network| !network.is_empty());
        networks.map(network).collect::<Result<_, _>>().map(Self)
    }

    pub(crate) fn contain(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }
}

/// The URL of Redis. Redacted in `Debug`, because it may contain a password.
#[derive(Clone)]
pub(crate) struct RedisUrl(Client);

impl RedisUrl {
    pub(crate) fn parse(url: &str) -> Result<Self, &'static str> {
        let known = url.starts_with("redis://") || url.starts_with("rediss://");
        // A fragment could switch off the client's verification of certificates, and the client
        // ignores unknown parameters.
        if !known || url.contains(['#', '?']) {
            return Err(REDIS_FORM);
        }
        Client::open(url).map(Self).map_err(|_| REDIS_FORM)
    }

    pub(crate) fn client(&self) -> &Client {
        &self.0
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RedisUrl(…)")
    }
}

/// Parses a limit; `None` means `off`.
fn rate(text: &str) -> Result<Option<Rate>, &'static str> {
    const HELP: &str = "must be a number of requests and a time, as in 10/second, 600/minute or \
                        100/hour, with a number from 1 to 1000000; or off";
    if text == "off" {
        return Ok(None);
    }
    let (requests, per) = text.split_once('/').ok_or(HELP)?;
    let per = match per {
        "hour" => Per::Hour,
        "minute" => Per::Minute,
        "second" => Per::Second,
        _ => return Err(HELP),
    };
    let digits = requests.bytes().all(|byte| byte.is_ascii_digit());
    let requests = requests.parse().ok().filter(|n: &NonZeroU32| digits && n.get() <= MOST);
    Ok(Some(Rate::new(requests.ok_or(HELP)?, per)))
}

/// Parses a network or a single address.
fn network(text: &str) -> Result<IpNet, &'static str> {
    const HELP: &str = "must be addresses or networks separated by commas, for example \
                        10.0.0.0/8, 192.0.2.7, 2001:db8::/32";
    let address = text.parse::<IpAddr>().map(IpNet::from);
    let network = address.or_else(|_| text.parse::<IpNet>()).map_err(|_| HELP)?;
    let network = without_mapping(network);
    if network.prefix_len() == 0 {
        return Err("a network of length 0 contains every client, which could then claim any \
                    address; name the networks of your proxies");
    }
    Ok(network)
}

/// Returns an IPv4-mapped network as IPv4: `192.0.2.0/24` for `::ffff:192.0.2.0/120`.
fn without_mapping(network: IpNet) -> IpNet {
    let IpNet::V6(v6) = network else { return network };
    let inner = v6.addr().to_ipv4_mapped().zip(v6.prefix_len().checked_sub(96));
    let inner = inner.and_then(|(address, length)| Ipv4Net::new(address, length).ok());
    inner.map_or(network, IpNet::V4)
}

/// Returns `n`, or 1 if it is 0.
const fn number(n: u32) -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(n.saturating_sub(1))
}

/// The largest number of requests: more than a server can answer, and still at least one
/// microsecond per request.
const MOST: u32 = 1_000_000;
const REDIS_FORM: &str = "must be redis://user:password@host:port/database, or rediss:// for TLS, with no parameters; \
                          write / ? # @ : and % in user or password as %2F %3F %23 %40 %3A and %25";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_number_and_a_time() {
        for text in ["1/second", "600/minute", "1000000/hour"] {
            assert_eq!(rate(text).unwrap().unwrap().to_string(), text);
        }
        assert_eq!(rate("off"), Ok(None));
        for bad in [
            "0/second",
            "-1/hour",
            "+1/hour",
            "1000001/hour",
            "1.5/hour",
            "100",
            "/hour",
            "100/day",
            "100 / hour",
            "OFF",
            "none",
        ] {
            assert!(rate(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn f18_proxies_are_networks_and_never_everybody() {
        let proxies =
            TrustedProxies::parse("10.0.0.0/8, 192.0.2.7,2001:db8::/32, ::ffff:198.51.100.0/120");
        let proxies = proxies.unwrap();
        for inside in
            ["10.1.2.3", "192.0.2.7", "::ffff:10.0.0.1", "2001:db8:1::1", "198.51.100.200"]
        {
            assert!(proxies.contain(inside.parse().unwrap()), "{inside}");
        }
        for outside in ["11.0.0.0", "192.0.2.8", "2001:db9::", "198.51.101.0", "::a00:1"] {
            assert!(!proxies.contain(outside.parse().unwrap()), "{outside}");
        }
        for bad in ["10.0.0.0/33", "10.0.0/8", "10.0.0.0/8;10.1.0.0/16", "*", "proxy", "fe80::1%1"]
        {
            assert!(TrustedProxies::parse(bad).is_err(), "{bad}");
        }
        for everybody in ["0.0.0.0/0", "10.0.0.0/8, ::/0", "::ffff:0:0/96"] {
            assert!(
                TrustedProxies::parse(everybody).unwrap_err().contains("every client"),
                "{everybody}"
            );
        }
        assert!(!TrustedProxies::default().contain("127.0.0.1".parse().unwrap()));
    }

    #[test]
    fn a_redis_url_is_read_and_never_shown() {
        for url in [
            "redis://127.0.0.1",
            "redis://:s3cr3t@127.0.0.1:6380/2",
            "redis://user:s3cr3t%2F@[::1]:6380",
            "rediss://user:s3cr3t@redis.example:6380/0",
        ] {
            let debug = format!("{:?}", RedisUrl::parse(url).unwrap());
            assert!(!debug.contains("s3cr3t") && !debug.contains("127"), "{debug}");
        }
        for bad in [
            "s3cr3t",
            "http://127.0.0.1",
            "redis:127.0.0.1",
            "redis://",
            "redis://:s3cr3t/@127.0.0.1",
            "redis://:s3cr3t#@127.0.0.1",
            "redis://:s3cr3t?@127.0.0.1",
            "redis://127.0.0.1/database",
            "rediss://127.0.0.1#insecure",
            "unix:///run/redis.sock",
        ] {
            assert!(RedisUrl::parse(bad).is_err(), "{bad}");
        }
    }
}
