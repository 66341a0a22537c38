//! The server on one listener: rows F26 to F28, F30, F32, F35. `connection` serves each connection.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::task::JoinSet;

use crate::connection::{self, Served, stopped};
use crate::limits::Limits;
use crate::places::{Place, Places};
use crate::seldom::Seldom;
use crate::tls::Tls;

/// Serves a router over plain HTTP until `stop` turns true, with the default limits.
pub async fn serve(listener: TcpListener, router: Router, stop: watch::Receiver<bool>) {
    Server::new(router).run(listener, stop).await;
}

/// A server for one listener. Cheap to clone.
#[derive(Clone)]
pub struct Server {
    served: Served,
    trusted: Arc<dyn Fn(IpAddr) -> bool + Send + Sync>,
}

impl Server {
    /// Returns a server with plain HTTP and the default limits, which trusts this machine only.
    #[must_use]
    pub fn new(router: Router) -> Self {
        let trusted = Arc::new(|peer: IpAddr| peer.is_loopback());
        let served = Served { router, tls: None, limits: Limits::default() };
        Self { served, trusted }
    }

    /// Sets the certificate, with which HTTPS is served; default: none, plain HTTP.
    #[must_use]
    pub fn tls(self, tls: Option<Tls>) -> Self {
        Self { served: Served { tls, ..self.served }, ..self }
    }

    /// Sets which peers are trusted proxies; default: none. Their connections, and those of this
    /// machine, are not counted by address, because they carry requests of many clients.
    #[must_use]
    pub fn trusting(self, is_proxy: impl Fn(IpAddr) -> bool + Send + Sync + 'static) -> Self {
        let trusted = Arc::new(move |peer: IpAddr| peer.is_loopback() || is_proxy(peer));
        Self { trusted, ..self }
    }

    /// Sets the limits, and whether every peer is trusted or none.
    #[cfg(test)]
    pub(super) fn within(self, limits: Limits, trusts_all: bool) -> Self {
        let served = Served { limits, ..self.served };
        Self { served, trusted: Arc::new(move |_| trusts_all) }
    }

    /// Serves until `stop` turns true; then closes the listener and waits for requests in flight,
    /// but no longer than the grace period.
    pub async fn run(self, listener: TcpListener, mut stop: watch::Receiver<bool>) {
        let places = Places::new(self.served.limits);
        let mut connections = JoinSet::new();
        loop {
            let (room, stream, peer) = tokio::select! {
                arrived = self.arrival(&listener, &places) => match arrived {
                    Some(arrived) => arrived,
                    None => continue,
                },
                Some(_) = connections.join_next() => continue,
                () = stopped(&mut stop) => break,
            };
            let Some(place) = self.place(&places, peer) else { continue };
            let (served, stop) = (self.served.clone(), stop.clone());
            connections.spawn(async move {
                connection::attend(stream, peer, &served, stop).await;
                drop((room, place));
            });
        }
        drop(listener);
        let open = connections.len();
        let ended = async { while connections.join_next().await.is_some() {} };
        let grace = self.served.limits.grace;
        if tokio::time::timeout(grace, ended).await.is_err() {
            tracing::warn!(
                "{open} connections were open; {left} did not end within {grace:?} and are closed",
                left = connections.len()
            );
            connections.shutdown().await;
        }
    }

    /// Returns the next connection once there is room for it; until then it waits in the kernel's
    /// queue. `None` if the system refused it.
    async fn arrival(&self, listener: &TcpListener, places: &Places) -> Option<Arrival> {
        let room = places.room().await;
        match listener.accept().await {
            Ok((stream, peer)) => Some((room, stream, peer)),
            Err(error) => {
                if let Some(left_out) = NOT_ACCEPTED.left_out() {
                    tracing::warn!(
                        %error,
                        left_out,
                        "cannot accept a connection; is the limit on open files reached?"
                    );
                }
                tokio::time::sleep(self.served.limits.after_accept_error).await;
                None
            }
        }
    }

    /// Returns a place for a peer. Connections of trusted peers are not counted by address.
    fn place(&self, places: &Places, peer: SocketAddr) -> Option<Place> {
        if (self.trusted)(peer.ip().to_canonical()) {
            return Some(places.uncounted());
        }
        places.of(peer.ip())
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Served { tls, limits, .. } = &self.served;
        f.debug_struct("Server").field("tls", tls).field("limits", limits).finish_non_exhaustive()
    }
}

type Arrival = (Option<OwnedSemaphorePermit>, TcpStream, SocketAddr);

/// The limit on this line, because accepting is retried several times a second.
static NOT_ACCEPTED: Seldom = Seldom::new(Duration::from_secs(10));
