//! The client's address before a token is verified, which the client cannot choose. Pure.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::http::{HeaderMap, HeaderName};

use crate::config::TrustedProxies;

/// Returns the client's address: the peer's, or the one that trusted proxies report.
///
/// Each proxy appends the address of its peer. The list is therefore read from the right, past all
/// trusted addresses: the first untrusted address is the client, and the client may have invented
/// those to its left. If an entry is unusable, the address before it counts.
pub(super) fn client(peer: IpAddr, headers: &HeaderMap, proxies: &TrustedProxies) -> IpAddr {
    let mut nearest = peer.to_canonical();
    let lines = headers.get_all(FORWARDED_FOR).iter().rev();
    let mut hops =
        lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b',')).take(MOST_HOPS);
    while proxies.contain(nearest) {
        match hops.next().map(hop) {
            Some(Some(address)) => nearest = address,
            Some(None) | None => break,
        }
    }
    nearest
}

/// Returns the key for counting: an IPv4 address, or the /64 network that one IPv6 customer has.
pub(super) fn key(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let network = u128::from(address) & NETWORK;
            format!("{}/64", Ipv6Addr::from(network))
        }
    }
}

/// Parses `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:80`.
fn hop(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?.trim_matches([' ', '\t']);
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse::<IpAddr>().ok().filter(|ip| ip.is_ipv6() || bare == text);
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    address.or_else(with_port).map(|address| address.to_canonical())
}

pub(super) const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const NETWORK: u128 = !0 << 64;
/// The most entries that are read: more proxies than any chain has.
const MOST_HOPS: usize = 32;

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;
    fn headers(lines: &[&str]) -> HeaderMap {
        lines
            .iter()
            .map(|line| (FORWARDED_FOR, HeaderValue::from_bytes(line.as_bytes()).unwrap()))
            .collect()
    }

    #[test]
    fn f17_a_peer_that_is_no_proxy_is_the_client_whatever_it_says() {
        let own = TrustedProxies::parse("10.0.0.0/8").unwrap();
        for lines in [&["203.0.113.1"][..], &["10.0.0.1, 10.0.0.2"], &["", "203.0.113.9"]] {
            for peer in ["198.51.100.7", "::ffff:198.51.100.7"] {
                let client = client(peer.parse().unwrap(), &headers(lines), &own);
                assert_eq!(client.to_string(), "198.51.100.7", "{lines:?}");
            }
        }
        let nobody = TrustedProxies::default();
        let loopback = client("127.0.0.1".parse().unwrap(), &headers(&["203.0.113.1"]), &nobody);
        assert_eq!(loopback.to_string(), "127.0.0.1");
    }

    #[test]
    fn f18_the_right_most_hop_that_is_not_trusted_is_the_client() {
        let own = TrustedProxies::parse("10.0.0.0/8, 2001:db8:ffff::/48").unwrap();
        let long = format!("203.0.113.1, {}", ["10.0.0.9"; 40].join(", "));
        let endless = format!("{}203.0.113.1", "192.0.2.66, ".repeat(1000));
        for (lines, expected) in [
            (&["203.0.113.1"][..], "203.0.113.1"),
            (&["192.0.2.66, 203.0.113.1"], "203.0.113.1"),
            (&["192.0.2.66, 203.0.113.1, 10.0.0.2"], "203.0.113.1"),
            (&["192.0.2.66", "203.0.113.1", "10.0.0.2,10.0.0.3"], "203.0.113.1"),
            (&["192.0.2.66,203.0.113.1\t, \t10.0.0.2"], "203.0.113.1"),
            (&["203.0.113.1:4711"], "203.0.113.1"),
            (&["203.0.113.1:4711, 10.0.0.2:80, [2001:db8:ffff::1]:80"], "203.0.113.1"),
            (&["[2001:db8::1]:4711, 2001:db8:ffff::1"], "2001:db8::1"),
            (&["[2001:db8::1]"], "2001:db8::1"),
            (&["2001:db8::1"], "2001:db8::1"),
            (&["::ffff:203.0.113.1"], "203.0.113.1"),
            (&["[::ffff:203.0.113.1]:80, ::ffff:10.0.0.2"], "203.0.113.1"),
            (&["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
            // Unusable: the address before counts.
            (&[], "10.0.0.1"),
            (&[""], "10.0.0.1"),
            (&["unknown"], "10.0.0.1"),
            (&["203.0.113.1, unknown"], "10.0.0.1"),
            (&["203.0.113.1, _hidden, 10.0.0.2"], "10.0.0.2"),
            (&["203.0.113.1,"], "10.0.0.1"),
            (&["203.0.113.1;10.0.0.2"], "10.0.0.1"),
            (&["[203.0.113.1]"], "10.0.0.1"),
            (&["203.0.113.1:99999"], "10.0.0.1"),
            (&["2001:db8::1:99999"], "10.0.0.1"),
            (&["0x7f.1"], "10.0.0.1"),
            (&["\"203.0.113.1\""], "10.0.0.1"),
            (&["203.0.113.1\u{e9}"], "10.0.0.1"),
            // Longer than any chain of proxies.
            (&[&long], "10.0.0.9"),
            (&[&endless], "203.0.113.1"),
        ] {
            let client = client("10.0.0.1".parse().unwrap(), &headers(lines), &own);
            assert_eq!(client.to_string(), expected, "{lines:?}");
        }
    }

    #[test]
    fn f18_an_ipv6_client_is_its_network_and_a_mapped_ipv4_address_is_ipv4() {
        for (address, expected) in [
            ("203.0.113.1", "203.0.113.1"),
            ("::ffff:203.0.113.1", "203.0.113.1"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            ("2001:db8:1:2::", "2001:db8:1:2::/64"),
            ("2001:db8:1:3::", "2001:db8:1:3::/64"),
            ("::1", "::/64"),
        ] {
            assert_eq!(key(address.parse().unwrap()), expected);
        }
    }
}
