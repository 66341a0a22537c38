//! The record of what was sent and acknowledged, and the random times at which servers are killed.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::support::{Random, State, Webhook};

pub(crate) struct Ledger {
    pub(crate) random: Random,
    users: BTreeMap<String, User>,
    /// Those who get new states.
    alive: Vec<String>,
    /// To be sent, in no order.
    waiting: Vec<Webhook>,
    /// Sent at least once and not acknowledged, by id.
    open: BTreeMap<String, Webhook>,
    deaths_left: usize,
    interruptions: usize,
    finishing: bool,
}

#[derive(Default)]
struct User {
    newest: i64,
    deleted: bool,
    acknowledged: Option<State>,
}

/// At which moment of its life a server is killed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Death {
    AfterAnAnswer,
    AtWork,
    WhileStarting,
}

impl Ledger {
    pub(crate) fn new(deaths: usize) -> Self {
        Self {
            random: Random::new(),
            users: BTreeMap::new(),
            alive: Vec::new(),
            waiting: Vec::new(),
            open: BTreeMap::new(),
            deaths_left: deaths,
            interruptions: 0,
            finishing: false,
        }
    }

    /// How the next server dies, and how long that takes. `None` after the last.
    pub(crate) fn next_death(&mut self) -> Option<(Death, Duration)> {
        self.deaths_left = self.deaths_left.checked_sub(1)?;
        let mut moment = |end| Duration::from_micros(self.random.below(end).try_into().unwrap());
        Some(match moment(10).as_micros() {
            0 => (Death::WhileStarting, moment(60_000)),
            1..7 => (Death::AtWork, moment(100_000)),
            _ => (Death::AfterAnAnswer, Duration::ZERO),
        })
    }

    /// Nothing new from now on.
    pub(crate) fn finish(&mut self) {
        self.finishing = true;
    }

    /// The next delivery to send. `None`: at the end nothing is left.
    pub(crate) fn next(&mut self) -> Option<Webhook> {
        while self.waiting.len() < WAITING && !self.finishing {
            let webhook = self.happen();
            // Svix promises at least once.
            if self.random.below(2) == 0 {
                self.waiting.push(webhook.clone());
            }
            self.waiting.push(webhook);
        }
        if self.waiting.is_empty() {
            return None;
        }
        let chosen = self.random.below(self.waiting.len());
        let webhook = self.waiting.swap_remove(chosen);
        self.open.insert(webhook.id(), webhook.clone());
        Some(webhook)
    }

    /// Somebody signs up, changes something or leaves.
    fn happen(&mut self) -> Webhook {
        if self.alive.len() < ALIVE {
            let user = format!("user_{}", self.users.len());
            self.users.insert(user.clone(), User::default());
            self.alive.push(user.clone());
            return Webhook { user, state: State::Version(0) };
        }
        let chosen = self.random.below(ALIVE);
        if self.random.below(12) == 0 {
            let user = self.alive.swap_remove(chosen);
            self.users.get_mut(&user).unwrap().deleted = true;
            return Webhook { user, state: State::Deleted };
        }
        let id = &self.alive[chosen];
        let user = self.users.get_mut(id).unwrap();
        user.newest += 1;
        Webhook { user: id.clone(), state: State::Version(user.newest) }
    }

    pub(crate) fn acknowledged(&mut self, webhook: &Webhook) {
        self.open.remove(&webhook.id());
        let user = self.users.get_mut(&webhook.user).unwrap();
        user.acknowledged = user.acknowledged.max(Some(webhook.state));
    }

    pub(crate) fn put_off(&mut self, webhook: &Webhook) {
        self.waiting.push(webhook.clone());
    }

    pub(crate) fn interrupted(&mut self, webhook: &Webhook) {
        self.interruptions += 1;
        self.put_off(webhook);
    }

    /// How many deliveries got no answer.
    pub(crate) fn interruptions(&self) -> usize {
        self.interruptions
    }

    /// The least that must be known of users, and what nobody has heard of.
    pub(crate) fn so_far(&self) -> (BTreeMap<String, State>, Vec<Webhook>) {
        let least = |(id, user): (&String, &User)| Some((id.clone(), user.acknowledged?));
        (self.users.iter().filter_map(least).collect(), self.open.values().cloned().collect())
    }

    /// The deliveries that made these states; not of those whose end is acknowledged, who become
    /// more and more.
    pub(crate) fn watched(&self, states: &BTreeMap<String, State>) -> Vec<Webhook> {
        let watched = |id: &String| self.users[id].acknowledged != Some(State::Deleted);
        let states = states.iter().filter(|(id, _)| watched(id));
        states.map(|(id, state)| Webhook { user: id.clone(), state: *state }).collect()
    }

    /// What all users must have come to.
    pub(crate) fn newest(&self) -> BTreeMap<String, State> {
        let newest = |user: &User| match user.deleted {
            true => State::Deleted,
            false => State::Version(user.newest),
        };
        self.users.iter().map(|(id, user)| (id.clone(), newest(user))).collect()
    }

    /// How many different deliveries there were.
    pub(crate) fn sent(&self) -> i64 {
        self.users.values().map(|user| user.newest + 1 + i64::from(user.deleted)).sum()
    }
}

/// Users who are alive at the same time.
const ALIVE: usize = 24;
/// Deliveries among which the next one is chosen.
const WAITING: usize = 64;
