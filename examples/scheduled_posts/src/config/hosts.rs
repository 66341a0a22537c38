//! `ALLOWED_HOSTS`: the hosts that phases 1 and 2 answer to.

use axum::http::uri::Authority;

/// The configured hosts, in lower case, each with its port unless that is a scheme's own.
#[derive(Clone, Debug, Default)]
pub(crate) struct AllowedHosts(Vec<(String, Option<u16>)>);

impl AllowedHosts {
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        entries.map(host).collect::<Result<_, _>>().map(Self)
    }

    /// Returns whether a host is one of them. `host` is in lower case.
    pub(crate) fn contain(&self, host: &str, port: Option<u16>) -> bool {
        self.0.iter().any(|(known, known_port)| known == host && *known_port == unusual(port))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn host(text: &str) -> Result<(String, Option<u16>), &'static str> {
    const FORM: &str = "must be host names, with the port where it is not the scheme's own, \
                        separated by commas, such as app.example.com or app.example.com:8443";
    let of_host = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:[]".contains(&byte);
    if !text.bytes().all(of_host) {
        return Err(FORM);
    }
    let authority: Authority = text.parse().map_err(|_| FORM)?;
    let (host, port) = (authority.host(), authority.port_u16());
    let has_port = authority.as_str().len() > host.len();
    if host.is_empty() || (has_port && port.is_none_or(|port| port == 0)) {
        return Err(FORM);
    }
    Ok((host.trim_end_matches('.').to_ascii_lowercase(), unusual(port)))
}

/// Returns the port if clients write it.
fn unusual(port: Option<u16>) -> Option<u16> {
    port.filter(|port| !matches!(port, 80 | 443))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fault_c20_an_allowed_host_is_a_name_and_not_a_url() {
        for bad in [
            "https://app.example.com",
            "app.example.com/",
            "*.example.com",
            "a b",
            "user@app.example.com",
            ":8002",
            "app.example.com:",
            "app.example.com:0",
            "app.example.com:99999",
        ] {
            assert!(AllowedHosts::parse(bad).is_err(), "{bad}");
        }
        assert!(AllowedHosts::parse(" ,").unwrap().is_empty());
    }
}
