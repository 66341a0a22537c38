//! The server on one listener: rows F26 to F28, F30, F32, F35. What happens on a connection is in
//! `connection`.

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

/// Serves a router over plain HTTP until `stop` turns true, with the usual limits.
pub async fn serve(listener: TcpListener, router: Router, stop: watch::Receiver<bool>) {
    Server::new(router).run(listener, stop).await;
}

/// What is served on one listener, and how. Cheap to clone.
#[derive(Clone)]
pub struct Server {
    served: Served,
    trusted: Arc<dyn Fn(IpAddr) -> bool + Send + Sync>,
}

impl Server {
    /// Plain HTTP, the usual limits, and no peer trusted but this machine.
    #[must_use]
    pub fn new(router: Router) -> Self {
        let trusted = Arc::new(|peer: IpAddr| peer.is_loopback());
        let served = Served { router, tls: None, limits: Limits::default() };
        Self { served, trusted }
    }

    /// HTTPS instead, where there is a certificate.
    #[must_use]
    pub fn tls(self, tls: Option<Tls>) -> Self {
        Self { served: Served { tls, ..self.served }, ..self }
    }

    /// Takes peers for which `is_proxy` is true, besides this machine, as speaking for many: their
    /// connections are not counted.
    #[must_use]
    pub fn trusting(self, is_proxy: impl Fn(IpAddr) -> bool + Send + Sync + 'static) -> Self {
        let trusted = Arc::new(move |peer: IpAddr| peer.is_loopback() || is_proxy(peer));
        Self { trusted, ..self }
    }

    /// Takes these limits instead of the usual ones, and trusts every peer or none.
    #[cfg(test)]
    pub(super) fn within(self, limits: Limits, trusts_all: bool) -> Self {
        let served = Served { limits, ..self.served };
        Self { served, trusted: Arc::new(move |_| trusts_all) }
    }

    /// Serves until `stop` turns true; then closes the listener and waits for what is in flight,
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

    /// The next connection, once there is room for one: until then it waits in the kernel's queue.
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

    /// Whoever is trusted speaks for many.
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

/// It is tried again several times a second.
static NOT_ACCEPTED: Seldom = Seldom::new(Duration::from_secs(10));
