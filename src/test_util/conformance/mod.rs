//! Checks for a sink of your own that keeps users: every order of events, repetitions, deletions, races,
//! odd values, and what a delivery leaves that was given up half-way or failed.
//!
//! The sink is given real deliveries and asked what it stores, by way of a [`SinkUnderTest`] that you write
//! for it:
//!
//! ```
//! use std::collections::HashMap;
//! use std::sync::{Arc, Mutex};
//!
//! use tower_clerk::sync::{Change, Version};
//! use tower_clerk::test_util::conformance::{self, SinkUnderTest, Stored};
//! use tower_clerk::webhook::{Delivery, Effect, Outcome, Sink, SinkError};
//!
//! /// Users in memory: the version and the e-mail address of each, or `None` for a tombstone.
//! #[derive(Default)]
//! struct Users(Mutex<HashMap<String, Option<(Version, Option<String>)>>>);
//!
//! impl Sink for Users {
//!     async fn apply(&self, delivery: &Delivery) -> Result<Outcome, SinkError> {
//!         let mut users = self.0.lock().unwrap();
//!         match Change::of(delivery.event()) {
//!             Some(Change::User(user, cause)) => {
//!                 let version = cause.version(user.updated_at, delivery.occurred_at(), &user.data);
//!                 let effect = match users.get(&*user.id) {
//!                     Some(None) => return Ok(Outcome::Stale),
//!                     Some(Some((known, _))) if *known >= version => return Ok(Outcome::Stale),
//!                     Some(Some(_)) => Effect::Updated,
//!                     None => Effect::Inserted,
//!                 };
//!                 users.insert(user.id.to_string(), Some((version, user.email.clone())));
//!                 Ok(Outcome::Applied(effect))
//!             }
//!             Some(Change::UserGone(id)) => match users.insert(id.to_string(), None) {
//!                 Some(None) => Ok(Outcome::Stale),
//!                 _ => Ok(Outcome::Applied(Effect::Deleted)),
//!             },
//!             _ => Ok(Outcome::Ignored),
//!         }
//!     }
//! }
//!
//! struct InMemory;
//!
//! impl SinkUnderTest for InMemory {
//!     type Sink = Users;
//!
//!     async fn empty(&self) -> Users {
//!         Users::default()
//!     }
//!
//!     async fn stored(&self, sink: &Users, user_id: &str) -> Stored {
//!         match sink.0.lock().unwrap().get(user_id) {
//!             None => Stored::Nothing,
//!             Some(None) => Stored::Tombstone,
//!             Some(Some((_, email))) => Stored::Row(email.clone()),
//!         }
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), conformance::Nonconformities> {
//! conformance::run_all(&InMemory).await?;
//! # Ok(())
//! # }
//! ```
//!
//! Such a sink needs no ids of deliveries, because its versions tell a repetition. One that also counts
//! events, for example, does.

mod bench;
mod checks;
mod subject;

pub use subject::{Check, Nonconformities, Nonconformity, SinkUnderTest, Stored};

/// Runs every check.
///
/// # Errors
///
/// Returns all that failed, at most one for each check.
pub async fn run_all<U: SinkUnderTest>(under_test: &U) -> Result<(), Nonconformities> {
    let mut failed = Vec::new();
    for check in Check::ALL {
        failed.extend(run(check, under_test).await.err());
    }
    if failed.is_empty() { Ok(()) } else { Err(Nonconformities::new(failed)) }
}

/// Runs one check.
///
/// # Errors
///
/// Returns what the sink did, and what it had to do.
pub async fn run<U: SinkUnderTest>(check: Check, under_test: &U) -> Result<(), Nonconformity> {
    let ended = match check {
        Check::Orders => checks::orders(under_test).await,
        Check::Repetitions => checks::repetitions(under_test).await,
        Check::Deletions => checks::deletions(under_test).await,
        Check::Races => checks::races(under_test).await,
        Check::Strangers => checks::strangers(under_test).await,
        Check::Values => checks::values(under_test).await,
        Check::Interruptions => checks::interruptions(under_test).await,
        Check::Failures => checks::failures(under_test).await,
    };
    ended.map_err(|text| Nonconformity::new(check, text))
}
