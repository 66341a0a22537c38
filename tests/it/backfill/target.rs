//! A target in memory that keeps to the rules, and fails as it is told.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard};

use tower_clerk::backfill::{
    Differences, Member, RecordKind, RecordPage, Records, Refused, Removal, Run, Target, UserPage,
    Written,
};
use tower_clerk::webhook::{SinkError, User};

#[derive(Default)]
pub(super) struct Memory {
    state: Mutex<State>,
}

#[derive(Default)]
pub(super) struct State {
    /// Users by id, with the state of each.
    pub(super) users: BTreeMap<String, i64>,
    /// Whether organizations are kept.
    pub(super) keeps_organizations: bool,
    /// Organizations by id, with the state of each.
    pub(super) organizations: BTreeMap<String, i64>,
    /// Memberships by id: organization, user, state.
    pub(super) memberships: BTreeMap<String, (String, String, i64)>,
    /// When users, organizations and memberships were created, as far as that is known.
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
        UserPage { users, .. }: UserPage<'_>,
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

    async fn write(&self, page: UserPage<'_>, run: &Run) -> Result<Written, SinkError> {
        self.put(page, run, |known, new| known < new).await
    }

    async fn rewrite(&self, page: UserPage<'_>, run: &Run) -> Result<Written, SinkError> {
        self.put(page, run, |known, new| known <= new).await
    }

    async fn compare(&self, page: UserPage<'_>) -> Result<Differences, SinkError> {
        let state = self.call()?;
        let mut differences = Differences::new();
        for User { id, updated_at, .. } in page.users {
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

    fn keeps_organizations(&self) -> bool {
        self.state().keeps_organizations
    }

    async fn write_records(&self, page: RecordPage<'_>, run: &Run) -> Result<Written, SinkError> {
        let mut state = self.change()?;
        let mut written = Written::default();
        let mut ids = Vec::new();
        for (id, known, new) in states(&state, page.records) {
            if state.refuses.contains(&id) {
                written.refused.push(Refused::new(id, "too long"));
            } else if state.buried.contains(&id) || known.is_some_and(|known| known >= new) {
                written.unchanged += 1;
                ids.push(id);
            } else {
                written.written += 1;
                match page.records {
                    Records::Memberships(them) => {
                        let it = them.iter().find(|it| it.id == *id).unwrap();
                        let row = (it.organization_id.to_string(), it.user_id.to_string(), new);
                        state.memberships.insert(id.clone(), row);
                    }
                    _ => drop(state.organizations.insert(id.clone(), new)),
                }
                ids.push(id);
            }
        }
        state.runs.retain(|known| known.instance_id != run.instance_id);
        state.runs.push(run.clone());
        state.pages.push(ids);
        Ok(written)
    }

    async fn compare_records(&self, page: RecordPage<'_>) -> Result<Differences, SinkError> {
        let state = self.call()?;
        let mut differences = Differences::new();
        for (id, known, new) in states(&state, page.records) {
            match known {
                _ if state.buried.contains(&id) => differences.deleted.push(id),
                None => differences.missing.push(id),
                Some(known) if known < new => differences.outdated.push(id),
                Some(_) => {}
            }
        }
        Ok(differences)
    }

    async fn record_ids_after(
        &self,
        kind: RecordKind,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<String>, SinkError> {
        if kind == RecordKind::User {
            return self.ids_after(after, limit).await;
        }
        let state = self.call()?;
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let ids = state.organizations.range::<str, _>((from, Bound::Unbounded));
        Ok(ids.map(|(id, _)| id.clone()).take(usize::try_from(limit).unwrap()).collect())
    }

    async fn members_of(&self, organization_id: &str) -> Result<Vec<Member>, SinkError> {
        let state = self.call()?;
        let all = state.memberships.iter().filter(|(_, (of, ..))| of == organization_id);
        Ok(all.map(|(id, (_, user, _))| Member::new(id, user)).collect())
    }

    async fn records_created_after(
        &self,
        _: RecordKind,
        ids: &[String],
        time: i64,
    ) -> Result<Vec<String>, SinkError> {
        self.created_after(ids, time).await
    }

    async fn remove_record(&self, kind: RecordKind, id: &str) -> Result<Removal, SinkError> {
        if kind == RecordKind::User {
            return self.remove(id).await;
        }
        let mut state = self.change()?;
        state.buried.insert(id.to_owned());
        state.memberships.retain(|_, (of, ..)| of != id);
        let organization = state.organizations.remove(id).is_some();
        Ok(removal(state.memberships.remove(id).is_some() || organization))
    }

    async fn remove(&self, user_id: &str) -> Result<Removal, SinkError> {
        let mut state = self.change()?;
        state.buried.insert(user_id.to_owned());
        if state.overtaken == Some(user_id) {
            state.users.remove(user_id);
        }
        Ok(removal(state.users.remove(user_id).is_some()))
    }
}

/// The id of each record, its known state and the new one.
fn states(state: &State, records: Records<'_>) -> Vec<(String, Option<i64>, i64)> {
    match records {
        Records::Memberships(them) => {
            let known = |id: &str| state.memberships.get(id).map(|(.., known)| *known);
            them.iter().map(|it| (it.id.to_string(), known(&it.id), it.updated_at)).collect()
        }
        Records::Organizations(them) => {
            let known = |id: &str| state.organizations.get(id).copied();
            them.iter().map(|it| (it.id.to_string(), known(&it.id), it.updated_at)).collect()
        }
        _ => unreachable!("there are no others"),
    }
}

fn removal(was_here: bool) -> Removal {
    if was_here { Removal::Removed } else { Removal::Already }
}
