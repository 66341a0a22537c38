//! The store behind the cache: sizes and eviction. The only file that names moka.

use std::borrow::Borrow;
use std::hash::{BuildHasher as _, Hash, Hasher};
use std::time::Duration;

use ahash::RandomState;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;

use super::super::session::Session;

pub(super) type Tokens = Cache<ByToken, Session, RandomState>;

pub(super) fn tokens(bytes: u64) -> Tokens {
    Cache::<ByToken, Session>::builder()
        .max_capacity(bytes)
        .weigher(|_, session| weight(session))
        .time_to_live(LONGEST)
        // Evicts the least recently used: how often a token was used says nothing about its
        // successor, and a policy that counts uses would keep popular expired tokens and reject new
        // ones.
        .eviction_policy(EvictionPolicy::lru())
        .build_with_hasher(seeded_at_random())
}

/// A session that is found by the bytes of its token, which it contains anyway.
pub(super) struct ByToken(pub(super) Session);

impl Borrow<[u8]> for ByToken {
    fn borrow(&self) -> &[u8] {
        self.0.claims().token()
    }
}

impl Hash for ByToken {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Borrow::<[u8]>::borrow(self).hash(state);
    }
}

impl PartialEq for ByToken {
    fn eq(&self, other: &Self) -> bool {
        Borrow::<[u8]>::borrow(self) == Borrow::<[u8]>::borrow(other)
    }
}

impl Eq for ByToken {}

/// Returns a hasher with random seeds. A client that chooses tokens cannot choose which of them
/// collide, nor learn from the duration of a lookup how much of a token is right: whole tokens are
/// compared only within a bucket.
///
/// The seeds come from the standard library's keys, which are the operating system's randomness.
/// ahash's own seeds are the same in each process, except with a feature that would add another
/// crate.
fn seeded_at_random() -> RandomState {
    let random = std::hash::RandomState::new();
    let seed = |n: u64| random.hash_one(n);
    RandomState::with_seeds(seed(0), seed(1), seed(2), seed(3))
}

/// Returns about how much memory an entry takes, in bytes: the session with its token, and the
/// overhead.
fn weight(session: &Session) -> u32 {
    u32::try_from(session.approximate_bytes() + SURROUNDINGS).unwrap_or(u32::MAX)
}

/// The time for which an entry is kept, to free the memory of expired tokens. Clerk's live for a
/// minute, and one that lives longer is verified again now and then. No decision depends on it:
/// moka's clock stands still while a machine sleeps, and hits are checked against the wall clock.
const LONGEST: Duration = Duration::from_secs(75);

/// The overhead of an entry, in bytes: the cache's own bookkeeping, and the allocator's.
const SURROUNDINGS: usize = 384;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d11_no_two_caches_hash_alike() {
        let hashes: std::collections::HashSet<u64> =
            (0..16).map(|_| seeded_at_random().hash_one("a token")).collect();
        assert_eq!(hashes.len(), 16);
    }
}
