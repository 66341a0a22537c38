//! A target in memory that keeps to the rules, and fails as it is told.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard};

use tower_clerk::backfill::{Differences, Refused, Run, Target, Written};
use tower_clerk::webhook::{SinkError, User};

#[derive(Default)]
pub(super) struct Memory {
    state: Mutex<State>,
}

#[derive(Default)]
pub(super) struct State {
    /// Users by id, with the state of each.
    pub(super) users: BTreeMap<String, i64>,
    /// When users were created, as far as that is known.
    pub(super) created: BTreeMap<String, i64>,
    pub(super) buried: BTreeSet<String>,
    pub(super) runs: Vec<Run>,
    /// The ids of each page, as they were written.
    pub(super) pages: Vec<Vec<String>>,
    /// How often anything was changed.
    pub(super) changes: usize,
    /// Who is refused.
    pub(super) refuses: BTreeSet<String>,
    /// The next calls fail with these.
    pub(super) failures: VecDeque<SinkError>,
    /// After so many changes, the next ones fail with these.
    pub(super) failures_at: (usize, VecDeque<SinkError>),
    /// What `ids_after` answers, instead of what it should.
    pub(super) lies: Option<Vec<String>>,
    /// Whom a webhook removes just before `remove` does.
    pub(super) overtaken: Option<&'static str>,
    /// The write after so many does not end.
    pub(super) hangs_after: Option<usize>,
}

impl Memory {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// With these users in the state of 1970, and a run of this instance that is finished or not.
    pub(super) fn holding(ids: &[&str], instance: &str, finished: bool) -> Self {
        let target = Self::default();
        target.state().users = ids.iter().map(|id| ((*id).to_owned(), 1)).collect();
        target.state().runs = vec![run(instance, finished)];
        target
    }

    pub(super) fn ids(&self) -> Vec<String> {
        self.state().users.keys().cloned().collect()
    }

    fn call(&self) -> Result<MutexGuard<'_, State>, SinkError> {
        let mut state = self.state();
        match state.failures.pop_front() {
            Some(error) => Err(error),
            None => Ok(state),
        }
    }

    fn change(&self) -> Result<MutexGuard<'_, State>, SinkError> {
        let mut state = self.call()?;
        let (at, failures) = &mut state.failures_at;
        let at = *at;
        let failure = failures.pop_front();
        match failure {
            Some(error) if state.changes == at => return Err(error),
            Some(error) => state.failures_at.1.push_front(error),
            None => {}
        }
        state.changes += 1;
        Ok(state)
    }
}

impl Memory {
    async fn put(
        &self,
        users: &[User],
        run: &Run,
        is_older: fn(i64, i64) -> bool,
    ) -> Result<Written, SinkError> {
        let hangs = {
            let state = self.state();
            state.hangs_after.is_some_and(|pages| state.pages.len() >= pages)
        };
        if hangs {
            std::future::pending::<()>().await;
        }
        let mut state = self.change()?;
        let mut written = Written::default();
        for user in users {
            if state.refuses.contains(&*user.id) {
                written.refused.push(Refused::new(user.id.to_string(), "too long"));
                continue;
            }
            let known = state.users.get(&*user.id).copied().unwrap_or_default();
            if !is_older(known, user.updated_at) || state.buried.contains(&*user.id) {
                written.unchanged += 1;
            } else {
                state.users.insert(user.id.to_string(), user.updated_at);
                written.written += 1;
            }
        }
        state.runs.retain(|known| known.instance_id != run.instance_id);
        state.runs.push(run.clone());
        state.pages.push(users.iter().map(|user| user.id.to_string()).collect());
        Ok(written)
    }
}

pub(super) fn run(instance: &str, finished: bool) -> Run {
    let mut run = Run::new(instance);
    run.finished = finished;
    run
}

impl Target for Memory {
    async fn runs(&self) -> Result<Vec<Run>, SinkError> {
        Ok(self.call()?.runs.clone())
    }

    async fn write(&self, users: &[User], run: &Run) -> Result<Written, SinkError> {
        self.put(users, run, |known, new| known < new).await
    }

    async fn rewrite(&self, users: &[User], run: &Run) -> Result<Written, SinkError> {
        self.put(users, run, |known, new| known <= new).await
    }

    async fn compare(&self, users: &[User]) -> Result<Differences, SinkError> {
        let state = self.call()?;
        let mut differences = Differences::new();
        for User { id, updated_at, .. } in users {
            match state.users.get(&**id) {
                _ if state.buried.contains(&**id) => differences.deleted.push(id.to_string()),
                None => differences.missing.push(id.to_string()),
                Some(known) if known < updated_at => differences.outdated.push(id.to_string()),
                Some(_) => {}
            }
        }
        Ok(differences)
    }

    async fn ids_after(&self, after: Option<&str>, limit: u32) -> Result<Vec<String>, SinkError> {
        let state = self.call()?;
        if let Some(lies) = &state.lies {
            return Ok(lies.clone());
        }
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let ids = state.users.range::<str, _>((from, Bound::Unbounded));
        Ok(ids.map(|(id, _)| id.clone()).take(usize::try_from(limit).unwrap()).collect())
    }

    async fn created_after(&self, ids: &[String], time: i64) -> Result<Vec<String>, SinkError> {
        let state = self.call()?;
        let is_young = |id: &&String| state.created.get(*id).is_some_and(|at| *at > time);
        Ok(ids.iter().filter(is_young).cloned().collect())
    }

    async fn remove(&self, user_id: &str) -> Result<bool, SinkError> {
        let mut state = self.change()?;
        state.buried.insert(user_id.to_owned());
        if state.overtaken == Some(user_id) {
            state.users.remove(user_id);
        }
        Ok(state.users.remove(user_id).is_some())
    }
}
