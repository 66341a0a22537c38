//! The order of deliveries: after others about the same user, or shuffled within a window.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::task::{JoinHandle, JoinSet};

use crate::random;
use crate::webhooks::sender::Sender;
use crate::webhooks::{Delivery, Endpoint, Faults, Order};

/// The deliveries that are held back or in flight. Clones share them.
#[derive(Clone)]
pub(super) struct Queue {
    sender: Arc<Sender>,
    state: Arc<Mutex<State>>,
}

/// The time at which a delivery is sent while the order is kept.
#[derive(Clone, Copy, Debug)]
pub(super) enum Turn {
    AfterItsUsersOthers,
    AtOnce,
}

#[derive(Default)]
struct State {
    faults: Faults,
    /// The deliveries that are held back to be shuffled.
    window: Vec<Arc<Delivery>>,
    /// The number of this window: a timer ends only its own.
    number: u64,
    /// By user, the tasks that the next delivery in order waits for.
    under_way: HashMap<String, Vec<JoinHandle<()>>>,
}

impl Queue {
    pub(super) fn new(sender: Sender) -> Self {
        Self { sender: Arc::new(sender), state: Arc::default() }
    }

    pub(super) fn endpoint(&self) -> Option<&Endpoint> {
        self.sender.endpoint()
    }

    pub(super) fn faults(&self) -> Faults {
        self.state().faults.clone()
    }

    /// Sets the faults. Deliveries that are held back are sent now, with the previous faults.
    pub(super) fn set_faults(&self, faults: Faults) {
        let mut state = self.state();
        state.send_window(&self.sender);
        state.faults = faults;
    }

    pub(super) fn push(&self, delivery: Arc<Delivery>, turn: Turn) {
        let mut state = self.state();
        state.forget_finished();
        self.sender.announce(&delivery, &state.faults);
        match (state.faults.order, turn) {
            (Order::Shuffled, _) => self.hold_back(&mut state, delivery),
            (Order::InOrder, Turn::AfterItsUsersOthers) => {
                state.send_in_order(&self.sender, delivery);
            }
            (Order::InOrder, Turn::AtOnce) => state.send_all(&self.sender, &[delivery]),
        }
    }

    fn hold_back(&self, state: &mut State, delivery: Arc<Delivery>) {
        let (queue, number) = (self.clone(), state.number);
        let patience = Duration::from_millis(state.faults.window_ms.into());
        if state.window.is_empty() {
            tokio::spawn(async move {
                tokio::time::sleep(patience).await;
                let mut state = queue.state();
                if state.number == number {
                    state.send_window(&queue.sender);
                }
            });
        }
        state.window.push(delivery);
        if u32::try_from(state.window.len()).is_ok_and(|held| held >= state.faults.window) {
            state.send_window(&self.sender);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl State {
    /// Sends all copies at once, after all earlier deliveries about the same user have ended.
    fn send_in_order(&mut self, sender: &Arc<Sender>, delivery: Arc<Delivery>) {
        let (sender, faults) = (Arc::clone(sender), self.faults.clone());
        let tasks = self.under_way.entry(delivery.user_id.clone()).or_default();
        let before = std::mem::take(tasks);
        tasks.push(tokio::spawn(async move {
            for task in before {
                // It has ended, with or without an error.
                let _ = task.await;
            }
            let mut copies = JoinSet::new();
            for _ in 0..faults.copies {
                copies.spawn(sender.clone().deliver(Arc::clone(&delivery), faults.clone()));
            }
            while copies.join_next().await.is_some() {}
        }));
    }

    /// Sends the deliveries that are held back.
    fn send_window(&mut self, sender: &Arc<Sender>) {
        self.number = self.number.wrapping_add(1);
        let window = std::mem::take(&mut self.window);
        self.send_all(sender, &window);
    }

    /// Sends all copies of all deliveries, in random order.
    fn send_all(&mut self, sender: &Arc<Sender>, deliveries: &[Arc<Delivery>]) {
        for delivery in shuffled(deliveries, self.faults.copies) {
            let tasks = self.under_way.entry(delivery.user_id.clone()).or_default();
            tasks.push(tokio::spawn(sender.clone().deliver(delivery, self.faults.clone())));
        }
    }

    fn forget_finished(&mut self) {
        self.under_way.retain(|_, tasks| {
            tasks.retain(|task| !task.is_finished());
            !tasks.is_empty()
        });
    }
}

/// Returns `copies` of each delivery, in random order.
fn shuffled(deliveries: &[Arc<Delivery>], copies: u32) -> Vec<Arc<Delivery>> {
    let mut all: Vec<_> = (0..copies).flat_map(|_| deliveries.iter().cloned()).collect();
    all.sort_by_cached_key(|_| random::number());
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_copy_has_a_place_of_its_own_in_no_order() {
        let delivery = |_| Arc::new(Delivery::new("user.updated", "user_1", String::new()));
        let deliveries: Vec<_> = (0..12).map(delivery).collect();
        let ids = |all: &[Arc<Delivery>]| all.iter().map(|one| one.id.clone()).collect::<Vec<_>>();
        let (first, second) = (shuffled(&deliveries, 2), shuffled(&deliveries, 2));
        assert_ne!(ids(&first), ids(&second));
        assert_ne!(ids(&shuffled(&deliveries, 1)), ids(&deliveries));
        for delivery in &deliveries {
            assert_eq!(first.iter().filter(|one| one.id == delivery.id).count(), 2);
        }
    }
}
