//! Listening on an address, and the setting to change when that fails.

use std::io::{Error, ErrorKind};
use std::net::SocketAddr;

use rustix::io::Errno;
use tokio::net::TcpListener;

use crate::cli::failure::Failure;

/// One of the program's listeners, by the variables of its address.
#[derive(Clone, Copy, Debug)]
pub(super) struct Listener {
    /// The variable with the port.
    port: &'static str,
    /// The variable with the address; `None` if the address is always 127.0.0.1.
    host: Option<&'static str>,
}

pub(super) const DEV_CLERK: Listener = Listener { port: "DEV_CLERK_PORT", host: None };
pub(super) const METRICS: Listener = Listener { port: "METRICS_ADDR", host: Some("METRICS_ADDR") };
pub(super) const REDIRECT: Listener = Listener { port: "HTTP_REDIRECT_PORT", host: Some("HOST") };
pub(super) const SERVER: Listener = Listener { port: "PORT", host: Some("HOST") };

impl Listener {
    /// Listens on `address`.
    ///
    /// # Errors
    ///
    /// Returns the [`failure`](Self::failure).
    pub(super) async fn listen(self, address: SocketAddr) -> Result<TcpListener, Failure> {
        TcpListener::bind(address).await.map_err(|error| self.failure(address, &error))
    }

    /// Returns a failure that states why nothing can listen on `address` and which setting to
    /// change.
    pub(super) fn failure(self, address: SocketAddr, error: &Error) -> Failure {
        let (variable, advice) = self.fault(address, error);
        let problem = format!("{variable}: cannot listen on {address}: {error}\n    {advice}");
        Failure::Config(problem.into())
    }

    /// Returns the variable to change, and advice.
    fn fault(self, address: SocketAddr, error: &Error) -> (&'static str, String) {
        let Self { port, host } = self;
        let is_address = matches!(error.kind(), ErrorKind::AddrNotAvailable)
            // IPv6 where it is switched off, and a link-local address, which needs an interface.
            || [Errno::AFNOSUPPORT, Errno::INVAL].map(Some).contains(&Errno::from_io_error(error));
        match (error.kind(), host) {
            (_, Some(host)) if is_address => (
                host,
                format!(
                    "This machine has no such address. Set {host} to one that it has: 127.0.0.1 \
                     for this machine only, 0.0.0.0 or [::] for all its addresses."
                ),
            ),
            (_, None) if is_address => {
                (port, "The loopback interface is down; `ip link set lo up` starts it.".to_owned())
            }
            (ErrorKind::AddrInUse, _) => (
                port,
                format!(
                    "Another process listens there. Is another copy running? Stop it, or set \
                     another port in {port}."
                ),
            ),
            (ErrorKind::PermissionDenied, _) if address.port() < PRIVILEGED => (
                port,
                format!(
                    "Ports below {PRIVILEGED} are for privileged processes. Set another port in \
                     {port} and put a proxy in front, or give this process the capability \
                     CAP_NET_BIND_SERVICE (in a systemd unit by AmbientCapabilities=)."
                ),
            ),
            (ErrorKind::PermissionDenied, _) => (
                port,
                format!(
                    "The system denies this process the port. Set another one in {port}, or check \
                     the system's security policy."
                ),
            ),
            _ => (
                port,
                format!(
                    "Set another port in {port}; if that does not help, check the system's limits."
                ),
            ),
        }
    }
}

/// The first port that every process may listen on, unless the system is set up otherwise.
const PRIVILEGED: u16 = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fault_c9_each_error_of_listening_names_the_setting_that_is_at_fault() {
        let in_use = Errno::ADDRINUSE;
        let no_address = [Errno::ADDRNOTAVAIL, Errno::AFNOSUPPORT, Errno::INVAL];
        let denied = Errno::ACCESS;
        for (listener, port, host) in [
            (SERVER, "PORT", "HOST"),
            (REDIRECT, "HTTP_REDIRECT_PORT", "HOST"),
            (METRICS, "METRICS_ADDR", "METRICS_ADDR"),
            (DEV_CLERK, "DEV_CLERK_PORT", "DEV_CLERK_PORT"),
        ] {
            let fault = |errno: Errno, number| {
                let address = SocketAddr::from(([192, 0, 2, 1], number));
                let Failure::Config(errors) = listener.failure(address, &errno.into()) else {
                    panic!("exit code 2")
                };
                let (variable, text) = errors.iter().next().unwrap();
                assert!(text.contains(&address.to_string()), "{text}");
                (variable.to_owned(), text.to_owned())
            };
            for number in [80, 8002] {
                let (variable, text) = fault(in_use, number);
                assert!(variable == port && text.contains("another copy"), "{variable}: {text}");
                for errno in no_address {
                    let (variable, text) = fault(errno, number);
                    assert!(variable == host && !text.contains("copy"), "{variable}: {text}");
                }
            }
            let (variable, text) = fault(denied, 80);
            assert!(
                variable == port && text.contains("CAP_NET_BIND_SERVICE"),
                "{variable}: {text}"
            );
            let (variable, text) = fault(denied, 8002);
            assert!(variable == port && text.contains("policy"), "{variable}: {text}");
            let (variable, _) = fault(Errno::MFILE, 8002);
            assert_eq!(variable, port);
        }
    }
}
