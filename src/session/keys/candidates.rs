//! The keys that may have signed a token.

use std::sync::Arc;

use super::PublicKey;

/// The keys that may have signed a token: those with the token's `kid`, each once. There is one,
/// except while an instance replaces its key and publishes both.
///
/// Cheap to clone: clones share one list.
#[derive(Clone, Debug)]
pub struct Candidates {
    keys: Arc<[Arc<PublicKey>]>,
}

impl Candidates {
    /// Returns the keys, in the order in which they are tried.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<PublicKey>> {
        self.keys.iter()
    }

    /// Returns whether this very key, the same `Arc`, is one of them.
    #[must_use]
    pub fn contains(&self, key: &Arc<PublicKey>) -> bool {
        self.keys.iter().any(|known| Arc::ptr_eq(known, key))
    }

    /// Returns whether `other` has a key that these lack.
    #[cfg(any(feature = "remote", feature = "test-util"))]
    pub(crate) fn lack_one_of(&self, other: &Self) -> bool {
        other.keys.iter().any(|key| !self.contains(key))
    }
}

impl From<Arc<PublicKey>> for Candidates {
    fn from(key: Arc<PublicKey>) -> Self {
        Self { keys: Arc::new([key]) }
    }
}

impl FromIterator<Arc<PublicKey>> for Candidates {
    fn from_iter<I: IntoIterator<Item = Arc<PublicKey>>>(keys: I) -> Self {
        Self { keys: keys.into_iter().collect() }
    }
}
