//! How many requests somebody may make, and whose word on who that is counts. Opens nothing.

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU32;

use ipnet::{IpNet, Ipv4Net};
use redis::Client;

use crate::config::reader::Reader;

/// Settings of the limits.
#[derive(Debug)]
pub(crate) struct LimitsConfig {
    /// Of each address, before its token is looked at.
    pub(crate) address: Option<Rate>,
    /// Of each verified user.
    pub(crate) user: Option<Rate>,
    pub(crate) proxies: TrustedProxies,
    /// Where several instances count together.
    pub(crate) redis: Option<RedisUrl>,
}

impl Reader<'_> {
    /// Users of the stand-in have no limit unless one is set.
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

/// So many requests in so long a time: all of them may come at once, and after that one whenever
/// such a part of the time has gone by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    pub(crate) requests: NonZeroU32,
    pub(crate) per: Per,
}

/// The time that a [`Rate`] is about.
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

/// The networks whose `X-Forwarded-For` is believed. IPv4 addresses only ever stand here as such.
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

/// Where Redis is. May hold a password: redacted in `Debug`.
#[derive(Clone)]
pub(crate) struct RedisUrl(Client);

impl RedisUrl {
    pub(crate) fn parse(url: &str) -> Result<Self, &'static str> {
        let known = url.starts_with("redis://") || url.starts_with("rediss://");
        // The client would take a fragment for leave not to look at certificates, and ignores
        // parameters that it does not know.
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

/// `None` is `off`.
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

/// A network, or an address alone.
fn network(text: &str) -> Result<IpNet, &'static str> {
    const HELP: &str = "must be addresses or networks separated by commas, for example \
                        10.0.0.0/8, 192.0.2.7, 2001:db8::/32";
    let address = text.parse::<IpAddr>().map(IpNet::from);
    let network = address.or_else(|_| text.parse::<IpNet>()).map_err(|_| HELP)?;
    let network = without_mapping(network);
    if network.prefix_len() == 0 {
        return Err("a network of length 0 is everybody, who could then claim any address; name \
                    the networks that your proxies are in");
    }
    Ok(network)
}

/// `::ffff:192.0.2.0/120` is `192.0.2.0/24`.
fn without_mapping(network: IpNet) -> IpNet {
    let IpNet::V6(v6) = network else { return network };
    let inner = v6.addr().to_ipv4_mapped().zip(v6.prefix_len().checked_sub(96));
    let inner = inner.and_then(|(address, length)| Ipv4Net::new(address, length).ok());
    inner.map_or(network, IpNet::V4)
}

/// At least one.
const fn number(n: u32) -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(n.saturating_sub(1))
}

/// More than a server answers; and still one in a whole number of microseconds.
const MOST: u32 = 1_000_000;
const REDIS_FORM: &str = "cannot be read; it is redis://user:password@host:port/database, or \
                          rediss:// for TLS, where / ? # @ : and % in user or password are written \
                          as %2F %3F %23 %40 %3A and %25";

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
                TrustedProxies::parse(everybody).unwrap_err().contains("everybody"),
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
