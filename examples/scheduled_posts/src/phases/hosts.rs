//! The hosts that phases 1 and 2 answer to. A page that points its own name at this server (DNS
//! rebinding) would otherwise be of the server's origin, and could name any user.

use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;

use crate::config::{AllowedHosts, PublicUrl};
use crate::error::answer;
use serving::Host;
use serving::tls::Tls;

/// The known hosts: loopback names, those of the certificate, the server's own address, and the configured
/// ones.
#[derive(Clone)]
pub(crate) struct KnownHosts {
    configured: AllowedHosts,
    own: AllowedHosts,
    tls: Option<Tls>,
}

impl KnownHosts {
    pub(crate) fn new(configured: AllowedHosts, own: Option<PublicUrl>, tls: Option<Tls>) -> Self {
        let own = own.and_then(|url| AllowedHosts::parse(url.authority()).ok());
        Self { configured, own: own.unwrap_or_default(), tls }
    }

    fn contain(&self, request: &Request) -> bool {
        let Some(host) = Host::of(request) else { return false };
        let name = host.to_string();
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        let is_loopback = match host {
            Host::Address(address) => address.is_loopback(),
            _ => name == "localhost" || name.ends_with(".localhost"),
        };
        let in_certificate = || self.tls.as_ref().is_some_and(|tls| tls.certificate().names(&name));
        let is_set = |hosts: &AllowedHosts| hosts.contain(&name, port(request));
        is_loopback || is_set(&self.configured) || is_set(&self.own) || in_certificate()
    }
}

/// Refuses a request for another host.
pub(crate) async fn known(
    State(hosts): State<KnownHosts>,
    request: Request,
    next: Next,
) -> Response {
    if hosts.contain(&request) {
        return next.run(request).await;
    }
    answer(StatusCode::MISDIRECTED_REQUEST, "Unknown host")
}

fn port(request: &Request) -> Option<u16> {
    if let Some(authority) = request.uri().authority() {
        return authority.port_u16();
    }
    let host = request.headers().get(header::HOST)?;
    Authority::try_from(host.as_bytes()).ok()?.port_u16()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    #[test]
    fn fault_c20_a_name_that_was_pointed_here_is_not_known() {
        let configured = "App.example.com, api.example.com:8443, 192.0.2.7, [2001:db8::7]:8002,";
        let hosts = KnownHosts::new(AllowedHosts::parse(configured).unwrap(), None, None);
        let known = |host: &str| {
            let request =
                Request::builder().header(header::HOST, host).body(Body::empty()).unwrap();
            let authority = Request::builder().uri(format!("http://{host}/"));
            let in_uri = authority.body(Body::empty()).is_ok_and(|request| hosts.contain(&request));
            assert_eq!(hosts.contain(&request), in_uri, "{host}");
            in_uri
        };
        for host in [
            "localhost",
            "LOCALHOST:8002",
            "app.localhost:1",
            "127.0.0.1",
            "127.1.2.3:8002",
            "[::1]:8002",
            "app.example.com",
            "APP.example.com.",
            "app.example.com:443",
            "app.example.com:80",
            "api.example.com:8443",
            "192.0.2.7",
            "[2001:db8::7]:8002",
        ] {
            assert!(known(host), "{host}");
        }
        for host in [
            "evil.example",
            "evil.example:8002",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "app.example.com.evil.example",
            "evil.app.example.com",
            "app.example.com:8443",
            "api.example.com",
            "192.0.2.8",
            "0.0.0.0:8002",
        ] {
            assert!(!known(host), "{host}");
        }
        let two = Request::builder().header(header::HOST, "localhost").header(header::HOST, "a.b");
        assert!(!hosts.contain(&two.body(Body::empty()).unwrap()));
        assert!(!hosts.contain(&Request::new(Body::empty())));
    }
}
