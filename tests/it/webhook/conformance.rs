//! The checks for sinks of others: each of them fails a sink that is wrong in the way that it is about.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};

use tower_clerk::sync::{Change, Version};
use tower_clerk::test_util::conformance::{self, Check, SinkUnderTest, Stored};
use tower_clerk::webhook::{Delivery, Effect, Event, Outcome, Sink, SinkError, User};

/// What is wrong with a sink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    None,
    /// What arrives last is kept.
    KeepsTheLastToArrive,
    /// Of two states of one time, the first to arrive is kept.
    ComparesOneTimeAlone,
    SaysThatARepetitionWasApplied,
    /// The row goes, and nothing is left.
    ForgetsDeletions,
    RefusesToDeleteStrangers,
    /// It looks what is known, waits, and writes.
    ReadsFirstAndWritesLater,
    DeletesEverybodyWithNobody,
    RefusesWhatItDoesNotKnow,
    IgnoresCase,
    KeepsAnAddressThatIsGone,
    RefusesLongTexts,
    /// The delivery is recorded by itself, and then its change is written.
    RecordsFirst,
    SaysNothingOfFailures,
}

/// Users in memory.
struct Memory {
    flaw: Flaw,
    broken: AtomicBool,
    records: Mutex<Records>,
}

#[derive(Default)]
struct Records {
    deliveries: HashSet<String>,
    /// The version and the e-mail address of each user; none of those who are deleted.
    users: HashMap<String, Option<(Version, Option<String>)>>,
}

impl Memory {
    fn records(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap()
    }

    fn key(&self, id: &str) -> String {
        match self.flaw {
            Flaw::IgnoresCase => id.to_lowercase(),
            _ => id.to_owned(),
        }
    }

    fn failure(&self) -> Result<(), SinkError> {
        match self.broken.load(Ordering::SeqCst) && self.flaw != Flaw::SaysNothingOfFailures {
            true => Err(SinkError::transient("away")),
            false => Ok(()),
        }
    }

    fn upsert(&self, user: &User, version: Version) -> Outcome {
        let mut records = self.records();
        let key = self.key(&user.id);
        let mut email = user.email.clone();
        let effect = match records.users.get(&key) {
            None => Effect::Inserted,
            Some(None) => return Outcome::Stale,
            Some(Some((known, old))) => {
                let is_newer = match self.flaw {
                    Flaw::KeepsTheLastToArrive => true,
                    Flaw::ComparesOneTimeAlone => known.parts()[0] < version.parts()[0],
                    _ => *known < version,
                };
                if !is_newer {
                    return Outcome::Stale;
                }
                if self.flaw == Flaw::KeepsAnAddressThatIsGone {
                    email = email.or_else(|| old.clone());
                }
                Effect::Updated
            }
        };
        if !self.broken.load(Ordering::SeqCst) {
            records.users.insert(key, Some((version, email)));
        }
        Outcome::Applied(effect)
    }

    fn remove(&self, id: &str) -> Result<Outcome, SinkError> {
        let mut records = self.records();
        match records.users.get(id) {
            Some(None) => return Ok(Outcome::Stale),
            None if self.flaw == Flaw::RefusesToDeleteStrangers => {
                return Err(SinkError::permanent("there is no such user"));
            }
            _ => {}
        }
        if self.flaw == Flaw::ForgetsDeletions {
            records.users.remove(id);
        } else if !self.broken.load(Ordering::SeqCst) {
            records.users.insert(self.key(id), None);
        }
        Ok(Outcome::Applied(Effect::Deleted))
    }
}

impl Sink for Memory {
    async fn apply(&self, delivery: &Delivery) -> Result<Outcome, SinkError> {
        let id = delivery.id().to_owned();
        if self.records().deliveries.contains(&id) {
            return Ok(match self.flaw {
                Flaw::SaysThatARepetitionWasApplied => Outcome::Applied(Effect::Updated),
                _ => Outcome::Duplicate,
            });
        }
        if self.flaw == Flaw::RecordsFirst {
            self.records().deliveries.insert(id.clone());
            tokio::task::yield_now().await;
        }
        self.failure()?;
        let outcome = match Change::of(delivery.event()) {
            Some(Change::User(user, cause)) => {
                if self.flaw == Flaw::RefusesLongTexts && user.data.as_str().len() > 3000 {
                    return Err(SinkError::permanent("value too long for type character varying"));
                }
                let version = cause.version(user.updated_at, delivery.occurred_at(), &user.data);
                if self.flaw == Flaw::ReadsFirstAndWritesLater {
                    let known = self.records().users.get(&*user.id).cloned();
                    tokio::task::yield_now().await;
                    let is_newer = match known {
                        None => true,
                        Some(known) => known.is_some_and(|(known, _)| known < version),
                    };
                    if is_newer {
                        let state = Some((version, user.email.clone()));
                        self.records().users.insert(user.id.to_string(), state);
                        Outcome::Applied(Effect::Other)
                    } else {
                        Outcome::Stale
                    }
                } else {
                    self.upsert(user, version)
                }
            }
            Some(Change::UserGone(id)) => self.remove(id)?,
            _ => match (self.flaw, delivery.event()) {
                (Flaw::DeletesEverybodyWithNobody, Event::UserDeleted(_)) => {
                    self.records().users.clear();
                    Outcome::Applied(Effect::Deleted)
                }
                (Flaw::RefusesWhatItDoesNotKnow, _) => {
                    return Err(SinkError::permanent("an unknown event"));
                }
                _ => Outcome::Ignored,
            },
        };
        self.records().deliveries.insert(id);
        Ok(outcome)
    }
}

struct UnderTest(Flaw);

impl SinkUnderTest for UnderTest {
    type Sink = Memory;

    async fn empty(&self) -> Memory {
        Memory { flaw: self.0, broken: AtomicBool::new(false), records: Mutex::default() }
    }

    async fn stored(&self, sink: &Memory, user_id: &str) -> Stored {
        match sink.records().users.get(&sink.key(user_id)) {
            None => Stored::Nothing,
            Some(None) => Stored::Tombstone,
            Some(Some((_, email))) => Stored::Row(email.clone()),
        }
    }

    async fn break_writes(&self, sink: &Memory) -> bool {
        sink.broken.store(true, Ordering::SeqCst);
        true
    }

    async fn mend_writes(&self, sink: &Memory) {
        sink.broken.store(false, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn a_sink_without_a_flaw_passes_every_check() {
    conformance::run_all(&UnderTest(Flaw::None)).await.unwrap();
}

#[tokio::test]
async fn each_check_fails_a_sink_that_is_wrong_in_its_way() {
    let flaws = [
        (Flaw::KeepsTheLastToArrive, Check::Orders),
        (Flaw::ComparesOneTimeAlone, Check::Orders),
        (Flaw::SaysThatARepetitionWasApplied, Check::Repetitions),
        (Flaw::ForgetsDeletions, Check::Deletions),
        (Flaw::RefusesToDeleteStrangers, Check::Deletions),
        (Flaw::ReadsFirstAndWritesLater, Check::Races),
        (Flaw::DeletesEverybodyWithNobody, Check::Strangers),
        (Flaw::RefusesWhatItDoesNotKnow, Check::Strangers),
        (Flaw::IgnoresCase, Check::Values),
        (Flaw::KeepsAnAddressThatIsGone, Check::Values),
        (Flaw::RefusesLongTexts, Check::Values),
        (Flaw::RecordsFirst, Check::Interruptions),
        (Flaw::RecordsFirst, Check::Failures),
        (Flaw::SaysNothingOfFailures, Check::Failures),
    ];
    for (flaw, check) in flaws {
        let failed = conformance::run_all(&UnderTest(flaw)).await.unwrap_err();
        eprintln!("{flaw:?}: {failed}");
        let found = failed.all().iter().any(|failed| failed.check() == check);
        assert!(found, "{check:?} passes a sink that {flaw:?}: {failed}");
    }
    for check in Check::ALL {
        assert!(flaws.iter().any(|(_, by)| *by == check), "no flaw for {check:?}");
    }
}
