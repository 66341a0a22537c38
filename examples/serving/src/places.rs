//! The number of connections, in all and per address. Opens none.
//!
//! Needed by row F27.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::Seldom;
use crate::limits::Limits;

/// The places for a listener's connections.
pub(super) struct Places {
    room: Arc<Semaphore>,
    counts: Arc<Counts>,
    most: usize,
    told: Seldom,
}

/// The place of one connection, which is free again when this is dropped.
pub(super) struct Place(Option<(IpAddr, Arc<Counts>)>);

#[derive(Default)]
struct Counts {
    open: Mutex<HashMap<IpAddr, usize>>,
}

impl Places {
    pub(super) fn new(limits: Limits) -> Self {
        let room = Arc::new(Semaphore::new(limits.connections));
        let told = Seldom::new(TELL_AGAIN);
        Self { room, counts: Arc::default(), most: limits.connections_per_address, told }
    }

    /// Waits until one more connection may be open.
    pub(super) async fn room(&self) -> Option<OwnedSemaphorePermit> {
        // The semaphore is never closed, so this always succeeds.
        Arc::clone(&self.room).acquire_owned().await.ok()
    }

    /// Returns a place for a trusted peer, whose connections are not counted.
    pub(super) fn uncounted(&self) -> Place {
        Place(None)
    }

    /// Returns a place for this address, or `None` if it has its share of connections.
    pub(super) fn of(&self, address: IpAddr) -> Option<Place> {
        let address = neighbourhood(address);
        let mut open = self.counts.open();
        let count = open.entry(address).or_default();
        if *count >= self.most {
            drop(open);
            self.tell(address);
            return None;
        }
        *count += 1;
        Some(Place(Some((address, Arc::clone(&self.counts)))))
    }

    fn tell(&self, address: IpAddr) {
        if let Some(left_out) = self.told.left_out() {
            tracing::warn!(
                left_out,
                "refused a connection from {address}, which has {} already; if that is your \
                 proxy, add it to TRUSTED_PROXIES",
                self.most
            );
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some((address, counts)) = &self.0 else { return };
        let mut open = counts.open();
        if let Some(count) = open.get_mut(address) {
            *count -= 1;
            if *count == 0 {
                open.remove(address);
            }
        }
    }
}

impl Counts {
    fn open(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the address by which connections are counted: one household or machine has a whole /64
/// of IPv6 addresses.
fn neighbourhood(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        address @ IpAddr::V4(_) => address,
    }
}

const TELL_AGAIN: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f27_an_address_has_its_share_of_connections_and_gets_it_back() {
        let places = Places::new(Limits { connections_per_address: 2, ..Limits::default() });
        let of = |address: &str| places.of(address.parse().unwrap());
        let first = of("192.0.2.1");
        let second = of("::ffff:192.0.2.1");
        assert!(first.is_some() && second.is_some());
        assert!(of("192.0.2.1").is_none() && of("::ffff:192.0.2.1").is_none());
        // Each address has its own share; a whole /64 is one address.
        let other = [of("192.0.2.2"), of("2001:db8:0:1::1"), of("2001:db8:0:1:ffff::9")];
        assert!(other.iter().all(Option::is_some));
        assert!(of("2001:db8:0:1::2").is_none());
        assert!(of("2001:db8:0:2::2").is_some());
        drop(first);
        assert!(of("192.0.2.1").is_some());
        drop((second, other));
        assert!(places.counts.open().is_empty());
    }
}
