//! The counts of all keys, in bounded memory. Knows neither rates nor clocks.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::state::keyed::ShrinkableKeyedStateStore;

/// A table of the times at which the next request of each key is due.
///
/// It has room for `room` keys. Further keys share cells by a hash with a secret seed: a flood of
/// new keys neither grows the table, nor goes uncounted, nor locks out all other clients at once.
#[derive(Debug)]
pub(super) struct Table {
    state: Mutex<State>,
    hasher: RandomState,
    room: usize,
}

#[derive(Debug)]
struct State {
    own: HashMap<String, Nanos>,
    cells: Vec<Option<Nanos>>,
}

impl Table {
    pub(super) fn new(room: usize, cells: usize) -> Self {
        let state = State { own: HashMap::new(), cells: vec![None; cells.max(1)] };
        Self { state: Mutex::new(state), hasher: RandomState::new(), room }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code under the lock panics half-way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cell_of(&self, key: &str, cells: usize) -> usize {
        let cells = u64::try_from(cells).unwrap_or(u64::MAX);
        usize::try_from(self.hasher.hash_one(key) % cells).unwrap_or_default()
    }
}

impl StateStore for Table {
    type Key = String;

    fn measure_and_replace<T, F, E>(&self, key: &String, judge: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut state = self.state();
        let State { own, cells } = &mut *state;
        if let Some(due) = own.get_mut(key) {
            let (outcome, next) = judge(Some(*due))?;
            *due = next;
            return Ok(outcome);
        }
        let cell = self.cell_of(key, cells.len());
        let shared = cells.get(cell).copied().flatten();
        // A key that shared a cell while the table was full keeps its count when it gets a place.
        let (outcome, next) = judge(shared)?;
        if own.len() < self.room {
            own.insert(key.clone(), next);
        } else if let Some(cell) = cells.get_mut(cell) {
            *cell = Some(next);
        }
        Ok(outcome)
    }
}

impl ShrinkableKeyedStateStore<String> for Table {
    fn retain_recent(&self, drop_below: Nanos) {
        let mut state = self.state();
        state.own.retain(|_, due| *due > drop_below);
        for cell in &mut state.cells {
            *cell = cell.filter(|due| *due > drop_below);
        }
    }

    /// Returns the number of keys with their own place.
    fn len(&self) -> usize {
        self.state().own.len()
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
